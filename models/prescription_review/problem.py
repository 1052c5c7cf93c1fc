"""Which kind of problem an order has, given that it has one: a class of the Act-IP code book of the SFPC."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.prescription_review.features import CATEGORICAL, FEATURES
from models.prescription_review.learners import Learner

Array = NDArray[np.float64]
CLASSES = tuple(str(number) for number in range(1, 11))
LEAST = 5  # interventions of a class, fewer teach nothing
PARAMETERS: dict[str, Any] = {
    "objective": "multiclass", "metric": "multi_logloss", "learning_rate": 0.05, "num_leaves": 15, "lambda_l2": 5.0,
    "min_data_in_leaf": 8, "feature_fraction": 0.7, "min_data_per_group": 20, "deterministic": True,
    "force_row_wise": True, "num_threads": 1, "feature_pre_filter": False, "verbosity": -1,
}  # fmt: skip
TREES = 120


@dataclass(frozen=True)
class ProblemLearner:
    """A fitted LightGBM model, as text, and the classes that it tells apart."""

    text: str
    classes: tuple[str, ...]

    @cached_property
    def _learner(self) -> Learner:
        return Learner(self.text)

    def probabilities(self, features: Array) -> Array:
        """Shape (n, classes); each row sums to 1."""
        if not len(features) or len(self.classes) == 1:
            return np.ones((len(features), len(self.classes)))
        return self._learner.predict(features)

    def predict(self, features: Array) -> NDArray[Any]:
        """The likeliest class of each order, shape (n,)."""
        return np.array(self.classes, dtype=object)[self.probabilities(features).argmax(axis=1)]


def fit(features: Array, problem: NDArray[Any], seed: int) -> ProblemLearner:
    """Learn from orders with an intervention.

    Args:
        features: shape (n, ``FEATURES``); ``problem``: code of each, shape (n,); other codes are left out.
    """
    counts = {code: int((problem == code).sum()) for code in CLASSES}
    classes = tuple(code for code in CLASSES if counts[code] >= LEAST) or (max(CLASSES, key=counts.__getitem__),)
    if len(classes) == 1:
        return ProblemLearner("", classes)
    import lightgbm

    kept = np.isin(problem, classes)
    number = np.array([classes.index(code) for code in problem[kept]])
    # A rare class weighs a little more, not as much as a common one: its codes are as noisy.
    weight = np.sqrt(kept.sum() / np.bincount(number))[number]
    data = lightgbm.Dataset(
        features[kept], label=number, weight=weight, feature_name=list(FEATURES),
        categorical_feature=list(CATEGORICAL), params={"feature_pre_filter": False, "verbosity": -1},
    )  # fmt: skip
    booster = lightgbm.train({**PARAMETERS, "num_class": len(classes), "seed": seed}, data, num_boost_round=TREES)
    return ProblemLearner(booster.model_to_string(num_iteration=-1), classes)


def confusion(problem: NDArray[Any], predicted: NDArray[Any], weights: Array | None = None) -> dict[str, Any]:
    """Rows by true and predicted class, F1 of each class that occurs, and their mean.

    Args:
        problem, predicted: codes, shape (n,).
        weights: of each row, for resampling.
    """
    weight = np.ones(len(problem)) if weights is None else weights
    known = [code for code in CLASSES if weight[problem == code].sum() > 0]
    table = {a: {b: float(weight[(problem == a) & (predicted == b)].sum()) for b in CLASSES} for a in known}
    f1 = {}
    for code in known:
        hits = table[code][code]
        said, there = weight[np.isin(problem, known) & (predicted == code)].sum(), weight[problem == code].sum()
        f1[code] = float(2 * hits / (said + there)) if said + there else 0.0
    return {"table": table, "f1": f1, "macro_f1": float(np.mean(list(f1.values()))) if f1 else None}
