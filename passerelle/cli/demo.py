"""demo: the whole way, on a generated hospital."""

from pathlib import Path
from typing import Annotated

import typer

from passerelle.cli.common import JsonOption, VerboseOption, examples, say, show


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo", epilog=examples(
        "passerelle demo                                 600 generated patients, in ./workspace/demo",
        "passerelle demo --quick                         250 patients",
        "passerelle demo --patients 5000 --workspace W",
    ))(demo)  # fmt: skip


def demo(
    workspace: Annotated[Path, typer.Option("--workspace", "-w", help="folder of the demo")] = Path("workspace/demo"),
    patients: Annotated[
        int | None, typer.Option("--patients", min=200, help="how many patients; fewer teach a model nothing")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="few patients: a first look")] = False,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show the whole way: a generated hospital in a real PostgreSQL, OMOP, a model, FHIR delivered, one report."""
    from passerelle.demo import run_demo

    result = run_demo(workspace, patients or (250 if quick else 600), say)
    show(result, json, lambda: f"open {result['report']}")
