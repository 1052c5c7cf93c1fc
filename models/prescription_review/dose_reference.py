"""The usual dose of each drug, learned from other patients' orders, and how far an order is from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.splits import person_folds

MEASURES = ("daily", "dose")  # per day and per intake
MIN_SPREAD = 0.1  # log scale: a drug given at one dose only still has some play
FURTHEST = 10.0
NAMES = ("log_ratio", "z", "share_at_or_above", "share_equal")


@dataclass(frozen=True)
class DoseReference:
    """Counts of each dose: columns measure, key, value, n. One key is a drug with its unit and route."""

    counts: pd.DataFrame

    @classmethod
    def learn(cls, orders: pd.DataFrame, min_patients: int) -> DoseReference:
        """Args: orders with drug, unit, route, daily, dose, person_id; ``min_patients``: below, a key is left out."""
        key = _key(orders)
        parts = []
        for measure in MEASURES:
            rows = pd.DataFrame({"key": key, "value": orders[measure], "person_id": orders["person_id"]}).dropna()
            patients = rows.groupby("key")["person_id"].nunique()
            rows = rows[rows["key"].map(patients) >= min_patients]
            counts = rows.groupby(["key", "value"], as_index=False).size().rename(columns={"size": "n"})
            parts.append(counts.assign(measure=measure))
        counts = pd.concat(parts, ignore_index=True)[["measure", "key", "value", "n"]]
        return cls(counts.sort_values(["measure", "key", "value"], ignore_index=True))

    def write(self, path: Path) -> None:
        """Write the counts as CSV, doses with every digit."""
        self.counts.to_csv(path, index=False, lineterminator="\n")

    @classmethod
    def read(cls, path: Path) -> DoseReference:
        """The inverse of :meth:`write`."""
        counts = pd.read_csv(path, float_precision="round_trip", dtype={"key": str}, keep_default_na=False)
        return cls(counts)

    def compare(self, orders: pd.DataFrame) -> pd.DataFrame:
        """For each order and measure: log of dose over median, robust z, share of orders at or above, share equal.

        ``share_at_or_above`` counts one side only: an order above all others has 0. NaN where the key is unknown.
        """
        key = _key(orders)
        columns = {}
        for measure in MEASURES:
            counts = self.counts[self.counts["measure"] == measure]
            columns.update(_compare(measure, counts, key, orders[measure].to_numpy(float)))
        return pd.DataFrame(columns, index=orders.index)


def cross_compare(orders: pd.DataFrame, *, folds: int, min_patients: int, seed: int) -> pd.DataFrame:
    """Each order against the patients of the other folds: an order must not be its own reference."""
    fold = person_folds(orders["person_id"].to_numpy(), folds, seed)
    parts = [
        DoseReference.learn(orders[fold != number], min_patients).compare(orders[fold == number])
        for number in range(folds)
        if (fold == number).any()
    ]
    return pd.concat(parts).loc[orders.index]


def _key(orders: pd.DataFrame) -> pd.Series:
    return orders["drug"] + "|" + orders["unit"] + "|" + orders["route"]


def _compare(
    measure: str, counts: pd.DataFrame, key: pd.Series, dose: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    names = [f"{measure}_{name}" for name in NAMES] + [f"{measure}_median"]
    if counts.empty:
        return {name: np.full(len(dose), np.nan) for name in names}
    code, keys = pd.factorize(counts["key"], sort=True)
    value, n = counts["value"].to_numpy(float), counts["n"].to_numpy(float)
    total = np.bincount(code, n)
    median = _weighted_median(code, value, n)
    deviation = np.abs(np.log(value) - np.log(median)[code])
    spread = np.maximum(1.4826 * _weighted_median(code, deviation, n), MIN_SPREAD)

    row = pd.Index(keys).get_indexer(key)
    known = (row >= 0) & ~np.isnan(dose)
    at, x = np.where(known, row, 0), np.where(known, dose, 1.0)
    levels = np.unique(value)
    place = code * (len(levels) + 1) + np.searchsorted(levels, value)
    before = np.r_[0, np.cumsum(n)]
    below = before[np.searchsorted(place, at * (len(levels) + 1) + np.searchsorted(levels, x, "left"))]
    up_to = before[np.searchsorted(place, at * (len(levels) + 1) + np.searchsorted(levels, x, "right"))]
    first = before[np.searchsorted(code, at)]
    log_ratio = np.log(x) - np.log(median[at])
    found = (
        np.clip(log_ratio, -FURTHEST, FURTHEST),
        np.clip(log_ratio / spread[at], -FURTHEST, FURTHEST),
        1 - (below - first) / total[at],
        (up_to - below) / total[at],
        median[at],
    )
    return {name: np.where(known, column, np.nan) for name, column in zip(names, found, strict=True)}


def _weighted_median(
    code: NDArray[np.int64], value: NDArray[np.float64], n: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Lower weighted median of each group; the groups are 0…k-1 and none is empty."""
    order = np.lexsort((value, code))
    cumulated = np.cumsum(n[order])
    total = np.bincount(code, n)
    start = np.cumsum(total) - total
    return value[order][np.searchsorted(cumulated, start + total / 2, "left")]
