"""What the same features could tell at most: the learner taught by the chance of each review, not by its outcome.

No label is better than that chance: what is still missed is no matter of noise in the reviews, or of a learner that
bears it better. More orders could tell it, or other features; or nothing can, because it is not in the record.

After `prescription_review.measure`, in the same folder: the hospitals and the trained model are those of that run.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks.goals import Goal, goal_of
from benchmarks.prescription_review import WHERE, opened, settings_of
from benchmarks.prescription_truth import HABITS, Truth, read_truth
from etl.demo.habits import Habits
from models.bootstrap import cluster_interval
from models.ranking import Ranking
from passerelle.predictions import tracking_uri

if TYPE_CHECKING:
    from models.prescription_review.artefact import Artefact
    from models.prescription_review.features import Cases

RESAMPLES = 200


def measure(folder: Path) -> Iterator[Goal]:
    """Taught at home and judged wherever the model is; taught at the other hospital and judged on its last orders."""
    from models.prescription_review.artefact import Artefact
    from models.prescription_review.config import load_config
    from models.prescription_review.evaluate import judged
    from models.prescription_review.knowledge import load_knowledge
    from models.prescription_review.train import described
    from models.registry import Registry

    model, knowledge = load_config().model, load_knowledge()
    newest = {name: Registry(tracking_uri(settings_of(folder, name))).load(model) for name in HABITS}
    came, adapted = (Artefact.read(newest[name].folder) for name in HABITS)
    taught = {}
    for name, where in (("home", WHERE["home"]), ("away", "other hospital, taught there")):
        with opened(settings_of(folder, name)) as store:
            cases, labels, part, _ = described(store, came.config, knowledge)
        label = labels["label"].to_numpy(float)
        truth = read_truth(folder, name, settings_of(folder, name).workspace)
        taught[name] = _by_chances(came, cases, labels, part, truth, HABITS[name])
        last = (part == "test") & ~np.isnan(label)
        yield from _lines(taught[name], cases.only(last), label[last], where)
    for name, artefact in (("away", came), ("adapted", adapted)):
        with opened(settings_of(folder, "away")) as store:
            there = judged(store, artefact, knowledge, rows="all" if name == "away" else "test")
        moved = replace(there.artefact, learner=taught["home"].learner)
        label = there.labels["label"].to_numpy(float)[there.chosen]
        yield from _lines(moved, there.cases.only(there.chosen), label, WHERE[name])


def _by_chances(
    came: "Artefact", cases: "Cases", labels: pd.DataFrame, part: np.ndarray, truth: Truth, habits: Habits
) -> "Artefact":
    """A model of the reviewed training orders, each there as corrected and as accepted, as likely as it was either."""
    from models.prescription_review import learners
    from models.prescription_review.fitting import training_rows
    from models.prescription_review.learned import Learned

    config, past = came.config, part == "train"
    rows = training_rows(cases, labels, part, config, came.seed)
    chance = truth.chances(rows.orders, habits, config.timezone)
    twice = config.learner.model_copy(update={"min_child_samples": 2 * config.learner.min_child_samples})
    learner = learners.fit_trees(
        np.tile(rows.features, (2, 1)),
        np.repeat([1.0, 0.0], len(chance)),
        twice,
        came.seed,
        came.trees,
        np.concatenate([rows.weight * chance, rows.weight * (1 - chance)]),
    )
    learned = Learned.learn(cases.only(past), labels["label"].to_numpy(float)[past], config.learned.min_patients)
    return replace(came, learner=learner, learned=learned, categories=rows.categories)


def _lines(artefact: "Artefact", cases: "Cases", label: np.ndarray, where: str) -> Iterator[Goal]:
    chance = artefact.raw(cases)  # needs no calibration: it was taught chances
    rounds, person = artefact.rounds(cases.rows), cases.rows["person_id"]
    orders, patients = Ranking.of(label, chance), Ranking.of(rounds.highest(label), rounds.chance(chance))
    for id, unit, name, statistic, of in (
        ("A4", "patients", "AUROC", patients.auroc, person[rounds.first]),
        ("A4", "patients", "AUPRC", patients.average_precision, person[rounds.first]),
        ("A5", "orders", "AUPRC", orders.average_precision, person),
        ("A5", "orders", "right at 0.4% alerts", partial(orders.precision_at, 0.004), person),
    ):
        interval = cluster_interval(statistic, of, resamples=RESAMPLES).as_dict()
        words = f"{unit}, {where}, had it learned the chance of each review itself: {name}"
        yield goal_of(id, words, None, interval, "no label is better")
