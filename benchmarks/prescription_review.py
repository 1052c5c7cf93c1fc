"""The goals of ``prescription_review`` on the generated hospitals: trained at one, moved to the other by the views.

Every figure is on synthetic patients: a check that the machinery works, never a claim about real ones.
"""

import json
import os
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.goals import Goal, goal_of
from benchmarks.prescription_truth import keep_truth, truth_of
from etl.demo import chu_demo, chu_second
from etl.demo.server import demo_server
from passerelle import pipeline, study
from passerelle.predictions import open_store, tracking_uri
from passerelle.settings import Settings, load_settings

if TYPE_CHECKING:
    from models.evaluation import Sample
    from models.prescription_review.report import Report
    from omop.views.store import ViewStore

# At home as many reviewed orders to learn from as Corny had (JAMIA 2020;27:1688: 133,179).
PATIENTS = int(os.environ.get("BENCHMARK_PATIENTS", "48000"))
AT_SECOND = int(os.environ.get("BENCHMARK_PATIENTS_SECOND", "16000"))
# Not 0: other hospitals than those that were looked at while the model was made.
SEED = int(os.environ.get("BENCHMARK_SEED", "0"))
WHERE = {"home": "temporal split", "away": "other hospital", "adapted": "other hospital, adapted"}
SECRETS = ("identity", "stays", "rest", "crosswalk", "notes")
TRAIN_SECONDS, ORDERS_PER_SECOND = 300, 2_000


@dataclass(frozen=True)
class Hospitals:
    """The trained model's reports: at home on its test part; at the hospital that it has never seen, told what is usual
    there; on the test part of that hospital, once it was adapted by its reviews too."""

    home: "Report"
    away: "Report"
    adapted: "Report"
    lost: Mapping[str, Any]  # against a model trained at the other hospital (`lost_by_moving`)
    seconds: float  # of training
    orders_per_second: float

    @property
    def reports(self) -> Mapping[str, "Report"]:
        """By where the model is, in words."""
        return {words: getattr(self, name) for name, words in WHERE.items()}


def measure(folder: Path) -> Iterator[Goal]:
    """Generate both hospitals, bring them to the views, train, move, judge."""
    found = hospitals(folder)
    yield from patient_goals(found)
    yield from order_goals(found)
    yield from trust_goals(found)


def hospitals(folder: Path) -> Hospitals:
    """Both hospitals through the whole pipeline, and the model through both."""
    from models.prescription_review.evaluate import evaluate
    from models.prescription_review.train import train

    home, away = settings_of(folder, "home"), settings_of(folder, "away")
    with tempfile.TemporaryDirectory(dir="/tmp") as data, demo_server(Path(data) / "pg") as dsn:
        chu_demo.generate(dsn, PATIENTS, chu_demo.SEED + SEED)
        keep_truth(dsn, truth_of(folder, "home"))
        _to_views(home, "chu_demo", dsn)
    chu_second.generate(folder / "dump", AT_SECOND, chu_second.SEED + SEED, truth=truth_of(folder, "away"))
    _to_views(away, "chu_second", str(folder / "dump"))
    started = time.perf_counter()
    with opened(home) as store:
        report = train(store, tracking_uri=tracking_uri(home))
    seconds = time.perf_counter() - started
    with opened(away) as store:
        moved = evaluate(store, tracking_uri=tracking_uri(home), rows="all")
        lost = lost_by_moving(store, tracking_uri(home))
        study.pack(home, report.model, folder / "study.zip")
        adapted = study.adapt(folder / "study.zip", report.model, store, tracking_uri(away), seed=0)
    return Hospitals(report, moved, adapted, lost, seconds, _orders_per_second(home))


def settings_of(folder: Path, hospital: str) -> Settings:
    """The workspace of one of the two.

    Its patients are generated, so its secrets may be known: with the same numbers of persons in every run the folds,
    and the figures, are the same.
    """
    keys = folder / f"{hospital}.json"
    if not keys.exists():
        known = {name: sha256(f"{hospital} {name}".encode()).digest() for name in SECRETS}
        folder.mkdir(parents=True, exist_ok=True)
        keys.write_text(json.dumps({name: b64encode(secret).decode() for name, secret in known.items()}))
        keys.chmod(0o600)
    return load_settings(workspace=folder / hospital, keys_file=keys)


def _to_views(settings: Settings, source: str, where: str) -> None:
    with pipeline.open_job(settings, source) as job:
        pipeline.extract(job, where)
        pipeline.map_tables(job)
        pipeline.check(job)
        pipeline.publish(job)


def lost_by_moving(store: "ViewStore", tracking_uri: str) -> dict[str, dict[str, dict[str, Any]]]:
    """What a model trained at this hospital does better on its test part than the one that comes from elsewhere.

    Returns: ``orders`` and ``patients`` → figure → the difference with its interval, by patient, and the two values.
    """
    from models.prescription_review.artefact import Artefact
    from models.prescription_review.config import load_config
    from models.prescription_review.knowledge import load_knowledge
    from models.prescription_review.scoring import scores_of
    from models.prescription_review.train import fit
    from models.registry import Registry

    config = load_config()
    there = fit(store, config, load_knowledge(), 0)
    came = Artefact.read(Registry(tracking_uri).load(config.model).folder)
    came = came.with_usage_of(there.cases.only(there.part == "train"))
    label = there.labels["label"].to_numpy(float)
    rows = (there.part == "test") & ~np.isnan(label)
    theirs, ours = (scores_of(artefact, there.cases.only(rows), label[rows]) for artefact in (there.artefact, came))
    return {unit: _difference(theirs[unit], ours[unit], config.bootstrap) for unit in theirs}


def _difference(theirs: "Sample", ours: "Sample", resamples: int) -> dict[str, dict[str, Any]]:
    from models.bootstrap import cluster_interval
    from models.ranking import Ranking

    better, worse = (Ranking.of(sample.positive, *sample.scores.values()) for sample in (theirs, ours))
    found = {}
    for figure in ("auroc", "average_precision"):
        first, second = getattr(better, figure), getattr(worse, figure)
        interval = cluster_interval(lambda w, a=first, b=second: a(w) - b(w), theirs.person, resamples=resamples)
        found[figure] = {**interval.as_dict(), "there": first(), "moved": second()}
    return found


@contextmanager
def opened(settings: Settings) -> "Iterator[ViewStore]":
    """The views of a workspace."""
    store = open_store(settings, None)
    try:
        yield store
    finally:
        close = getattr(store, "close", None)
        if close:
            close()


def _orders_per_second(settings: Settings) -> float:
    """From the rows of the views to probabilities and explained alerts, on one core; reading the views is left out."""
    from models.prescription_review.config import load_config
    from models.prescription_review.features import build_cases
    from models.prescription_review.predict import ReadyModel
    from models.view_store import read_views

    config, ready = load_config(), ReadyModel.load(tracking_uri(settings))
    with opened(settings) as store:
        views = read_views(store, config.views, model=config.model)
        started = time.process_time()
        ready.predictions(build_cases(views, config, ready.knowledge), store)
        return len(views["drug_orders"]) / (time.process_time() - started)


def patient_goals(found: Hospitals) -> Iterator[Goal]:
    """A4: which patients to read first."""
    for where, report in found.reports.items():
        model, rules, query = (report.triage["scores"][n] for n in ("model", "rule alerts", "multicriteria query"))
        gain = report.triage["gain_over"]
        for figure, goal in (("auroc", 0.86), ("average_precision", 0.80)):
            beside = f"rules {_shown(rules[figure])}, query {_shown(query[figure])}"
            yield goal_of(
                "A4",
                f"patients, {where}: {_named(figure)}",
                goal,
                model[figure],
                _with_share(beside, report.triage, figure),
            )
        for name, words, goal in (("rule alerts", "rules", 0.12), ("multicriteria query", "the query", 0.10)):
            yield goal_of("A4", f"patients, {where}: AUROC above {words}", goal, gain[name]["auroc"])
    yield from _losses("A4", "patients", {where: report.triage for where, report in found.reports.items()})
    yield from _losses_to_there("A4", "patients", found.lost["patients"])


def order_goals(found: Hospitals) -> Iterator[Goal]:
    """A5: which orders; A6: which class of problem."""
    for where, report in found.reports.items():
        scores = report.evaluation["scores"]
        model, rules = scores["model"], scores["rule alerts"]
        for figure, goal in (("auroc", 0.93), ("average_precision", 0.50)):
            beside = _with_share(f"rules {_shown(rules[figure])}", report.evaluation, figure)
            yield goal_of("A5", f"orders, {where}: {_named(figure)}", goal, model[figure], beside)
        for budget, figure, goal in ((0.004, "precision", 0.90), (0.05, "recall", 0.60)):
            words = f"orders, {where}: {'right' if figure == 'precision' else 'found'} at {budget:.1%} alerts"
            at, beside = (next(row for row in s["at_budget"] if row["budget"] == budget) for s in (model, rules))
            yield goal_of("A5", words, goal, at[figure], f"rules {_shown(beside[figure])}")
    yield from _losses("A5", "orders", {where: report.evaluation for where, report in found.reports.items()})
    yield from _losses_to_there("A5", "orders", found.lost["orders"])
    for where, report in found.reports.items():
        classes = report.problem_classes
        dumb = classes["macro_f1"]["commonest class"]
        yield goal_of(
            "A6",
            f"class of problem, {where}: macro-F1 over {len(classes['f1'])} classes",
            0.70,
            classes["macro_f1"]["model"],
            f"commonest class {_shown(dumb)}",
        )
        doses = [classes["f1"][code] for code in ("3", "4") if code in classes["f1"]]
        yield Goal("A6", f"class of problem, {where}: mean F1 of the dose classes", 0.85, sum(doses) / len(doses))


def trust_goals(found: Hospitals) -> Iterator[Goal]:
    """A7 and speed."""
    for where, report in found.reports.items():
        for unit, evaluation in (("orders", report.evaluation), ("patients", report.triage)):
            line = evaluation["calibration"]
            words = f"{unit}, {where}: calibration error (ECE)"
            beside = f"perfect probabilities {line['ece_of_chance']:.3f}; slope {line['slope']:.2f}"
            yield goal_of("A7", words, 0.02, line["ece_interval"], beside, at_most=True)
        gap, worst = widest_gap(report.evaluation)
        yield Goal(
            "A7", f"orders, {where}: AUROC of a subgroup below that of all", 0.05, gap, baseline=worst, at_most=True
        )
    yield Goal(
        "",
        "training, seconds",
        TRAIN_SECONDS,
        found.seconds,
        baseline=f"{found.home.rows['orders']:,} orders",
        at_most=True,
    )
    yield Goal("", "orders scored and explained a second, one core", ORDERS_PER_SECOND, found.orders_per_second)


def widest_gap(evaluation: Mapping[str, Any], positives: int = 50) -> tuple[float, str]:
    """How far the weakest subgroup with enough positives lies below all rows, and which one it is."""
    whole = evaluation["scores"]["model"]["auroc"]["value"]
    told = [row for row in evaluation["subgroups"] if row["auroc"] and row["positives"] >= positives]
    row = min(told, key=lambda row: row["auroc"]["value"])
    text = f"{row['by']}: {row['group']}, {_shown(row['auroc'])}, {row['positives']} interventions"
    return whole - row["auroc"]["value"], text


def _losses(id: str, unit: str, evaluations: Mapping[str, Mapping[str, Any]]) -> Iterator[Goal]:
    home, *others = evaluations
    for where in others:
        for figure in ("auroc", "average_precision"):
            here, there = (evaluations[at]["scores"]["model"][figure]["value"] for at in (home, where))
            yield Goal(id, f"{unit}, {where}: {_named(figure)} lost", 0.03, here - there, at_most=True)


def _losses_to_there(id: str, unit: str, lost: Mapping[str, Mapping[str, Any]]) -> Iterator[Goal]:
    for figure, found in lost.items():
        words = f"{unit}: {_named(figure)} lost against a model trained at the other hospital, same rows"
        beside = f"trained there {found['there']:.3f}, moved {found['moved']:.3f}"
        yield goal_of(id, words, 0.03, found, beside, at_most=True)


def _named(figure: str) -> str:
    return {"auroc": "AUROC", "average_precision": "AUPRC"}[figure]


def _shown(interval: Mapping[str, Any]) -> str:
    return (
        "?" if interval["low"] is None else f"{interval['value']:.3f} ({interval['low']:.3f} to {interval['high']:.3f})"
    )


def _with_share(beside: str, evaluation: Mapping[str, Any], figure: str) -> str:
    return beside if figure == "auroc" else f"{beside}, prevalence {evaluation['prevalence']:.3f}"
