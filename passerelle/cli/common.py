"""What every command shares: its options, how it shows its result, how it reports progress."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from passerelle.settings import Settings, load_settings, unknown_variables

WorkspaceOption = Annotated[
    Path | None, typer.Option("--workspace", "-w", help="folder of lake, identity, outbox and report")
]
EngineOption = Annotated[str | None, typer.Option("--engine", help="embedded, sc://host:15002, local[2] or spark://…")]
JsonOption = Annotated[bool, typer.Option("--json", help="print one JSON object on stdout")]
VerboseOption = Annotated[bool, typer.Option("--verbose", help="show where an unexpected error happened")]
InputOption = Annotated[
    str | None, typer.Option("--input", "-i", help="folder (files) or postgresql:// URL (database)")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="print the plan; write nothing")]


def examples(*lines: str) -> str:
    """The end of a help page: what a person would type."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def settings_of(**flags: Any) -> Settings:
    """Settings of a command; a misspelt variable is mentioned, because pydantic is blind to it."""
    settings = load_settings(**flags)
    for name in unknown_variables():
        say(f"warning: {name} is not a setting of passerelle (see: passerelle settings)")
    return settings


def say(text: str) -> None:
    """Talk to the person: stderr."""
    sys.stderr.write(text + "\n")


def show(result: Any, as_json: bool, text: Callable[[], str]) -> None:
    """Give the result: stdout, as one JSON object or as text."""
    sys.stdout.write(json.dumps(result, indent=None, sort_keys=False, default=str) + "\n" if as_json else text() + "\n")


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """A spinner at a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        yield lambda text: say(f"  {text}")
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:
        yield status.update


def table(rows: list[dict[str, Any]], columns: list[str]) -> str:
    """Rows as aligned text; numbers to the right."""
    if not rows:
        return "(none)"
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(column), *(len(row[i]) for row in cells)) for i, column in enumerate(columns)]
    numeric = [all(isinstance(row.get(column), int | float | None) for row in rows) for column in columns]

    def line(values: list[str]) -> str:
        return "  ".join(
            value.rjust(width) if right else value.ljust(width)
            for value, width, right in zip(values, widths, numeric, strict=True)
        ).rstrip()

    return "\n".join([line(columns), line(["-" * width for width in widths]), *map(line, cells)])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}".replace(",", " ")
    # A code of the source may hold what would command a terminal, or turn its line round.
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in str(value))
