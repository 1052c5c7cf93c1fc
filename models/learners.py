"""Learners of a yes-or-no question on a table of numbers, by name: the same for every model that compares them.

Each is a scikit-learn estimator with what it needs before it. NaN means missing; a category is a small number.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
FAR = 6.0  # standard deviations beyond which a value says no more
LANDMARKS = 400  # rows by which the kernel of the support vector machine is approximated


@dataclass(frozen=True)
class Fitted:
    """A learner after its training."""

    estimator: Any

    def score(self, features: Array) -> Array:
        """The higher, the likelier; shape (n,). A probability where the learner gives one."""
        if hasattr(self.estimator, "predict_proba"):
            return np.asarray(self.estimator.predict_proba(features)[:, 1], dtype=np.float64)
        return np.asarray(self.estimator.decision_function(features), dtype=np.float64)


def fit(
    name: str,
    features: Array,
    positive: Array,
    *,
    categorical: Sequence[int],
    weight: Array | None = None,
    seed: int = 0,
) -> Fitted:
    """Train one of ``LEARNERS``.

    Args:
        features: shape (n, k); ``positive``: 0 or 1, shape (n,).
        categorical: columns that hold categories.
        weight: of each row, shape (n,).
    """
    estimator = LEARNERS[name](list(categorical), seed)
    last = estimator.steps[-1][0] if hasattr(estimator, "steps") else ""
    given = {} if weight is None else {f"{last}__sample_weight" if last else "sample_weight": weight}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a fixed number of passes is no convergence, that a column is empty
        return Fitted(estimator.fit(features, positive, **given))


def _logistic_regression(categorical: list[int], seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return _prepared(categorical, LogisticRegression(C=0.1, max_iter=2000, random_state=seed))


def _decision_tree(categorical: list[int], seed: int) -> Any:
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(max_depth=7, min_samples_leaf=40, random_state=seed)


def _random_forest(categorical: list[int], seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(300, min_samples_leaf=4, max_features=0.15, n_jobs=1, random_state=seed)


def _support_vector_machine(categorical: list[int], seed: int) -> Any:
    """Radial kernel, approximated by landmarks (Nyström): the exact one is cubic in the rows."""
    from sklearn.kernel_approximation import Nystroem
    from sklearn.svm import LinearSVC

    kernel = Nystroem(gamma=0.002, n_components=LANDMARKS, random_state=seed)
    return _prepared(categorical, kernel, LinearSVC(C=1.0, class_weight="balanced", random_state=seed))


def _gradient_boosting(categorical: list[int], seed: int) -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(
        n_estimators=250, learning_rate=0.04, num_leaves=15, min_child_samples=25, colsample_bytree=0.5,
        reg_lambda=1.0, n_jobs=1, random_state=seed, deterministic=True, force_row_wise=True, verbosity=-1,
    )  # fmt: skip


def _explainable_boosting(categorical: list[int], seed: int) -> Any:
    """Sums of functions of one feature, each of which can be drawn (EBM)."""
    from interpret.glassbox import ExplainableBoostingClassifier

    return ExplainableBoostingClassifier(
        interactions=0, outer_bags=2, max_bins=128, max_rounds=1500, n_jobs=1, random_state=seed
    )


def _neural_network(categorical: list[int], seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier

    # A fixed number of passes: stopping early judges by accuracy, which says nothing where few rows are positive.
    network = MLPClassifier(
        (64, 32), alpha=0.01, batch_size=64, learning_rate_init=5e-4, max_iter=30, random_state=seed
    )
    return _prepared(categorical, network)


def _prepared(categorical: list[int], *steps: Any) -> Any:
    """With missing values filled and told, numbers scaled, categories spread out."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    numbers = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), StandardScaler(),
        FunctionTransformer(_bounded),
    )  # fmt: skip
    kinds = make_pipeline(
        SimpleImputer(strategy="constant", fill_value=-1, keep_empty_features=True),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    )
    table = ColumnTransformer(
        [("numbers", numbers, _Others(categorical)), ("categories", kinds, categorical)], remainder="drop"
    )
    return make_pipeline(table, *steps)


@dataclass(frozen=True)
class _Others:
    """Every column but these."""

    columns: list[int]

    def __call__(self, features: Array) -> list[int]:
        return [column for column in range(features.shape[1]) if column not in self.columns]


def _bounded(values: Array) -> Array:
    return np.clip(values, -FAR, FAR)


LEARNERS: dict[str, Callable[[list[int], int], Any]] = {
    "logistic regression": _logistic_regression,
    "decision tree": _decision_tree,
    "random forest": _random_forest,
    "support vector machine": _support_vector_machine,
    "gradient boosting": _gradient_boosting,
    "explainable boosting": _explainable_boosting,
    "neural network": _neural_network,
}
