"""views install|check|compare."""

from pathlib import Path
from typing import Annotated, Any

import typer

from passerelle.cli.common import JsonOption, VerboseOption, examples, progress, show, table

group = typer.Typer(
    name="views",
    no_args_is_help=True,
    help="The views that models read: one contract on every engine.",
    rich_markup_mode=None,
)
PLACES = "postgresql:// URL, file.duckdb, or a workspace"
PlaceArgument = Annotated[str, typer.Argument(help=f"{PLACES}, or sc://host:15002/;workspace=DIR", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group.command("install", epilog=examples(
        "passerelle views install --on postgresql://…                over the OMOP tables of a database, 5.3 or 5.4",
        "passerelle views install --on postgresql://… --schema cdm   where several schemas hold OMOP tables",
        "passerelle views install --on omop.duckdb                   over the tables of a DuckDB file",
        "passerelle views install --on DIR --out views.duckdb        person.parquet or person.csv, … in a folder",
    ))(install)  # fmt: skip
    group.command("check", epilog=examples(
        "passerelle views check --on postgresql://…    schema, contract, keys, missing values, units",
        "passerelle views check --on W --json",
    ))(check)  # fmt: skip
    group.command("compare", epilog=examples(
        "passerelle views compare W postgresql://…     the same rows? floats within 1e-9, times by instant",
        "passerelle views compare W views.duckdb",
    ))(compare)  # fmt: skip
    app.add_typer(group)


def install(
    on: Annotated[str, typer.Option("--on", help="postgresql:// URL, file.duckdb, or a folder of OMOP tables")],
    schema: Annotated[str | None, typer.Option("--schema", help="PostgreSQL schema of the CDM tables")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="folder of tables: file.duckdb to write; default in the folder")
    ] = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Install the views over OMOP tables.

    CDM 5.3 or 5.4, any subset of tables: what is missing makes a view empty.
    """
    from passerelle import views

    with progress() as report:
        report("installing the views")
        rows = views.install(on, schema, out)
    show(rows, json, lambda: table([{"view": name, "rows": n} for name, n in rows.items()], ["view", "rows"]))


def check(
    on: Annotated[str, typer.Option("--on", help=PLACES)], json: JsonOption = False, verbose: VerboseOption = False
) -> None:
    """Check the views against the contract.

    Exit code 1 where one is absent or not as declared.
    """
    from omop.views.check import FAILING
    from passerelle import views

    found = views.check(on)
    show(found, json, lambda: _checked(found))
    if any(row["status"] in FAILING for row in found):
        raise typer.Exit(1)


def _checked(found: list[dict[str, Any]]) -> str:
    rows = [{**row, "found": "; ".join(row["findings"])} for row in found]
    return table(rows, ["view", "rows", "status", "found"])


def compare(a: PlaceArgument, b: PlaceArgument, json: JsonOption = False, verbose: VerboseOption = False) -> None:
    """Compare the views of two places.

    Row by row, floats within 1e-9, times by instant; exit code 1 where they differ.
    """
    from passerelle import views

    with progress() as report:
        report("comparing")
        found = views.compare(a, b)
    show(found, json, lambda: table(_compared(found), ["view", "rows A", "rows B", "only A", "only B", "equal"]))
    if not all(row["equal"] for row in found):
        raise typer.Exit(1)


def _compared(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "view": row["view"],
            "rows A": row["rows_a"],
            "rows B": row["rows_b"],
            "only A": row["only_a"],
            "only B": row["only_b"],
            "equal": "yes" if row["equal"] else "NO",
        }
        for row in found
    ]
