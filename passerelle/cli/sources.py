"""source list|check."""

from typing import Annotated

import typer

from passerelle.cli.common import InputOption, JsonOption, VerboseOption, examples, settings_of, show, table

group = typer.Typer(name="source", no_args_is_help=True, help="The sources that are declared.", rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group.command("list", epilog=examples("passerelle source list"))(list_)
    group.command("check", epilog=examples(
        "passerelle source check mimic_iv                  the declaration and every mapping",
        "passerelle source check mimic_iv --input DIR      and that the files are there with the declared columns",
        "passerelle source check ./our_hospital            a folder of your own",
    ))(check)  # fmt: skip
    app.add_typer(group)


def list_(json: JsonOption = False, verbose: VerboseOption = False) -> None:
    """List the sources that ship."""
    from etl.declaration import list_sources, load_source, source_folder

    sources = [load_source(source_folder(name)) for name in list_sources()]
    rows = [{"source": s.name, "kind": s.kind.value, "tables": len(s.tables), "label": s.label} for s in sources]
    show(rows, json, lambda: table(rows, ["source", "kind", "tables", "label"]))


def check(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="name of a source, or the path of its folder")],
    input: InputOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Find what is wrong with a source before any load."""
    from passerelle.plan import plan_of
    from passerelle.source_check import check_input

    plan = plan_of(settings_of(), source, input)
    problems = check_input(plan.compiled, input) if input else []
    result = {"source": plan.compiled.source.name, "mappings": len(plan.compiled.mappings), "problems": problems}
    show(
        result,
        json,
        lambda: "\n".join(problems) or f"{result['source']}: {result['mappings']} mappings compile, nothing is wrong",
    )
    if problems:
        raise typer.Exit(1)
