"""source list|new|check."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from etl.findings import Severity
from passerelle.cli.common import (
    InputOption,
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
    name="source", no_args_is_help=True, help="Sources: those that are declared, and yours.", rich_markup_mode=None
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group.command("list", epilog=examples("passerelle source list"))(list_)
    group.command("new", epilog=examples(
        "passerelle source new our_hospital --from exports/                       a folder of CSV files, any delimiter",
        "passerelle source new our_hospital --from postgresql://reader@db/record --schema dpi    a database",
        "passerelle source new our_hospital --from exports/ --to etl/our_hospital",
    ))(new)  # fmt: skip
    group.command("check", epilog=examples(
        "passerelle source check mimic_iv                  the declaration and every mapping",
        "passerelle source check mimic_iv --input DIR      and a sample of the rows: types, keys, orphans, identifiers",
        "passerelle source check mimic_iv --input DIR --workspace W    and its codes, in the vocabulary of W",
        "passerelle source check ./our_hospital            a folder of your own",
    ))(check)  # fmt: skip
    app.add_typer(group)


def list_(json: JsonOption = False, verbose: VerboseOption = False) -> None:
    """List the sources that ship."""
    from etl.declaration import list_sources, load_source, source_folder

    sources = [load_source(source_folder(name)) for name in list_sources()]
    rows = [{"source": s.name, "kind": s.kind.value, "tables": len(s.tables), "label": s.label} for s in sources]
    show(rows, json, lambda: table(rows, ["source", "kind", "tables", "label"]))


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="name of the new source: a-z, 0-9 and _")],
    origin: Annotated[str, typer.Option("--from", help="folder of files, or postgresql:// URL; only read")],
    to: Annotated[Path | None, typer.Option("--to", help="folder to write (default: ./NAME)")] = None,
    schema: Annotated[
        str | None, typer.Option("--schema", help="database: the schema, where there are several")
    ] = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Look at a database or a folder, and write a first declaration with the open decisions marked."""
    from passerelle.source_new import new_source

    with progress() as report:
        result = new_source(name, origin, to or Path(name), schema, report)
    show(result, json, lambda: _written(result))


def _written(result: dict[str, Any]) -> str:
    lines = [
        f"{result['folder']}: {result['tables']} tables, {len(result['mapped'])} of them with a first mapping",
        *(f"  {source:<28} → {cdm}" for source, cdm in result["mapped"].items()),
        *(f"  {where:<28} not read: {why}" for where, why in result["unread"].items()),
        "",
        f"{len(result['decisions'])} decisions are yours; each stands on its line, after DECIDE:",
        table(result["decisions"], ["file", "line", "question"]),
        "",
        "correct or keep each line and remove its mark (scan.md says what was seen in tables); then:",
        f"  passerelle source check {result['source']} --input …",
    ]
    return "\n".join(lines)


def check(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="name of a source, or the path of its folder")],
    input: InputOption = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Find what is wrong with a source before any load; exit 1 while an error stands."""
    from omop.lake import Lake
    from passerelle.source_check import check_source

    lake = Lake(settings_of(workspace=workspace).workspace) if workspace else None
    with progress() as report:
        compiled, findings = check_source(source, input, lake, report)
    counts = {str(level): sum(f.severity is level for f in findings) for level in Severity}
    result = {
        "source": compiled.source.name if compiled else source,
        "mappings": len(compiled.mappings) if compiled else None,
        **{f"{level}s": n for level, n in counts.items()},
        "findings": [asdict(finding) for finding in findings],
    }

    def text() -> str:
        if not findings:
            return f"{result['source']}: {result['mappings']} mappings compile, nothing is wrong"
        said = ", ".join(f"{n} {level}{'s' if n != 1 else ''}" for level, n in counts.items())
        return (
            table([asdict(finding) for finding in findings], ["severity", "where", "what", "do"])
            + f"\n\n{result['source']}: {said}"
        )

    show(result, json, text)
    if counts[Severity.ERROR]:
        raise typer.Exit(1)
