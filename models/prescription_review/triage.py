"""Which patients to read first: the orders that a pharmacist reads together, and the chance that one needs a change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, codes

Array = NDArray[np.float64]
SUREST = 1 - 1e-9  # no chance is taken as greater: its logarithm would be infinite
ALARMING = 0.2
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

    def chance(self, probability: Array) -> Array:
        """Chance that at least one order of a round needs a change, as if none had to do with another; (rounds,).

        Args:
            probability: of each order, calibrated; shape (orders,).
        """
        return 1 - np.exp(self.sum(np.log1p(-np.clip(probability, 0, SUREST))))


def multicriteria(rounds: Rounds, orders: Columns) -> Array:
    """The query that hospitals run without a model: points for age, kidney function and number of drugs; (rounds,).

    Source of the criteria: Corny, JAMIA 2020;27:1688 (number of drugs, age, filtration); the points are ours.
    """
    age, active = rounds.highest(orders["age"]), rounds.highest(orders["active_orders"])
    clearance = -rounds.highest(-orders["clearance"])
    points = [age >= OLD, age >= VERY_OLD, clearance < SLOW, clearance < VERY_SLOW, active >= SOME, active >= MANY]
    return np.sum(points, axis=0).astype(float)
