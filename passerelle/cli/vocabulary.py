"""vocabulary load|diff|status."""

from pathlib import Path
from typing import Annotated, Any

import typer

from passerelle.cli.common import (
    EngineOption,
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
    name="vocabulary",
    no_args_is_help=True,
    help="The vocabulary of a workspace: an input with a release.",
    rich_markup_mode=None,
)
ReleaseArgument = Annotated[
    Path, typer.Argument(metavar="DIR", exists=True, file_okay=False, help="folder of the release")
]
SHOWN = 30


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group.command("load", epilog=examples(
        "passerelle vocabulary load athena/ --workspace W          Athena CSV or Parquet, any subset",
        "passerelle vocabulary load athena-2026/ --workspace W --yes    over another release, after vocabulary diff",
    ))(load)  # fmt: skip
    group.command("diff", epilog=examples(
        "passerelle vocabulary diff athena-2026/ --workspace W    what would change, and for how many rows",
        "passerelle vocabulary diff athena-2026/ --workspace W --json | jq .in_use",
    ))(diff)  # fmt: skip
    group.command("status", epilog=examples(
        "passerelle vocabulary status --workspace W           release, vocabularies, domains, what is missing",
        "passerelle vocabulary status --workspace W --json    every vocabulary",
    ))(status)  # fmt: skip
    app.add_typer(group)


def load(
    folder: ReleaseArgument,
    workspace: WorkspaceOption = None,
    engine: EngineOption = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="replace another release; without it, see what would change")
    ] = False,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Load a release into a workspace; over another release only with --yes."""
    from passerelle.vocabulary import load_release

    with progress() as report, _opened(workspace, engine) as (lake, opened):
        loaded = load_release(opened, lake, folder, accepted=yes, progress=report)
    result = {"release": loaded.release, "rows": loaded.rows, "workspace": str(lake.workspace)}
    show(result, json, lambda: f"vocabulary {loaded.release} loaded: {loaded.rows['concept']} concepts")


def diff(
    folder: ReleaseArgument,
    workspace: WorkspaceOption = None,
    engine: EngineOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show what another release would change, and how many rows of this workspace rest on it; nothing is written."""
    from passerelle.vocabulary import difference
    from spark_jobs.compare_vocabulary import lines_of

    with progress() as report, _opened(workspace, engine) as (lake, opened):
        found = difference(opened, lake, folder, report)
    columns = ["rows", "kind", "vocabulary", "code", "name", "before", "after"]

    def text() -> str:
        head = [f"loaded  {found['loaded']}", f"other   {found['other']}", "", *lines_of(found)]
        if found["changes"]:
            head += ["", "codes in use here:", table(found["changes"][:SHOWN], columns)]
        if (left := len(found["changes"]) - SHOWN) > 0:
            head.append(f"… and {left} more (--json gives all)")
        return "\n".join(head)

    show(found, json, text)


def status(workspace: WorkspaceOption = None, json: JsonOption = False, verbose: VerboseOption = False) -> None:
    """Show the release of a workspace, what it holds and what it lacks."""
    from passerelle.vocabulary import status as read_status
    from passerelle.workspace import Workspace

    facts = read_status(Workspace(settings_of(workspace=workspace).workspace).lake)

    def text() -> str:
        many = len(facts["vocabularies"]) - SHOWN
        missing = [t for t in facts["type_concepts"] if t["state"] != "standard"]
        return "\n".join(
            [
                f"release {facts['release']}",
                "",
                table(facts["vocabularies"][:SHOWN], ["vocabulary", "concepts", "standard", "invalid", "local"]),
                *([f"… and {many} more (--json gives all)"] if many > 0 else []),
                "",
                "standard concepts by domain: " + ", ".join(f"{d} {n}" for d, n in facts["domains"].items()),
                "",
                *(f"{n:>12}  {what}" for what, n in facts["holes"].items()),
                "",
                "type concepts that we write: "
                + ("all standard here" if not missing else f"{len(missing)} not standard here"),
                *(f"  {t['concept_id']}  {t['name']}: {t['state']}" for t in missing),
            ]
        )

    show(facts, json, text)


def _opened(workspace: Any, engine: Any) -> Any:
    """The lake of a workspace that nobody else holds, and an engine."""
    from contextlib import contextmanager

    from passerelle.workspace import Workspace
    from spark_jobs.engine import open_engine

    settings = settings_of(workspace=workspace, engine=engine)
    target = Workspace(settings.workspace)
    target.refuse_unwritable(settings.engine)

    @contextmanager
    def both() -> Any:
        with target.locked(), open_engine(settings.engine, jars=settings.jars) as opened:
            yield target.lake, opened

    return both()
