"""Which patients to read first: the orders that a pharmacist reads together, and the chance that one needs a change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, codes
from models.prescription_review.learners import Learner

Array = NDArray[np.float64]
# More of it never lowers the chance.
OF_ORDERS = ("any", "highest", "second", "expected", "alarming")
ABOUT = ("lines", "active_orders", "rules", "age", "clearance", "hours_since_admission")
FEATURES = (*OF_ORDERS, *ABOUT)
ALARMING = 0.2
PARAMETERS: dict[str, Any] = {
    "objective": "binary", "learning_rate": 0.05, "num_leaves": 7, "min_data_in_leaf": 40, "lambda_l2": 5.0,
    "deterministic": True, "force_row_wise": True, "num_threads": 1, "feature_pre_filter": False, "verbosity": -1,
    "monotone_constraints": [int(name in OF_ORDERS) for name in FEATURES],
}  # fmt: skip
TREES = 80
OLD, VERY_OLD, SLOW, VERY_SLOW, SOME, MANY = 65, 80, 60, 30, 5, 10


@dataclass(frozen=True)
class Rounds:
    """Orders that are read together: of one patient, on one day.

    Attributes:
        number: round of each order, shape (orders,).
        first: position of the first order of each round, shape (rounds,).
    """

    number: NDArray[np.int64]
    first: NDArray[np.int64]

    @classmethod
    def of(cls, orders: Columns, timezone: str) -> Rounds:
        """Args: columns person_id and index_time; ``timezone``: whose days they are."""
        local = pd.DatetimeIndex(orders["index_time"], tz="UTC").tz_convert(timezone)
        key = codes(orders["person_id"], np.asarray(local.normalize().asi8))
        _, first, number = np.unique(key, return_index=True, return_inverse=True)
        return cls(number.astype(np.int64), first.astype(np.int64))

    def sum(self, column: Array) -> Array:
        """Of each round, shape (rounds,)."""
        return np.bincount(self.number, np.nan_to_num(column), len(self.first)).astype(np.float64)

    def highest(self, column: Array) -> Array:
        """Of each round; NaN where no order has a value."""
        found = np.full(len(self.first), -np.inf)
        np.fmax.at(found, self.number, column)
        return np.where(np.isfinite(found), found, np.nan)


def describe(rounds: Rounds, orders: Columns, probability: Array) -> Array:
    """Shape (rounds, ``FEATURES``).

    Args:
        probability: of each order, calibrated; shape (orders,).
    """
    top = rounds.highest(probability)
    below = np.where(probability == top[rounds.number], 0.0, probability)
    columns = {
        "any": 1 - np.exp(rounds.sum(np.log1p(-np.clip(probability, 0, 1 - 1e-9)))),
        "highest": top,
        "second": rounds.highest(below),
        "expected": rounds.sum(probability),
        "alarming": rounds.sum((probability >= ALARMING).astype(float)),
        "lines": rounds.sum(np.ones(len(probability))),
        "rules": rounds.sum(orders["rules_grave"]),
        **{name: rounds.highest(orders[name]) for name in ("active_orders", "age", "hours_since_admission")},
        "clearance": -rounds.highest(-orders["clearance"]),
    }
    return np.column_stack([columns[name] for name in FEATURES])


@dataclass(frozen=True)
class Ranked:
    """Orders that are read together, described, and how likely one of them needs a change, before calibration."""

    rounds: Rounds
    described: Array  # shape (rounds, ``FEATURES``)
    raw: Array


def rank(learner: Learner, orders: Columns, probability: Array, timezone: str) -> Ranked:
    """The patients of each day. Arguments as `Rounds.of` and `describe`."""
    rounds = Rounds.of(orders, timezone)
    described = describe(rounds, orders, probability)
    return Ranked(rounds, described, learner.predict(described))


def multicriteria(described: Array) -> Array:
    """The query that hospitals run without a model: points for age, kidney function and number of drugs.

    Source of the criteria: Corny, JAMIA 2020;27:1688 (number of drugs, age, filtration); the points are ours.
    """
    age, clearance, active = (described[:, FEATURES.index(name)] for name in ("age", "clearance", "active_orders"))
    points = [age >= OLD, age >= VERY_OLD, clearance < SLOW, clearance < VERY_SLOW, active >= SOME, active >= MANY]
    return np.sum(points, axis=0).astype(float)


def fit(described: Array, positive: Array, seed: int) -> Learner:
    """Args: shape (rounds, ``FEATURES``), of orders scored by a model that has not seen their patients; 0 or 1 each."""
    import lightgbm

    data = lightgbm.Dataset(described, label=positive, feature_name=list(FEATURES), params={"verbosity": -1})
    booster = lightgbm.train({**PARAMETERS, "seed": seed}, data, num_boost_round=TREES)
    return Learner(booster.model_to_string(num_iteration=-1))
