"""The usual dose of each drug, learned from other patients' orders, and how far an order is from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, joined
from models.prescription_review.dose_errors import FACTORS, SHARES

# What is compared → its column, and what must be the same: the dose of a day, the same with such failing kidneys; the
# dose of an intake, how many intakes, by which route.
MEASURES: dict[str, tuple[str, tuple[str, ...]]] = {
    "daily": ("daily", ("product", "unit", "route")),
    "kidney": ("daily_by_clearance", ("product", "unit", "route", "clearance_band")),
    "filtration": ("daily_by_filtration", ("product", "unit", "route", "filtration_band")),
    "dose": ("dose", ("product", "unit", "route")),
    "per_day": ("per_day", ("drug", "route")),
    "route_code": ("route_code", ("drug",)),
}
OWN_WORDS = "route_code"  # the measure that is a hospital's way to write, and says nothing elsewhere
MIN_SPREAD = 0.1  # log scale: a drug given at one dose only still has some play
FURTHEST = 10.0
SAME = 1e-6  # relative: a dose and another one times the factor of an error are computed differently
FLOOR = 0.002  # of a share: no dose is impossible
# Orders for which all drugs together count beside those of one: that nobody of twenty had half of the most usual dose
# says less than that nobody of two thousand had. (Of a route: how often this word stands where that one is most usual.)
OF_ALL = 50.0
NAMES = ("log_ratio", "z", "share_above", "commonness", "error_ratio")
OF_KIDNEYS = ("log_ratio", "share_above", "commonness", "error_ratio")
SAID = {"daily": NAMES, "kidney": OF_KIDNEYS, "filtration": OF_KIDNEYS, "dose": NAMES,
        "per_day": ("share_above", "commonness"), "route_code": ("commonness",)}  # fmt: skip
COMPARED = tuple(f"{measure}_{name}" for measure, names in SAID.items() for name in names)


@dataclass(frozen=True)
class DoseReference:
    """Counts of each dose, rhythm and route: columns measure, key, value, n. A key is a drug with what must agree."""

    counts: pd.DataFrame

    @classmethod
    def learn(cls, orders: Columns, min_patients: int) -> DoseReference:
        """Args: columns of ``MEASURES``, their keys and person_id; ``min_patients``: below, a key is left out."""
        parts = []
        for measure, (column, keys) in MEASURES.items():
            key = joined(*(orders[name] for name in keys))
            rows = pd.DataFrame({"key": key, "value": orders[column], "person_id": orders["person_id"]}).dropna()
            patients = rows.groupby("key")["person_id"].nunique()
            rows = rows[rows["key"].map(patients) >= min_patients]
            counts = rows.groupby(["key", "value"], as_index=False).size().rename(columns={"size": "n"})
            parts.append(counts.assign(measure=measure))
        counts = pd.concat(parts, ignore_index=True)[["measure", "key", "value", "n"]]
        return cls(counts.sort_values(["measure", "key", "value"], ignore_index=True))

    def beside(self, here: DoseReference) -> DoseReference:
        """What is usual at both hospitals, seen from here: of no key more orders from there than from here.

        A key that is unknown here is taken whole; a hospital's own words are not taken.
        """
        by = ["measure", "key"]
        there = self.counts[self.counts["measure"] != OWN_WORDS]
        most = here.counts.groupby(by)["n"].sum().reindex(pd.MultiIndex.from_frame(there[by])).to_numpy()
        share = np.fmin(most / there.groupby(by)["n"].transform("sum").to_numpy(), 1.0)  # NaN: unknown here
        taken = there.assign(n=np.rint(there["n"].to_numpy() * share).astype(np.int64))
        both = pd.concat([here.counts, taken[taken["n"] > 0]], ignore_index=True)
        return type(self)(both.groupby([*by, "value"], as_index=False)[["n"]].sum())

    def write(self, path: Path) -> None:
        """Write the counts as CSV, doses with every digit."""
        self.counts.to_csv(path, index=False, lineterminator="\n")

    @classmethod
    def read(cls, path: Path) -> DoseReference:
        """The inverse of :meth:`write`."""
        counts = pd.read_csv(path, float_precision="round_trip", dtype={"key": str}, keep_default_na=False)
        return cls(counts)

    def compare(self, orders: Columns) -> Columns:
        """For each order and measure: log of dose over median, robust z, share of orders above, and how common it is.

        Each says the same where many orders are known and where few are: shares are drawn towards those of all drugs,
        told by how many times its most usual dose is taken. ``share_above`` counts half of the equal ones: the lowest
        of the usual doses has less than a dose below all of them. ``commonness`` is 1 for the most usual dose, in
        proportion to it for the others. ``error_ratio`` is the log of how likely the dose is as a usual one written
        wrongly (``dose_errors``), over how likely as a usual one. NaN where the key is unknown. A word that no drug is
        known with is another hospital's way to write, not an unusual one.
        """
        key = {keys: joined(*(orders[name] for name in keys)) for _, keys in MEASURES.values()}
        found = {
            f"{measure}_{name}": values
            for measure, (column, keys) in MEASURES.items()
            for name, values in self._usages[measure].compare(key[keys], orders[column].astype(float)).items()
        }
        word, common = orders[OWN_WORDS].astype(float), f"{OWN_WORDS}_commonness"
        foreign = ~np.isnan(word) & ~np.isin(word, self._usages[OWN_WORDS].levels)
        found[common] = np.where(foreign, 1.0, found[common])
        return found

    @cached_property
    def _usages(self) -> dict[str, _Usage]:
        return {measure: _Usage.of(self.counts[self.counts["measure"] == measure]) for measure in MEASURES}


@dataclass(frozen=True)
class _Usage:
    """The doses of one measure, in the form in which an order is looked up."""

    keys: pd.Index
    total: NDArray[Any]  # orders of each key
    median: NDArray[Any]
    spread: NDArray[Any]  # of the logarithms
    mode: NDArray[Any]  # the most usual dose of each key; of several the lowest
    first: NDArray[Any]  # of the rows of each key
    levels: NDArray[Any]  # distinct doses
    place: NDArray[Any]  # of each row: key, then dose
    before: NDArray[Any]  # orders in the rows before each
    times: NDArray[Any]  # distinct multiples of the most usual dose, over all keys
    lower: NDArray[Any]  # share of all orders with a smaller one than each; one more at the end

    @classmethod
    def of(cls, counts: pd.DataFrame) -> _Usage:
        """Args: counts of one measure, sorted by key and value."""
        number, keys = pd.factorize(counts["key"], sort=True)
        code, value, n = np.asarray(number), counts["value"].to_numpy(float), counts["n"].to_numpy(float)
        if not len(keys):
            return cls(pd.Index(keys), *(np.empty(0),) * 10)
        median = _weighted_median(code, value, n)
        deviation = np.abs(np.log(value) - np.log(median)[code])
        spread = np.maximum(1.4826 * _weighted_median(code, deviation, n), MIN_SPREAD)
        first, levels = np.searchsorted(code, np.arange(len(keys))), np.unique(value)
        mode = value[np.lexsort((value, -n, code))][first]
        times, at = np.unique(value / mode[code], return_inverse=True)
        return cls(
            pd.Index(keys), np.bincount(code, n), median, spread, mode, first, levels,
            code * (len(levels) + 1) + np.searchsorted(levels, value), np.r_[0, np.cumsum(n)],
            times, np.r_[0, np.cumsum(np.bincount(at, n))] / n.sum(),
        )  # fmt: skip

    def compare(self, key: NDArray[Any], dose: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """``NAMES`` and the median of each order; NaN where the key or the dose is not known."""
        if not len(self.keys):
            return {name: np.full(len(dose), np.nan) for name in (*NAMES, "median")}
        row = self.keys.get_indexer(pd.Index(key))
        known = (row >= 0) & ~np.isnan(dose)
        at, x = np.where(known, row, 0), np.where(known, dose, 1.0)
        log_ratio = np.log(x) - np.log(self.median[at])
        equal = self._equal(at, x)
        source = np.stack([self._equal(at, x / factor) for factor in FACTORS]).T @ SHARES
        found = {
            "log_ratio": np.clip(log_ratio, -FURTHEST, FURTHEST),
            "z": np.clip(log_ratio / self.spread[at], -FURTHEST, FURTHEST),
            "share_above": 1 - self._below(at, x * (1 - SAME)) - equal / 2,
            "commonness": equal / self._most[at],
            "error_ratio": np.log((source + FLOOR) / (equal + FLOOR)),
            "median": self.median[at],
        }
        return {name: np.where(known, column, np.nan) for name, column in found.items()}

    @cached_property
    def _most(self) -> NDArray[np.float64]:
        """Share of the most usual dose of each key."""
        return self._equal(np.arange(len(self.keys)), self.mode)

    def _equal(self, at: NDArray[Any], dose: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._below(at, dose * (1 + SAME)) - self._below(at, dose * (1 - SAME))

    def _below(self, at: NDArray[Any], dose: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of the orders of a key with a lower dose, drawn towards that of all keys."""
        place = at * (len(self.levels) + 1) + np.searchsorted(self.levels, dose)
        own = self.before[np.searchsorted(self.place, place)] - self.before[self.first[at]]
        of_all = self.lower[np.searchsorted(self.times, dose / self.mode[at])]
        found: NDArray[np.float64] = (own + OF_ALL * of_all) / (self.total[at] + OF_ALL)
        return found


def _weighted_median(
    code: NDArray[np.int64], value: NDArray[np.float64], n: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Lower weighted median of each group; the groups are 0…k-1 and none is empty."""
    order = np.lexsort((value, code))
    cumulated = np.cumsum(n[order])
    total = np.bincount(code, n)
    start = np.cumsum(total) - total
    return value[order][np.searchsorted(cumulated, start + total / 2, "left")]
