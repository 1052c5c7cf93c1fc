"""fhir probe|verify|reconcile|recall|new-key|jwks: what the servers can do, hold, and must no longer show."""

import json as jsonlib
from pathlib import Path
from typing import Annotated, Any

import typer

from passerelle.cli.common import (
    DryRunOption,
    JsonOption,
    VerboseOption,
    WorkspaceOption,
    examples,
    progress,
    settings_of,
    show,
    table,
)
from passerelle.errors import UsageError

UrlOption = Annotated[
    str | None, typer.Option("--url", help="base URL of the FHIR server (default: the setting fhir_url)")
]
TargetOption = Annotated[str | None, typer.Option("--target", help="only this server of the fhir_file")]
FOUND = ["target", "checked", "same", "judged", "missing", "drifted", "not_withdrawn", "doubled", "extra", "repaired"]


def register(group: typer.Typer) -> None:
    """Add the commands."""
    group.command("probe", epilog=examples(
        "passerelle fhir probe --workspace W --url http://127.0.0.1:8080/fhir     what its statement says",
        "passerelle fhir probe --workspace W --target dpi --write    what it does; a Device is written and deleted",
    ))(probe)  # fmt: skip
    group.command(
        "verify", epilog=examples("passerelle fhir verify --workspace W     is what was delivered still there?")
    )(verify)
    group.command("reconcile", epilog=examples(
        "passerelle fhir reconcile --workspace W             both ways; nothing is changed",
        "passerelle fhir reconcile --workspace W --repair    put what is missing or changed back, then: fhir deliver",
    ))(reconcile)  # fmt: skip
    group.command("recall", epilog=examples(
        "passerelle fhir recall --workspace W --model prescription_review --version 1.2.0 --reason TEXT --dry-run",
        "passerelle fhir recall --workspace W --model prescription_review --version 1.2.0 "
        '--reason "Version retirée : unités d\'un automate changées."',
    ))(recall)  # fmt: skip
    group.command("new-key", epilog=examples("passerelle fhir new-key keys/dpi-2026.pem --algorithm ES384"))(new_key)
    group.command("jwks", epilog=examples("passerelle fhir jwks keys/dpi-2026.pem keys/dpi-2025.pem > jwks.json"))(jwks)


def probe(
    workspace: WorkspaceOption = None,
    url: UrlOption = None,
    target: TargetOption = None,
    write: Annotated[
        bool, typer.Option("--write", help="try it too: writes and deletes a Device; at a test server, or by agreement")
    ] = False,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show how a server will be written to: what its statement says, and with --write what it does."""
    from passerelle.delivery import look_at_targets

    found = look_at_targets(settings_of(workspace=workspace, fhir_url=url), target, _probe(write))
    rows = [{"target": name} | facts for name, facts in found.items()]
    show(found, json, lambda: table(rows, list(rows[0])))


def _probe(write: bool) -> Any:
    from fhir_adapters.delivery import probe_target

    def look(outbox: Any, server: Any, name: str, declared: Any) -> dict[str, Any]:
        facts: dict[str, Any] = probe_target(outbox, server, name, declared.options, write=write).as_json()
        return facts | {"types": ", ".join(facts["types"])}

    return look


def verify(
    workspace: WorkspaceOption = None,
    url: UrlOption = None,
    target: TargetOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Read back what was delivered: is it there, with its content, and withdrawn where it was recalled?"""
    from fhir_adapters.delivery.reconcile import verify as look

    _compared(workspace, url, target, json, lambda o, s, name, d: look(o, s, target=name, options=d.options))


def reconcile(
    workspace: WorkspaceOption = None,
    url: UrlOption = None,
    target: TargetOption = None,
    repair: Annotated[bool, typer.Option("--repair", help="put what is missing or changed back in the outbox")] = False,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Compare the ledger with each server, both ways: missing, changed, doubled, and what we do not know of."""
    from fhir_adapters.delivery.reconcile import reconcile as look
    from passerelle.delivery import declaration_of

    site = declaration_of(settings_of(workspace=workspace, fhir_url=url)).site

    def compare(outbox: Any, server: Any, name: str, declared: Any) -> Any:
        return look(outbox, server, site, target=name, options=declared.options, repair=repair)

    _compared(workspace, url, target, json, compare)


def _compared(workspace: Path | None, url: str | None, target: str | None, json: bool, look: Any) -> None:
    from passerelle.delivery import look_at_targets

    reports = look_at_targets(settings_of(workspace=workspace, fhir_url=url), target, look)
    found = {name: report.as_json() for name, report in reports.items()}
    rows = [{k: len(v) if isinstance(v, list) else v for k, v in told.items()} for told in found.values()]
    show(found, json, lambda: table(rows, FOUND))
    if not all(report.ok for report in reports.values()):
        raise typer.Exit(1)


def recall(
    model: Annotated[str, typer.Option("--model", help="name of the model")],
    version: Annotated[str, typer.Option("--version", help="its version")],
    reason: Annotated[str, typer.Option("--reason", help="French; clinicians read it in the place of the result")],
    workspace: WorkspaceOption = None,
    url: UrlOption = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Withdraw every result of a model version at every server, and prove it by reading them back.

    May be interrupted at any moment: the same command goes on. The version is refused from then on.
    """
    from passerelle import recall as recalls

    if len(reason.split()) < 3:
        raise UsageError("the reason is read by clinicians", looked="--reason", do="give a sentence, in French")
    settings = settings_of(workspace=workspace, fhir_url=url)
    if dry_run:
        planned = recalls.plan(settings, model, version, reason)
        show(
            planned, json, lambda: f"would withdraw {planned['new_retractions']} results, cancel {planned['cancelled']}"
        )
        return
    with progress() as report:
        result = recalls.recall(settings, model, version, reason, report)
    rows = [{k: len(v) if isinstance(v, list) else v for k, v in told.items()} for told in result["proof"].values()]
    show(result, json, lambda: table(rows, ["target", "withdrawn", "waiting", "dead", "still_shown", "ok"]))
    if not result["ok"]:
        raise typer.Exit(1)


def new_key(
    file: Annotated[Path, typer.Argument(help="PEM file to make; readable by its owner only")],
    algorithm: Annotated[str, typer.Option("--algorithm", help="ES384 or RS384")] = "ES384",
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Make a key for SMART Backend Services; its public half is what fhir jwks prints."""
    from fhir_adapters.delivery.smart import SigningKey

    if algorithm not in ("ES384", "RS384"):
        raise UsageError(f"no key of the algorithm {algorithm}", looked="--algorithm", do="give ES384 or RS384")
    if file.exists():
        raise UsageError(
            "the file is there already", looked=str(file), do="give another name; keys are not written over"
        )
    key = SigningKey.new(file, algorithm)  # type: ignore[arg-type]
    show(key.public, json, lambda: f"{file}: {algorithm}, kid {key.public['kid']}")


def jwks(
    files: Annotated[list[Path], typer.Argument(help="PEM files; while keys rotate, the former one too")],
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Print the public keys as a JSON Web Key Set, to be given to the authorization server."""
    from fhir_adapters.delivery.smart import SigningKey, key_set

    published = key_set([SigningKey.read(file) for file in files])
    show(published, json, lambda: jsonlib.dumps(published, indent=1))
