"""The commands, grouped as a person looks for them."""

from typing import Annotated

import typer

from passerelle import __version__
from passerelle.cli import (
    cds_hooks,
    demo,
    fhir,
    generate,
    inspect,
    keys,
    models,
    serve,
    sources,
    steps,
    study,
    views,
    vocabulary,
)

app = typer.Typer(
    name="passerelle",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Hospital records to OMOP, clinical models on standard views, results back as FHIR.",
    epilog="Start with: passerelle demo   ·   then: passerelle run mimic_iv --input DIR --workspace W",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"passerelle {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="show the version and exit")
    ] = False,
) -> None:
    pass


steps.register(app)
inspect.register(app)
sources.register(app)
vocabulary.register(app)
views.register(app)
keys.register(app)
models.register(app)
study.register(app)
fhir.register(app)
cds_hooks.register(app)
serve.register(app)
generate.register(app)
demo.register(app)
