"""The commands, grouped as a person looks for them."""

import typer

from passerelle.cli import demo, inspect, models, results, sources, steps, vocabulary

app = typer.Typer(
    name="passerelle",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Hospital records to OMOP, clinical models on standard views, results back as FHIR.",
    epilog="Start with: passerelle demo   ·   then: passerelle run mimic_iv --input DIR --workspace W",
)
steps.register(app)
inspect.register(app)
sources.register(app)
vocabulary.register(app)
models.register(app)
results.register(app)
demo.register(app)
