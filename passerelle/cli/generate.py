"""generate: a fictitious hospital, and its next days."""

from pathlib import Path
from typing import Annotated

import typer

from passerelle.cli.common import JsonOption, VerboseOption, examples, show
from passerelle.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("generate", epilog=examples(
        "passerelle generate chu_second --out DIR                       600 patients, the files of the first night",
        "passerelle generate chu_second --out DIR --day 1               the same hospital, the files of the next night",
        "passerelle generate chu_demo --out postgresql://… --day 1      the other one lives in a database",
    ))(generate)  # fmt: skip


def generate(
    hospital: Annotated[str, typer.Argument(metavar="HOSPITAL", help="chu_demo or chu_second")],
    out: Annotated[str, typer.Option("--out", help="folder (chu_second) or postgresql:// URL (chu_demo); replaced")],
    patients: Annotated[
        int, typer.Option("--patients", min=1, help="how many; the same ones whatever the number")
    ] = 600,
    seed: Annotated[int | None, typer.Option("--seed", help="another seed, another hospital")] = None,
    day: Annotated[
        int, typer.Option("--day", min=0, max=9, help="0: the first delivery; 1: that of the next day…")
    ] = 0,
    share: Annotated[float, typer.Option("--share", min=0, max=1, help="patients that each later day touches")] = 0.01,
    truth: Annotated[
        Path | None, typer.Option("--truth", file_okay=False, help="a folder for the errors put in on purpose (files)")
    ] = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Generate a fictitious hospital, or what it delivers on a later day."""
    from etl.demo import chu_demo, chu_second

    if hospital == chu_second.HOSPITAL:
        number = chu_second.SEED if seed is None else seed
        rows = chu_second.generate(Path(out), patients, number, day, share, truth)
    elif hospital == chu_demo.HOSPITAL:
        rows = chu_demo.generate(out, patients, chu_demo.SEED if seed is None else seed, day, share)
    else:
        raise UsageError(f"there is no generated hospital named {hospital}", do="choose chu_demo or chu_second")
    result = {"hospital": hospital, "out": out, "patients": patients, "day": day, "rows": rows}
    total = f"{sum(rows.values()):,}".replace(",", " ")
    show(
        result,
        json,
        lambda: (
            f"{hospital}, day {day}: {total} rows in {len(rows)} tables\n"
            f"next: passerelle run {hospital} --input {out} --workspace W"
        ),
    )
