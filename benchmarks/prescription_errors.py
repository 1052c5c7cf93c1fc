"""By the errors that were put in, not by what pharmacists saw of them: how good the model is, and whether its reasons
name the cause.

After `prescription_review.measure`, in the same folder: the hospitals and the trained model are those of that run.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.goals import Goal, goal_of
from benchmarks.prescription_review import WHERE, opened, settings_of
from benchmarks.prescription_truth import HABITS, Truth, read_truth
from etl.demo.habits import Habits
from etl.demo.injected_errors import ACT_IP
from models.bootstrap import cluster_interval
from models.calibration import expected_calibration_error
from models.ranking import Ranking
from passerelle.predictions import tracking_uri

if TYPE_CHECKING:
    from models.prescription_review.evaluate import Judged

Statistic = Callable[..., float]
# Injected mechanism → themes under which its cause is named.
CAUSES: dict[str, tuple[str, ...]] = {
    "contre_indication": ("disease", "kidney", "laboratory", "allergy", "pregnancy", "age"),
    "indication_non_traitee": ("missing treatment",), "sous_dosage": ("dose",), "surdosage": ("dose",),
    "non_adapte_renal": ("kidney", "dose"), "doublon": ("duplicate",), "interaction": ("interaction",),
    "effet_indesirable": ("laboratory",), "voie": ("route",), "rythme": ("rhythm", "dose"), "frequence": ("rhythm",),
    "non_recu": ("not given",), "suivi_absent": ("monitoring",),
}  # fmt: skip
REASONS = 3  # told first
RESAMPLES = 200
NO_ERROR = "1"  # what one who knows the errors says of an intervention on a right line: any class is as good


def measure(folder: Path) -> Iterator[Goal]:
    """Both hospitals on the rows of the goals A4 to A6, then the reasons of the alerts at home."""
    from models.prescription_review.artefact import Artefact
    from models.prescription_review.config import load_config
    from models.prescription_review.evaluate import judged
    from models.prescription_review.knowledge import load_knowledge
    from models.registry import Registry

    values: dict[str, dict[str, float]] = {}
    truth = {name: read_truth(folder, name, settings_of(folder, name).workspace) for name in HABITS}
    for name, where in WHERE.items():
        # The adapted model is registered where it was adapted, and has a test part there.
        registry, hospital = ("away" if name == "adapted" else "home"), ("home" if name == "home" else "away")
        newest = Registry(tracking_uri(settings_of(folder, registry))).load(load_config().model)
        with opened(settings_of(folder, hospital)) as store:
            artefact = Artefact.read(newest.folder)
            rows = judged(store, artefact, load_knowledge(), rows="all" if name == "away" else "test")
        for what, goal in _found(rows, truth[hospital].mechanism, where):
            values.setdefault(what, {})[name] = goal.value
            yield goal
        yield _known_classes(rows, truth[hospital].mechanism, where)
        yield from _best_possible(rows, HABITS[hospital], truth[hospital], where)
    for what, by_place in values.items():
        if not what.endswith("alerts"):
            for name in ("away", "adapted"):
                lost = by_place["home"] - by_place[name]
                yield Goal(_id(what), f"{what}, {WHERE[name]}, errors put in: lost", None, lost)
    yield from cause_goals(folder, truth["home"].mechanism)


def _found(rows: "Judged", mechanism: Mapping[int, str], where: str) -> Iterator[tuple[str, Goal]]:
    """How well the errors are found, seen by a pharmacist or not; beside it what the same model has on the reviews."""
    from models.prescription_review.orders import KEY
    from models.prescription_review.scoring import scores_of
    from models.prescription_review.triage import Rounds

    cases, label = rows.cases.only(rows.chosen), rows.labels["label"].to_numpy(float)[rows.chosen]
    wrong = np.array([number in mechanism for number in cases.rows[KEY].tolist()], dtype=float)
    samples = scores_of(rows.artefact, cases, label)
    rounds = Rounds.of(cases.rows, rows.artefact.config.timezone)
    outcome = {"orders": wrong, "patients": rounds.highest(wrong)}
    seen = f"pharmacists saw {label[wrong == 1].mean():.0%} of the errors; {wrong[label == 1].mean():.0%} of what they "
    seen += "objected to was one"
    for unit in ("patients", "orders"):
        sample, truth = samples[unit], outcome[unit]
        (score,) = sample.scores.values()
        put_in, reviewed = Ranking.of(truth, score), Ranking.of(sample.positive, score)
        figures: dict[str, tuple[Statistic, Statistic]] = {
            "AUROC": (put_in.auroc, reviewed.auroc),
            "AUPRC": (put_in.average_precision, reviewed.average_precision),
        }
        if unit == "orders":
            figures["right at 0.4% alerts"] = (
                partial(put_in.precision_at, 0.004),
                partial(reviewed.precision_at, 0.004),
            )
        for name, (statistic, of_reviews) in figures.items():
            interval = cluster_interval(statistic, sample.person, resamples=RESAMPLES).as_dict()
            beside = f"on the reviews {of_reviews():.3f}; errors in {truth.mean():.1%} of the rows; {seen}"
            what = f"{unit}, {name}"
            yield what, goal_of(_id(what), f"{unit}, {where}, errors put in: {name}", None, interval, beside)


def _best_possible(rows: "Judged", habits: Habits, truth: Truth, where: str) -> Iterator[Goal]:
    """What nobody can do better on these reviews: to know with which chance each was drawn.

    Goals of A4 and A5 are read beside it; what it lacks to 1 is the pharmacists' own chance, which nothing tells.
    """
    from models.prescription_review.triage import Rounds

    orders, label = rows.cases.only(rows.chosen).rows, rows.labels["label"].to_numpy(float)[rows.chosen]
    timezone = rows.artefact.config.timezone
    known = truth.chances(orders, habits, timezone)
    rounds = Rounds.of(orders, timezone)
    outcome = rounds.highest(label)
    of_orders, of_patients = Ranking.of(label, known), Ranking.of(outcome, rounds.chance(known))
    person = {"orders": orders["person_id"], "patients": orders["person_id"][rounds.first]}
    figures: dict[tuple[str, str], Statistic] = {
        ("patients", "AUROC"): of_patients.auroc,
        ("patients", "AUPRC"): of_patients.average_precision,
        ("orders", "AUROC"): of_orders.auroc,
        ("orders", "AUPRC"): of_orders.average_precision,
        ("orders", "right at 0.4% alerts"): partial(of_orders.precision_at, 0.004),
        ("orders", "found at 5.0% alerts"): partial(of_orders.recall_at, 0.05),
    }
    for (unit, name), statistic in figures.items():
        interval = cluster_interval(statistic, person[unit], resamples=RESAMPLES).as_dict()
        words = f"{unit}, {where}, by the chance that each review was drawn with: {name}"
        yield goal_of(_id(unit), words, None, interval, "on average nothing is better")
    if where == WHERE["away"]:
        # How many errors its pharmacists overlook nothing tells before their first review.
        told = rounds.chance(rows.artefact.calibrator.apply(rows.artefact.raw(rows.cases.only(rows.chosen))))
        as_at_home = rounds.chance(truth.chances(orders, HABITS["home"], timezone))
        error = expected_calibration_error(told, as_at_home)
        words = f"patients, {where}, were errors overlooked as rarely as at home: calibration error (ECE)"
        yield Goal("A7", words, None, error, baseline=f"on the reviews {expected_calibration_error(told, outcome):.3f}")


def _known_classes(rows: "Judged", mechanism: Mapping[int, str], where: str) -> Goal:
    """What one who knows each error would reach: a pharmacist in eight files it under another class."""
    from models.prescription_review import problem
    from models.prescription_review.orders import KEY

    here, said = rows.chosen & (rows.labels["label"] == 1).to_numpy(), rows.labels["problem"].to_numpy(object)
    here &= np.isin(said, problem.CLASSES)
    names = [mechanism.get(number) for number in rows.cases.rows[KEY][here].tolist()]
    known = np.array([str(ACT_IP[name]) if name else NO_ERROR for name in names], dtype=object)
    found = problem.confusion(said[here], known)
    doses = np.mean([found["f1"][code] for code in ("3", "4") if code in found["f1"]])
    return Goal("A6", f"class of problem, {where}, if the errors were known: macro-F1", None, found["macro_f1"],
                baseline=f"dose classes {doses:.3f}; {here.sum()} interventions")  # fmt: skip


def _id(what: str) -> str:
    return "A4" if what.startswith("patients") else "A5"


def cause_goals(folder: Path, mechanism: Mapping[int, str]) -> Iterator[Goal]:
    """A7: whether an alert about an injected error names its cause among its first reasons: the sentence, if a rule
    gave it, then the contributions that raise the score."""
    from models.prescription_review.features import RULE_FEATURES
    from models.prescription_review.predict import predict
    from models.prescription_review.rules import CATEGORIES
    from models.prescription_review.themes import OF_FEATURE

    home = settings_of(folder, "home")
    with opened(home) as store:
        found = predict(store, tracking_uri=tracking_uri(home))
        alerts = [one for one in found if one.occasion.startswith("drug_exposure:")]
    rules = {name.removeprefix("rule_"): theme for name, theme in OF_FEATURE.items() if name in RULE_FEATURES}
    told: dict[str, list[bool]] = {}
    for alert in alerts:
        name = mechanism.get(int(alert.occasion.removeprefix("drug_exposure:")))
        if name is not None:
            named = [theme for rule, theme in rules.items() if CATEGORIES[rule] == alert.category]
            raising = [OF_FEATURE[c.feature] for c in alert.contributions if c.contribution > 0]
            reasons = (
                [named, *([theme] for theme in raising)][:REASONS]
                if named
                else [[theme] for theme in raising][:REASONS]
            )
            told.setdefault(name, []).append(any(set(some) & set(CAUSES[name]) for some in reasons))
    every = [one for some in told.values() for one in some]
    beside = ", ".join(f"{name} {sum(some)}/{len(some)}" for name, some in sorted(told.items()))
    yield Goal("A7", "alerts about an injected error that name its cause among three reasons", 0.90,
               sum(every) / len(every), *_wilson(sum(every), len(every)), beside)  # fmt: skip


def _wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson)."""
    z, share = 1.96, hits / n
    middle, half = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
