"""The tree ensemble: fitted the same way twice gives the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.prescription_review.config import LearnerConfig
from models.prescription_review.features import CATEGORICAL, FEATURES, MONOTONE

Array = NDArray[np.float64]
INNER_POSITIVES = 5  # fewer in the inner slice cannot choose a number of trees


@dataclass(frozen=True)
class Learner:
    """A fitted LightGBM model; kept as text, so that no pickle is ever opened."""

    text: str

    @cached_property
    def _booster(self) -> Any:
        import lightgbm

        return lightgbm.Booster(model_str=self.text)

    def predict(self, features: Array) -> Array:
        """Raw probabilities, shape (n,); of several classes (n, classes)."""
        return np.asarray(self._booster.predict(features, num_threads=1)) if len(features) else np.empty(0)

    def contributions(self, features: Array) -> Array:
        """Share of each feature in the log-odds, shape (n, features + 1); the last column is the base value."""
        if not len(features):
            return np.empty((0, features.shape[1] + 1))
        return np.asarray(self._booster.predict(features, num_threads=1, pred_contrib=True))


def fit(
    features: Array, positive: Array, inner: NDArray[Any], config: LearnerConfig, seed: int, weight: Array | None = None
) -> tuple[Learner, int]:
    """Choose the number of trees inside the training part, then fit on every row of it.

    Args:
        features: shape (n, ``FEATURES``); ``positive``: 0 or 1, shape (n,).
        inner: part of each row in that choice, shape (n,): train, calibration (later rows of other patients, which
            judge), or left_out.
        weight: of each row, shape (n,).
    Returns:
        The learner and its number of trees.
    """
    learn, judge = inner == "train", inner == "calibration"
    trees = (config.min_trees + config.max_trees) // 4
    if min(positive[learn].sum(), positive[judge].sum()) >= INNER_POSITIVES:
        trees = max(_best_trees(features, positive, learn, judge, config, seed, weight), config.min_trees)
    return fit_trees(features, positive, config, seed, trees, weight), trees


def fit_trees(
    features: Array, positive: Array, config: LearnerConfig, seed: int, trees: int, weight: Array | None = None
) -> Learner:
    """Fit so many trees on every row. Arguments as `fit`."""
    return Learner(_train(features, positive, config, seed, trees, weight).model_to_string(num_iteration=-1))


def _best_trees(
    features: Array,
    positive: Array,
    learn: NDArray[np.bool_],
    judge: NDArray[np.bool_],
    config: LearnerConfig,
    seed: int,
    weight: Array | None,
) -> int:
    import lightgbm

    judged = _dataset(features[judge], positive[judge])
    stop = lightgbm.early_stopping(config.patience, verbose=False)
    learned = None if weight is None else weight[learn]
    fitted = _train(
        features[learn], positive[learn], config, seed, config.max_trees, learned, valid=judged, callbacks=[stop]
    )
    return int(fitted.best_iteration or config.min_trees)


def _train(
    features: Array,
    positive: Array,
    config: LearnerConfig,
    seed: int,
    trees: int,
    weight: Array | None = None,
    **more: Any,
) -> Any:
    import lightgbm

    parameters = {
        "objective": "binary",
        "metric": "binary_logloss",
        "learning_rate": config.learning_rate,
        "num_leaves": config.num_leaves,
        "min_data_in_leaf": config.min_child_samples,
        "lambda_l2": config.lambda_l2,
        "feature_fraction": config.feature_fraction,
        "monotone_constraints": [int(name in MONOTONE) for name in FEATURES],
        "monotone_constraints_method": "intermediate",  # the default bounds whole branches more than it must
        "min_data_per_group": config.min_child_samples,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,  # the default measures the machine and chooses: not the same everywhere
        "num_threads": 1,
        "feature_pre_filter": False,
        "verbosity": -1,
    }
    judged = {"valid_sets": [more["valid"]], "callbacks": more["callbacks"]} if more else {}
    return lightgbm.train(parameters, _dataset(features, positive, weight), num_boost_round=trees, **judged)


def _dataset(features: Array, positive: Array, weight: Array | None = None) -> Any:
    import lightgbm

    return lightgbm.Dataset(
        features,
        label=positive,
        weight=weight,
        feature_name=list(FEATURES),
        categorical_feature=list(CATEGORICAL),
        params={"feature_pre_filter": False, "verbosity": -1},
        free_raw_data=False,
    )
