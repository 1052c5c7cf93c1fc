"""From described and labelled orders to a model: learners, references, calibrators, the threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.calibration import Calibrator, fit_calibrator
from models.prescription_review import learners, problem, triage
from models.prescription_review.artefact import Artefact
from models.prescription_review.columns import Columns, take
from models.prescription_review.config import Config
from models.prescription_review.features import Cases, Categories, feature_matrix, learn_categories
from models.prescription_review.knowledge import Knowledge
from models.prescription_review.learned import Learned, cross_compare
from models.prescription_review.learners import Learner
from models.prescription_review.reviewing import inverse_chances
from models.splits import Cut, assign, choose_cut, person_folds

Array = NDArray[np.float64]
INNER_SHARE = 0.25
FOLDS = 3  # of the patients whose orders are scored by a model that has not seen them
NEVER = np.datetime64("2262-01-01")


@dataclass(frozen=True)
class TrainingRows:
    """The reviewed orders of the training part, ready for any learner. Arrays have one entry an order."""

    orders: Columns
    features: Array
    positive: Array
    problem: NDArray[Any]
    weight: Array  # one over the chance to be reviewed
    categories: Categories

    @property
    def person(self) -> NDArray[np.int64]:
        """Whose order each is."""
        return self.orders["person_id"]


def training_rows(cases: Cases, labels: pd.DataFrame, part: NDArray[Any], config: Config, seed: int) -> TrainingRows:
    """What the learners are given.

    Args:
        cases: every order; ``labels``: ``label`` and ``problem`` of each; ``part``: of each, shape (n,).
    """
    here = part == "train"
    past, label = cases.only(here), labels["label"].to_numpy()[here]  # unreviewed orders too: they show what is usual
    reviewed, how = ~np.isnan(label), config.learned
    learned = cross_compare(past, label, folds=how.folds, min_patients=how.min_patients, seed=seed)
    categories = learn_categories(past.orders)
    rows = take(past.rows, reviewed)
    return TrainingRows(
        rows,
        feature_matrix(rows, take(learned, reviewed), categories),
        label[reviewed],
        labels["problem"].to_numpy(object)[here][reviewed],
        inverse_chances(past.orders, reviewed)[reviewed],
        categories,
    )


def fit_artefact(
    cases: Cases,
    labels: pd.DataFrame,
    part: NDArray[Any],
    cut: Cut,
    config: Config,
    knowledge: Knowledge,
    seed: int,
) -> Artefact:
    """Learn from the training part, calibrate and choose the threshold on the part after it."""
    rows = training_rows(cases, labels, part, config, seed)
    times = rows.orders["index_time"]
    later = choose_cut(times, calibration_share=INNER_SHARE, test_share=0).calibration_start
    inner = assign(times, rows.person, Cut(later, NEVER))
    learner, trees = learners.fit(rows.features, rows.positive, inner, config.learner, seed, weight=rows.weight)
    every_label = labels["label"].to_numpy()
    learned = Learned.learn(cases.only(part == "train"), every_label[part == "train"], config.learned.min_patients)

    after, label = cases.only(part == "calibration"), every_label[part == "calibration"]
    raw = learner.predict(feature_matrix(after.rows, learned.compare(after), rows.categories))
    known = ~np.isnan(label)
    calibrator = fit_calibrator(raw[known], label[known], config.calibration)
    triaging = _fit_triage(rows, calibrator, config, trees, seed)
    probability = calibrator.apply(raw)
    reviewed = triage.rank(triaging, take(after.rows, known), probability[known], config.timezone)
    every = triage.rank(triaging, after.rows, probability, config.timezone)
    return Artefact(
        config=config,
        learner=learner,
        problem=problem.fit(rows.features[rows.positive == 1], rows.problem[rows.positive == 1], seed),
        triage=triaging,
        learned=learned,
        calibrator=calibrator,
        triage_calibrator=fit_calibrator(reviewed.raw, reviewed.rounds.highest(label[known]), config.calibration),
        threshold=_threshold(raw, config.budget),
        triage_threshold=_threshold(every.raw, config.patients_first_per_100 / 100),
        categories=rows.categories,
        cut=cut,
        knowledge_sha256=knowledge.sha256,
        trees=trees,
        seed=seed,
    )


def _fit_triage(rows: TrainingRows, calibrator: Calibrator, config: Config, trees: int, seed: int) -> Learner:
    """On orders scored by models that have not seen their patients: else they would look surer than they are."""
    fold = person_folds(rows.person, FOLDS, seed)
    raw = np.zeros(len(fold))
    for number in range(FOLDS):
        other = fold != number
        fitted = learners.fit_trees(rows.features[other], rows.positive[other], config.learner, seed, trees)
        raw[~other] = fitted.predict(rows.features[~other])
    rounds = triage.Rounds.of(rows.orders, config.timezone)
    described = triage.describe(rounds, rows.orders, calibrator.apply(raw))
    return triage.fit(described, rounds.highest(rows.positive), seed)


def _threshold(raw: Array, budget: float) -> float:
    """The lowest raw probability whose alerts stay within the budget, over all later rows, reviewed or not."""
    values, counts = np.unique(raw, return_counts=True)
    above = np.cumsum(counts[::-1])[::-1] / max(len(raw), 1)
    within = values[above <= budget]
    return float(within[0]) if len(within) else 1.0
