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
from models.prescription_review.columns import columns_of
from models.prescription_review.config import Config
from models.prescription_review.dose_reference import DoseReference, cross_compare
from models.prescription_review.features import Categories, feature_matrix, learn_categories
from models.prescription_review.knowledge import Knowledge
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

    orders: pd.DataFrame
    features: Array
    positive: Array
    problem: NDArray[Any]
    weight: Array  # one over the chance to be reviewed
    categories: Categories

    @property
    def person(self) -> NDArray[np.int64]:
        """Whose order each is."""
        return self.orders["person_id"].to_numpy(np.int64)


def training_rows(
    orders: pd.DataFrame, labels: pd.DataFrame, part: NDArray[Any], config: Config, seed: int
) -> TrainingRows:
    """What the learners are given.

    Args:
        orders, labels: every order, with ``label`` and ``problem``; ``part``: of each, shape (n,).
    """
    here = part == "train"
    past, label = orders[here], labels["label"].to_numpy()[here]  # unreviewed orders too: they show what is usual
    reviewed = ~np.isnan(label)
    rows, usual = past[reviewed], config.dose_reference
    doses = cross_compare(past, folds=usual.folds, min_patients=usual.min_patients, seed=seed).loc[rows.index]
    categories = learn_categories(past)
    return TrainingRows(
        rows,
        feature_matrix(rows, doses, categories),
        label[reviewed],
        labels["problem"].to_numpy(object)[here][reviewed],
        inverse_chances(past, reviewed)[reviewed],
        categories,
    )


def fit_artefact(
    orders: pd.DataFrame,
    labels: pd.DataFrame,
    part: NDArray[Any],
    cut: Cut,
    config: Config,
    knowledge: Knowledge,
    seed: int,
) -> Artefact:
    """Learn from the training part, calibrate and choose the threshold on the part after it."""
    rows = training_rows(orders, labels, part, config, seed)
    times = rows.orders["index_time"].to_numpy()
    later = choose_cut(times, calibration_share=INNER_SHARE, test_share=0).calibration_start
    inner = assign(times, rows.person, Cut(later, NEVER))
    learner, trees = learners.fit(rows.features, rows.positive, inner, config.learner, seed, weight=rows.weight)
    reference = DoseReference.learn(orders[part == "train"], config.dose_reference.min_patients)

    after, label = orders[part == "calibration"], labels["label"].to_numpy()[part == "calibration"]
    raw = learner.predict(feature_matrix(after, reference.compare(after), rows.categories))
    known = ~np.isnan(label)
    calibrator = fit_calibrator(raw[known], label[known], config.calibration)
    triaging = _fit_triage(rows, calibrator, config, trees, seed)
    rounds = triage.Rounds.of(columns_of(after[known]), config.timezone)
    described = triage.describe(rounds, columns_of(after[known]), calibrator.apply(raw[known]))
    return Artefact(
        config=config,
        learner=learner,
        problem=problem.fit(rows.features[rows.positive == 1], rows.problem[rows.positive == 1], seed),
        triage=triaging,
        reference=reference,
        calibrator=calibrator,
        triage_calibrator=fit_calibrator(triaging.predict(described), rounds.highest(label[known]), config.calibration),
        threshold=_threshold(raw, config.budget),
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
    columns = columns_of(rows.orders)
    rounds = triage.Rounds.of(columns, config.timezone)
    described = triage.describe(rounds, columns, calibrator.apply(raw))
    return triage.fit(described, rounds.highest(rows.positive), seed)


def _threshold(raw: Array, budget: float) -> float:
    """The lowest raw probability whose alerts stay within the budget, over all later orders, reviewed or not."""
    values, counts = np.unique(raw, return_counts=True)
    above = np.cumsum(counts[::-1])[::-1] / max(len(raw), 1)
    within = values[above <= budget]
    return float(within[0]) if len(within) else 1.0
