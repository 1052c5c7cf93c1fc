"""Model results: what ``passerelle evaluate`` left beside the report, one JSON file a model."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from passerelle.report.facts import Confusion, Example, Metric, ModelFacts, Month, Problem, Subgroup
from passerelle.report.json_file import read_json
from passerelle.report.wording import FIGURES, words

Json = Mapping[str, Any]


def collect_models(folder: Path) -> list[ModelFacts]:
    """Every model that was evaluated on this workspace, by name."""
    return [_model(path) for path in sorted(folder.glob("*.json"))]


def _model(path: Path) -> ModelFacts:
    found = read_json(path)
    if not isinstance(found, dict):
        return ModelFacts(path.stem, "", "", "", unreadable=f"{path.name} is not readable JSON")
    try:
        return _facts(found, path.stem)
    except (AttributeError, KeyError, TypeError, IndexError) as error:  # written by another version
        return ModelFacts(path.stem, "", "", "", unreadable=f"{path.name} has another form ({type(error).__name__})")


def _facts(found: dict[str, Any], name: str) -> ModelFacts:
    evaluation = found.get("evaluation") or {}
    return ModelFacts(
        model=str(found.get("model") or name),
        version=str(found.get("model_version") or found.get("version") or ""),
        contract=str(found.get("view_contract") or found.get("contract") or ""),
        snapshot_id=str(found.get("snapshot_id") or ""),
        population=_population(found, evaluation),
        metrics=[*_scores(evaluation.get("scores") or {}), *_more(found), *_listed(found.get("metrics") or [])],
        gains=list(_gains(evaluation.get("gain_over") or {})),
        calibration=_calibration(evaluation.get("calibration") or {}),
        months=[_month(row) for row in found.get("months") or []],
        subgroups=[_subgroup(row) for row in evaluation.get("subgroups") or []],
        problems=[Problem(str(row["problem_code"]), row["n"], row["found"]) for row in found.get("by_problem") or []],
        confusion=_confusion((found.get("problem_classes") or {}).get("table") or {}),
        examples=[Example(**row) for row in found.get("examples") or []],
        alerts=found.get("alerts") or {},
        notes=[str(note) for note in _as_list(found.get("notes"))],
        plots=[(words(str(title)), str(svg)) for title, svg in (found.get("plots") or {}).items()],
    )


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []


def _population(found: Json, evaluation: Json) -> list[tuple[str, Any]]:
    """On what the figures rest."""
    rows = [(f"rows: {words(str(name))}", number) for name, number in (found.get("rows") or {}).items()]
    named = (("rows", "rows judged"), ("persons", "persons"), ("positives", "positives"), ("prevalence", "prevalence"))
    return rows + [(label, evaluation[name]) for name, label in named if evaluation.get(name) is not None]


def _scores(scores: Json) -> Iterator[Metric]:
    """Each figure for the model, then for its baselines (the first score is the model)."""
    model = next(iter(scores), None)
    for figure in ("auroc", "average_precision"):
        for name, score in scores.items():
            if isinstance(interval := score.get(figure), dict):
                yield _metric(FIGURES[figure], name, interval, name == model)
    budgets = [row["budget"] for row in (scores.get(model) or {}).get("at_budget", [])] if model else []
    for place, budget in enumerate(budgets):
        for figure, meaning in (
            ("precision", "share of alerts that are right"),
            ("recall", "share of positives found"),
        ):
            title = f"{figure.capitalize()} at {100 * budget:g} alert{'s' * (budget != 0.01)} per 100 rows ({meaning})"
            for name, score in scores.items():
                yield _metric(title, name, score["at_budget"][place][figure], name == model)


def _more(found: Json) -> Iterator[Metric]:
    """Of the patients to read first, and of the class of problem, where a model has them."""
    scores = (found.get("triage") or {}).get("scores") or {}
    for figure in ("auroc", "average_precision"):
        for place, (name, score) in enumerate(scores.items()):
            yield _metric(f"Patients to read first: {FIGURES[figure]}", name, score[figure], place == 0)
    for place, (name, interval) in enumerate(((found.get("problem_classes") or {}).get("macro_f1") or {}).items()):
        yield _metric("Class of problem: macro-F1", name, interval, place == 0)


def _confusion(table: Json) -> Confusion | None:
    if not table:
        return None
    classes = [str(name) for name in next(iter(table.values()))]
    return Confusion(classes, [(str(name), [int(row[one]) for one in classes]) for name, row in table.items()])


def _metric(figure: str, score: str, interval: Json, is_model: bool = True) -> Metric:
    return Metric(figure, score, interval.get("value"), interval.get("low"), interval.get("high"), is_model)


def _listed(metrics: list[Json]) -> Iterator[Metric]:
    """The plain form: one entry a figure, with its baseline as a number or as an interval."""
    for entry in metrics:
        name = str(entry.get("name", ""))
        figure = FIGURES.get(name, words(name))
        yield _metric(figure, "model", entry)
        baseline = entry.get("baseline")
        if baseline is not None:
            interval = baseline if isinstance(baseline, dict) else {"value": baseline}
            yield _metric(figure, str(entry.get("baseline_name") or "baseline"), interval, False)


def _gains(gains: Json) -> Iterator[Metric]:
    for baseline, figures in gains.items():
        for figure, interval in figures.items():
            yield _metric(FIGURES.get(figure, words(figure)), baseline, interval)


def _month(row: Json) -> Month:
    ratio = _metric("Positives over expected ones", "model", row["ratio"]) if row["ratio"] else None
    return Month(
        str(row["month"]), row["n"], row["positives"], row["expected"], row["alerts_per_100"], ratio, _auroc(row)
    )


def _subgroup(row: Json) -> Subgroup:
    return Subgroup(
        str(row["by"]), str(row["group"]), row["n"], row["positives"], row["prevalence"], row["mean_forecast"],
        _auroc(row),
    )  # fmt: skip


def _auroc(row: Json) -> Metric | None:
    return _metric(FIGURES["auroc"], "model", row["auroc"]) if row.get("auroc") else None


def _calibration(figures: Json) -> list[tuple[str, float]]:
    return [(FIGURES[name], figures[name]) for name in FIGURES if isinstance(figures.get(name), int | float)]
