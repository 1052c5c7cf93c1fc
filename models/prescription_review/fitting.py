"""From described and labelled orders to a model: learners, references, the calibrator, the thresholds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.calibration import fit_calibrator
from models.prescription_review import learners, problem
from models.prescription_review.artefact import Artefact
from models.prescription_review.columns import Columns, take
from models.prescription_review.config import Config
from models.prescription_review.features import Cases, Categories, feature_matrix, learn_categories
from models.prescription_review.knowledge import Knowledge
from models.prescription_review.learned import Learned, cross_compare
from models.prescription_review.reviewing import inverse_chances
from models.splits import Cut, assign, choose_cut

Array = NDArray[np.float64]
INNER_SHARE = 0.25
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
    return Artefact(
        config=config,
        learner=learner,
        problem=problem.fit(rows.features[rows.positive == 1], rows.problem[rows.positive == 1], seed),
        learned=learned,
        calibrator=fit_calibrator(raw[known], label[known], config.calibration),
        threshold=1.0,
        patients_threshold=1.0,
        categories=rows.categories,
        cut=cut,
        knowledge_sha256=knowledge.sha256,
        trees=trees,
        seed=seed,
    ).within_budget_of(after)


def adapt_artefact(
    came: Artefact, cases: Cases, labels: pd.DataFrame, part: NDArray[Any], cut: Cut, knowledge: Knowledge
) -> Artefact:
    """A model from another hospital, made ready for this one: the learners stay, what they are told changes.

    The training part shows what is usual here and, where it was reviewed, what pharmacists object to; the part after
    it how likely a correction is here and what stays within the budget. Arguments as `fit_artefact`.
    """
    past, after = part == "train", part == "calibration"
    label = labels["label"].to_numpy(float)
    known = after & ~np.isnan(label)
    told = came.with_usage_of(cases.only(past)).with_objections_of(cases.only(past), label[past])
    told = told.recalibrated(cases.only(known), label[known])
    return replace(told.within_budget_of(cases.only(after)), cut=cut, knowledge_sha256=knowledge.sha256)
