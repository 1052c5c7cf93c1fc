"""fhir build|validate|deliver|status|dead-letters: results on their way to the clinicians' screens."""

import json as jsonlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from passerelle.cli import fhir_targets
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
from passerelle.cli.fhir_targets import TargetOption, UrlOption
from passerelle.errors import UsageError

group = typer.Typer(
    name="fhir", no_args_is_help=True, help="Results as FHIR R4, and their delivery.", rich_markup_mode=None
)
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
        "passerelle fhir deliver --workspace W --target dpi    one of the servers of the fhir_file",
        "passerelle fhir deliver --workspace W --json",
    ))(deliver)  # fmt: skip
    group.command("status", epilog=examples("passerelle fhir status --workspace W"))(status)
    group.command("dead-letters", epilog=examples(
        "passerelle fhir dead-letters --workspace W                     what a person must look at",
        "passerelle fhir dead-letters --workspace W --requeue           send them again, once the cause is gone",
        "passerelle fhir dead-letters --workspace W --id 7 > 7.json     the resource of one, to be corrected",
        "passerelle fhir dead-letters --workspace W --id 7 --correct 7.json    send it as corrected",
    ))(dead_letters)  # fmt: skip
    fhir_targets.register(group)
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
    target: TargetOption = None,
    as_of: AsOfOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Deliver what the outbox holds; a resource is at each target once, whatever happens on the way."""
    from passerelle.delivery import deliver_outbox

    settings = settings_of(workspace=workspace, fhir_url=url)
    with progress() as report:
        result = deliver_outbox(settings, report, as_of.replace(tzinfo=UTC) if as_of else None, target)
    if not result["ok"]:
        # What waits may pass later; a dead letter waits for a person.
        result["transient"] = bool(result["stopped"] or result["remaining"])
    show(result, json, lambda: _summary(result))
    if not result["ok"]:
        raise typer.Exit(1)


def status(workspace: WorkspaceOption = None, json: JsonOption = False, verbose: VerboseOption = False) -> None:
    """Show the outbox: how many in each state, for each target, and the recalls."""
    facts = _outbox(workspace, lambda outbox: outbox.status())
    show(facts, json, lambda: _states(facts))


def _states(facts: dict[str, Any]) -> str:
    rows = [{"target": target} | (told.get("states") or {}) for target, told in facts["targets"].items()]
    states = [state for state, count in facts["states"].items() if count]
    recalls = [
        f"recalled: {one['model']} {one['version']}, proved: {one['proved_at'] or 'not yet'}"
        for one in facts["recalls"]
    ]
    return "\n".join([table(rows, ["target", *states]) if rows else "(empty)", *recalls])


def dead_letters(
    workspace: WorkspaceOption = None,
    requeue: Annotated[bool, typer.Option("--requeue", help="send them again as they are")] = False,
    id: Annotated[int | None, typer.Option("--id", help="only this one; alone: print its resource")] = None,
    correct: Annotated[
        Path | None,
        typer.Option("--correct", exists=True, dir_okay=False, help="the resource as corrected; needs --id"),
    ] = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show what could not be delivered and why; put it back as it is, or as a person corrected it."""
    from fhir_adapters.exact_json import dumps, indented, loads

    if correct is not None:
        if id is None:
            raise UsageError("which dead letter was corrected?", looked="--id", do="give --id with --correct")
        site = declared_site(workspace)
        _outbox(workspace, lambda outbox: outbox.correct(id, loads(correct.read_bytes()), site=site))
        show({"corrected": id}, json, lambda: f"{id} put back as corrected")
    elif requeue:
        count = _outbox(workspace, lambda outbox: outbox.requeue(None if id is None else [id]))
        show({"requeued": count}, json, lambda: f"{count} put back")
    elif id is not None:
        resource = _outbox(workspace, lambda outbox: outbox.dead_letter(id))
        typer.echo(dumps(resource) if json else indented(resource), nl=json)  # numbers as they are written in FHIR
    else:
        rows = _outbox(workspace, lambda outbox: outbox.dead_letters())
        show(rows, json, lambda: table(rows, ["id", "target", "reason", "created_at"]))


def declared_site(workspace: Path | None) -> Any:
    """The names of the hospital."""
    from passerelle.delivery import declaration_of

    return declaration_of(settings_of(workspace=workspace)).site


def _outbox(workspace: Any, use: Any) -> Any:
    from passerelle.delivery import outbox_of

    with outbox_of(settings_of(workspace=workspace)) as outbox:
        return use(outbox)


def _summary(result: dict[str, Any]) -> str:
    targets = result.get("targets") or {result["target"]: result}
    lines = [
        f"{told.get('acked', 0)} delivered to {told.get('software') or name} in {told.get('seconds', 0):.1f} s, "
        f"{told.get('remaining', 0)} waiting, {told.get('dead', 0)} dead"
        + (f"\n  stopped: {told['stopped']}" if told["stopped"] else "")
        for name, told in targets.items()
    ]
    return "\n".join(lines)
