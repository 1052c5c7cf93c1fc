"""vocabulary load|status."""

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
)

group = typer.Typer(
    name="vocabulary",
    no_args_is_help=True,
    help="The vocabulary of a workspace: an input with a release.",
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group.command("load", epilog=examples(
        "passerelle vocabulary load athena/ --workspace W    Athena CSV or Parquet, any subset",
    ))(load)  # fmt: skip
    group.command("status", epilog=examples("passerelle vocabulary status --workspace W"))(status)
    app.add_typer(group)


def load(
    folder: Annotated[Path, typer.Argument(metavar="DIR", exists=True, file_okay=False, help="folder of the release")],
    workspace: WorkspaceOption = None,
    engine: EngineOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Replace the vocabulary of a workspace by a release."""
    from passerelle import pipeline
    from passerelle.workspace import Workspace
    from spark_jobs.engine import open_engine

    settings = settings_of(workspace=workspace, engine=engine)
    target = Workspace(settings.workspace)
    target.refuse_unwritable(settings.engine)
    with progress() as report, target.locked(), open_engine(settings.engine, jars=settings.jars) as opened:
        report(f"loading {folder}")
        release = pipeline.load_into(opened, target.lake, folder)
    show({"release": release, "workspace": str(settings.workspace)}, json, lambda: f"vocabulary {release} loaded")


def status(workspace: WorkspaceOption = None, json: JsonOption = False, verbose: VerboseOption = False) -> None:
    """Show the release of a workspace and its rows."""
    from passerelle import runs
    from passerelle.workspace import Workspace

    lake = Workspace(settings_of(workspace=workspace).workspace).lake
    loaded = runs.last_with(lake, "vocabulary", "loaded")
    facts: dict[str, Any] = loaded.events["loaded"] if loaded else {"release": "none", "rows": {}}
    show(
        facts,
        json,
        lambda: "\n".join([f"release {facts['release']}", *(f"  {n:<24}{r:>10}" for n, r in facts["rows"].items())]),
    )
