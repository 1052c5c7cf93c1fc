"""train, adapt, evaluate, predict, card: clinical models on the views, and on nothing else."""

from pathlib import Path
from typing import Annotated

import typer

from passerelle.cli.common import JsonOption, VerboseOption, WorkspaceOption, examples, progress, settings_of, show

ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="name of a model, e.g. prescription_review")]
OnOption = Annotated[
    str | None, typer.Option("--on", help="postgresql:// URL that has the views, instead of the workspace")
]
SeedOption = Annotated[int, typer.Option("--seed", help="seed of everything random")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("train", epilog=examples(
        "passerelle train prescription_review --workspace W",
        "passerelle train prescription_review --workspace W --on postgresql://…    on the published views",
    ))(train)  # fmt: skip
    app.command("adapt", epilog=examples(
        "passerelle adapt prescription_review --workspace W --from review.study.zip",
        "passerelle adapt prescription_review --workspace W    again, on what is usual by now",
    ))(adapt)  # fmt: skip
    app.command("evaluate", epilog=examples("passerelle evaluate prescription_review --workspace W"))(evaluate)
    app.command("predict", epilog=examples(
        "passerelle predict prescription_review --workspace W    predictions, and what is to be sent of them",
    ))(predict)  # fmt: skip
    app.command("card", epilog=examples("passerelle card prescription_review --workspace W"))(card)


def train(
    model: ModelArgument,
    workspace: WorkspaceOption = None,
    on: OnOption = None,
    seed: SeedOption = 0,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Train MODEL on the views; the run goes to MLflow with the contract and the snapshot."""
    from passerelle import predictions

    settings = settings_of(workspace=workspace)
    with progress() as report:
        report(f"training {model}")
        step = predictions.step(model, "train")
        store = predictions.open_store(settings, on)
        site = predictions.own_knowledge(settings, model)
        result = step.train(store, tracking_uri=predictions.tracking_uri(settings), seed=seed, site=site)
    facts = result.as_json()
    show(facts, json, lambda: str(result))


def adapt(
    model: ModelArgument,
    workspace: WorkspaceOption = None,
    on: OnOption = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--from", exists=True, dir_okay=False, help="study packed at its hospital; default: the newest version here"
        ),
    ] = None,
    seed: SeedOption = 0,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Make MODEL, trained at another hospital, ready for this one.

    It learns what is usual here, what pharmacists object to, and which threshold keeps the alert budget; the result is
    registered as a new version, which predicts from then on.
    """
    from passerelle import predictions, study

    settings = settings_of(workspace=workspace)
    with progress() as report:
        report(f"adapting {model}")
        store = predictions.open_store(settings, on)
        uri, site = predictions.tracking_uri(settings), predictions.own_knowledge(settings, model)
        if file is None:
            result = predictions.step(model, "adapt").adapt(store, tracking_uri=uri, seed=seed, site=site)
        else:
            result = study.adapt(file, model, store, uri, seed, site)
    show(result.as_json(), json, lambda: str(result))


def evaluate(
    model: ModelArgument,
    workspace: WorkspaceOption = None,
    on: OnOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Evaluate the newest version of MODEL, with its baseline and intervals; the report shows the result."""
    from passerelle import predictions
    from passerelle.workspace import Workspace

    settings = settings_of(workspace=workspace)
    with progress() as report:
        report(f"evaluating {model}")
        step = predictions.step(model, "evaluate")
        store = predictions.open_store(settings, on)
        site = predictions.own_knowledge(settings, model)
        result = step.evaluate(store, tracking_uri=predictions.tracking_uri(settings), site=site)
    facts = result.as_json()
    predictions.save_results(Workspace(settings.workspace), model, facts)
    show(facts, json, lambda: str(result))


def predict(
    model: ModelArgument,
    workspace: WorkspaceOption = None,
    on: OnOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Predict with MODEL; predictions and their FHIR resources enter the outbox in one transaction."""
    from passerelle import predictions
    from passerelle.workspace import Workspace

    settings = settings_of(workspace=workspace)
    with progress() as report, Workspace(settings.workspace).locked():
        report(f"predicting with {model}")
        step = predictions.step(model, "predict")
        store = predictions.open_store(settings, on)
        site = predictions.own_knowledge(settings, model)
        found = step.predict(store, tracking_uri=predictions.tracking_uri(settings), site=site)
        result = predictions.keep(settings, found, model)
    show(result, json, lambda: f"{result['predictions']} predictions: {result['new']} new, {result['changed']} changed")


def card(
    model: ModelArgument, workspace: WorkspaceOption = None, json: JsonOption = False, verbose: VerboseOption = False
) -> None:
    """Print the card of MODEL: question, data, method, results, limits."""
    from passerelle import predictions

    predictions.step(model, "train")
    text = (predictions.MODELS / model / "README.md").read_text()
    show({"model": model, "card": text}, json, lambda: text)
