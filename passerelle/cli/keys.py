"""keys rotate."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from passerelle.cli.common import JsonOption, VerboseOption, WorkspaceOption, examples, settings_of, show

group = typer.Typer(
    name="keys", no_args_is_help=True, help="The secrets that a workspace was made with.", rich_markup_mode=None
)


class Secret(StrEnum):
    """Secrets that somebody may ask to rotate."""

    CROSSWALK = "crosswalk"
    IDENTITY = "identity"
    STAYS = "stays"
    REST = "rest"


@group.callback()
def _group() -> None:
    pass


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group.command("rotate", epilog=examples(
        "passerelle keys rotate --workspace W    a new key for the crosswalk; the former file is kept beside the keys",
    ))(rotate)  # fmt: skip
    app.add_typer(group)


def rotate(
    workspace: WorkspaceOption = None,
    only: Annotated[
        Secret, typer.Option("--only", help="which secret; all but that of the crosswalk are refused, with what to do")
    ] = Secret.CROSSWALK,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Close the crosswalk with a new key. Killed at any moment, the old or the new one opens it; run it again."""
    from passerelle import keys

    done = keys.rotate(settings_of(workspace=workspace), only)
    show(done, json, lambda: _told(done))


def _told(done: dict[str, Any]) -> str:
    rows = sum(done["rows"].values())
    kept = f"; the former keys are in {done['former']}: keep them with your backups" if done["former"] else ""
    return f"{rows} rows of {len(done['rows'])} crosswalk(s) closed with a new key{kept}"
