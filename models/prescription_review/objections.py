"""How often pharmacists objected to the same before: to a finding of a rule, or to a drug beside another thing.

A rule that fires on every ward and is never followed says less than one that is always followed; only the reviews tell
them apart. Each rate is drawn towards that of what is more general, the fewer reviews there are of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, factorized
from models.prescription_review.rules import CATEGORIES
from models.prescription_review.situations import BESIDE

Array = NDArray[np.float64]
KINDS = (*CATEGORIES, *BESIDE)
OBJECTED = tuple(f"objected_{kind}" for kind in KINDS)
# How a situation is named, from the general to the particular → orders that the rate above it counts for.
LEVELS = {"kind": 20.0, "coarse": 10.0, "fine": 5.0}
EVERY = "every order"


@dataclass(frozen=True)
class Objections:
    """Reviewed orders and those that a pharmacist objected to: columns level, key, orders, objections."""

    counts: pd.DataFrame

    @classmethod
    def learn(cls, orders: Columns, beside: Columns, label: Array, min_patients: int) -> Objections:
        """Count what the reviews said.

        Args:
            orders: column person_id; ``beside``: their situations.
            label: 1 (intervention), 0 (accepted) or NaN (not reviewed), shape (orders,).
            min_patients: a situation of fewer is not kept.
        """
        reviewed = ~np.isnan(label)
        parts = [pd.DataFrame({"level": [EVERY], "key": [""], "orders": [reviewed.sum()],
                               "objections": [np.nansum(label)]})]  # fmt: skip
        told = np.flatnonzero(reviewed[beside["at"]])
        at = beside["at"][told]
        for level in LEVELS:
            rows = pd.DataFrame({"at": at, "key": beside[level][told]}).drop_duplicates()
            rows["label"], rows["person"] = label[rows["at"]], orders["person_id"][rows["at"]]
            found = rows.groupby("key", as_index=False).agg(
                orders=("label", "size"), objections=("label", "sum"), patients=("person", "nunique")
            )
            parts.append(found[found["patients"] >= min_patients].drop(columns="patients").assign(level=level))
        counts = pd.concat(parts, ignore_index=True)[["level", "key", "orders", "objections"]]
        return cls(counts.astype({"orders": np.int64, "objections": np.int64}))

    def plus(self, other: Objections) -> Objections:
        """The reviews of both."""
        both = pd.concat([self.counts, other.counts], ignore_index=True)
        return type(self)(both.groupby(["level", "key"], as_index=False, sort=False)[["orders", "objections"]].sum())

    def write(self, path: Path) -> None:
        """Write the counts as CSV."""
        self.counts.to_csv(path, index=False, lineterminator="\n")

    @classmethod
    def read(cls, path: Path) -> Objections:
        """The inverse of :meth:`write`."""
        return cls(pd.read_csv(path, dtype={"level": str, "key": str}, keep_default_na=False))

    def compare(self, orders: Columns, beside: Columns) -> Columns:
        """``OBJECTED``: of each kind of situation of an order the highest rate; 0 without one. Shape (orders,) each."""
        rate, number = self.rates(beside), len(orders["drug"])
        found = {}
        for kind, name in zip(KINDS, OBJECTED, strict=True):
            rows = np.flatnonzero(beside["kind"] == kind)
            found[name] = np.zeros(number)
            np.maximum.at(found[name], beside["at"][rows], rate[rows])
        return found

    def rates(self, beside: Columns) -> Array:
        """Share of the orders in each situation to which a pharmacist objected, shape (situations,)."""
        orders, objections = self._counted[EVERY].get("", (0, 0))
        rate = np.full(len(beside["at"]), objections / max(orders, 1))
        for level, weight in LEVELS.items():
            number, keys = factorized(beside[level])
            counted = np.array([self._counted[level].get(key, (0, 0)) for key in keys], dtype=float).reshape(-1, 2)
            orders, objections = counted[number].T
            rate = (objections + weight * rate) / (orders + weight)
        return rate

    @cached_property
    def _counted(self) -> dict[str, dict[str, tuple[int, int]]]:
        found: dict[str, dict[str, tuple[int, int]]] = {level: {} for level in (EVERY, *LEVELS)}
        for level, key, orders, objections in self.counts.itertuples(index=False):
            found[level][key] = (orders, objections)
        return found
