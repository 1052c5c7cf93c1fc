"""fhir build|validate|deliver|status|dead-letters: results on their way to the clinicians' screens."""

import json as jsonlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from passerelle.cli.common import (
    JsonOption,
    VerboseOption,
    WorkspaceOption,
    examples,
    progress,
    settings_of,
    show,
    table,
)

group = typer.Typer(
    name="fhir", no_args_is_help=True, help="Results as FHIR R4, and their delivery.", rich_markup_mode=None
)
UrlOption = Annotated[
    str | None, typer.Option("--url", help="base URL of the FHIR server (default: the setting fhir_url)")
]

AsOfOption = Annotated[
    datetime | None, typer.Option("--as-of", help="send what held at this UTC time (default: now); for old data")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group.command(
        "build",
        epilog=examples("passerelle fhir build --workspace W --output DIR    what would be sent, without identity"),
    )(build)
    group.command("validate", epilog=examples("passerelle fhir validate file.json other.json"))(validate)
    group.command("deliver", epilog=examples(
        "passerelle fhir deliver --workspace W --url http://127.0.0.1:8080/fhir",
        "passerelle fhir deliver --workspace W --json",
    ))(deliver)  # fmt: skip
    group.command("status", epilog=examples("passerelle fhir status --workspace W"))(status)
    group.command("dead-letters", epilog=examples(
        "passerelle fhir dead-letters --workspace W             what a person must look at",
        "passerelle fhir dead-letters --workspace W --requeue   send them again, once the cause is gone",
    ))(dead_letters)  # fmt: skip
    app.add_typer(group)


def build(
    output: Annotated[Path, typer.Option("--output", "-o", help="folder for the JSON files")],
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Write what the outbox holds as JSON files, with placeholders where the patient will stand."""
    from passerelle.delivery import write_resources

    written = write_resources(settings_of(workspace=workspace), output)
    show({"written": written, "folder": str(output)}, json, lambda: f"{written} resources in {output}")


def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", exists=True, dir_okay=False)],
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Check FHIR files against our R4 rules and the R4B classes."""
    from fhir_adapters.r4b import structure_problems
    from fhir_adapters.rules import check

    rows = [
        {"file": str(path), "problem": str(problem)}
        for path in files
        for resource in [jsonlib.loads(path.read_text())]
        for problem in [*check(resource), *structure_problems(resource)]
    ]
    show(rows, json, lambda: table(rows, ["file", "problem"]) if rows else f"{len(files)} file(s) are valid R4")
    if rows:
        raise typer.Exit(1)


def deliver(
    workspace: WorkspaceOption = None,
    url: UrlOption = None,
    as_of: AsOfOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Deliver what the outbox holds; a resource is at the target once, whatever happens on the way."""
    from passerelle.delivery import deliver_outbox

    settings = settings_of(workspace=workspace, fhir_url=url)
    with progress() as report:
        result = deliver_outbox(settings, report, as_of.replace(tzinfo=UTC) if as_of else None)
    if not result["ok"]:
        # What waits may pass later; a dead letter waits for a person.
        result["transient"] = bool(result["stopped"] or result["remaining"])
    show(result, json, lambda: _summary(result))
    if not result["ok"]:
        raise typer.Exit(1)


def status(workspace: WorkspaceOption = None, json: JsonOption = False, verbose: VerboseOption = False) -> None:
    """Show the outbox: how many in each state, for each target."""
    facts = _outbox(workspace, lambda outbox: outbox.status())
    show(facts, json, lambda: "\n".join(f"{state:<12}{n:>8}" for state, n in facts["states"].items() if n) or "(empty)")


def dead_letters(
    workspace: WorkspaceOption = None,
    requeue: Annotated[bool, typer.Option("--requeue", help="send them again")] = False,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show what could not be delivered and why; with --requeue, put it back."""
    rows = _outbox(workspace, lambda outbox: outbox.dead_letters())
    if requeue:
        count = _outbox(workspace, lambda outbox: outbox.requeue())
        show({"requeued": count}, json, lambda: f"{count} put back")
        return
    show(rows, json, lambda: table(rows, ["id", "target", "reason", "created_at"]))


def _outbox(workspace: Any, use: Any) -> Any:
    from passerelle.delivery import outbox_of

    with outbox_of(settings_of(workspace=workspace)) as outbox:
        return use(outbox)


def _summary(result: dict[str, Any]) -> str:
    return (
        f"{result['acked']} delivered to {result['software'] or result['target']} in {result['seconds']:.1f} s, "
        f"{result['remaining']} waiting, {result['dead']} dead"
        + (f"\nstopped: {result['stopped']}" if result["stopped"] else "")
    )
