"""Each order's dose among those that other patients got of the same drug, unit and route."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, Rows
from models.prescription_review.dose_errors import FACTORS, SHARES

Array = NDArray[np.float64]

EQUAL = 0.004  # on the log scale: doses that differ by less are the same dose, written or computed differently
WINDOWS = (0.1, 0.45, 0.75, 1.2, 2.0)  # log scale
SPAN = 400.0  # between the logarithms of two keys: none reaches half of it
EVERYTHING = 150.0
FLOOR = 0.002  # of a share: no dose is impossible
WEIGHTS = ("orders", "patients")  # every order counts one, or every patient does


@dataclass(frozen=True)
class _Sorted:
    """Doses by group, counted between two bounds."""

    place: Array
    before: Array

    @classmethod
    def of(cls, group: Rows, log_dose: Array, weight: Array) -> _Sorted:
        place = group * SPAN + log_dose
        order = np.argsort(place, kind="stable")
        return cls(place[order], np.r_[0.0, np.cumsum(weight[order])])

    def between(self, group: Rows, low: Array, high: Array) -> Array:
        ends = (np.searchsorted(self.place, group * SPAN + bound) for bound in (low, high))
        first, last = (self.before[end] for end in ends)
        return last - first


@dataclass(frozen=True)
class Neighbours:
    """The doses of some orders, looked up without those of the patient who is asked about."""

    people: int
    counts: dict[str, tuple[_Sorted, _Sorted]]  # of all patients, of each patient; by what counts one
    unseen: dict[str, NDArray[Any]]  # doses that no other patient has, and all: of each key, of each patient

    @classmethod
    def of(cls, key: Rows, person: Rows, dose: Array) -> Neighbours:
        """Args: codes from 0 of the key and the patient of each order, and its dose (above 0), all of shape (n,)."""
        people = int(person.max(initial=-1)) + 2  # the last one stands for a patient who has no orders here
        own, log_dose = key * people + person, np.log(dose)
        _, group, size = np.unique(own, return_inverse=True, return_counts=True)
        weights = {"orders": np.ones(len(key)), "patients": 1 / size[group] if len(key) else np.ones(0)}
        counts = {
            name: (_Sorted.of(key, log_dose, weight), _Sorted.of(own, log_dose, weight))
            for name, weight in weights.items()
        }
        alone = cls(people, counts, {})._share("orders", key, person, *_around(log_dose, EQUAL)) <= 0
        unseen = {}
        for name, weight in weights.items():
            for of, group in (("key", key), ("own", own)):
                unseen[f"{name} of {of}"] = np.bincount(group, weight * alone)
                unseen[f"all {name} of {of}"] = np.bincount(group, weight)
        return cls(people, counts, unseen)

    def describe(self, key: Rows, person: Rows, dose: Array) -> Columns:
        """Measures of each order, by name, shape (n,) each; a key or a patient without orders here is -1.

        ``error_ratio``: log of how likely the dose is as an error of a usual dose, over how likely as a usual one.
        ``over_median``: log of the dose over the median of the others.
        """
        person = np.where(person < 0, self.people - 1, person)
        log_dose = np.log(dose)
        found: Columns = {"over_median": log_dose - self._medians(key, person)}
        for name in WEIGHTS:
            total = self._share(name, key, person, *_around(log_dose, EVERYTHING))
            scale = 1 / np.maximum(total, 1e-9)
            equal = scale * self._share(name, key, person, *_around(log_dose, EQUAL))
            sources = [
                scale * self._share(name, key, person, *_around(log_dose - shift, EQUAL)) for shift in np.log(FACTORS)
            ]
            source = np.tensordot(SHARES, np.array(sources), 1)
            new = self._unseen_share(name, key, person)
            found |= {
                f"{name}_total": total,
                f"{name}_equal": equal,
                f"{name}_source": source,
                f"{name}_unseen": new,
                f"{name}_error_ratio": np.log((source + FLOOR) / (equal + FLOOR)),
                f"{name}_error_ratio_unseen": np.log((source + new / 10) / (equal + new / 10)),
            }
            if name == "patients":
                found |= {f"source_{factor:.3g}": share for factor, share in zip(FACTORS, sources, strict=True)}
                found |= {
                    f"within_{width}": scale * self._share(name, key, person, *_around(log_dose, width))
                    for width in WINDOWS
                }
                above = self._share(name, key, person, log_dose + EQUAL, np.full(len(dose), EVERYTHING))
                found |= {
                    "share_above": scale * above,
                    "share_below": np.clip(1 - scale * above - equal, 0, 1),
                    "patients_above": above,
                    "patients_below": np.maximum(total * (1 - equal) - above, 0),
                }
        return found

    def _share(self, name: str, key: Rows, person: Rows, low: Array, high: Array) -> Array:
        everyone, each = self.counts[name]
        count = everyone.between(key, low, high) - each.between(key * self.people + person, low, high)
        return np.where(count > 1e-6, count, 0.0)

    def _medians(self, key: Rows, person: Rows) -> Array:
        """Logarithm of the median dose of the other patients' orders, the lower of two; NaN where they have none."""
        everyone, _ = self.counts["orders"]
        pairs, pair = np.unique(key * self.people + person, return_inverse=True)
        key, person = np.divmod(pairs, self.people)
        everything = np.full(len(pairs), EVERYTHING)
        total = self._share("orders", key, person, -everything, everything)
        low, high = (np.searchsorted(everyone.place, key * SPAN + end) for end in (-EVERYTHING, EVERYTHING))
        while (low < high).any():  # the place of the first dose up to which half of the others lie
            middle = (low + high) // 2
            dose = _at(everyone.place, middle) - key * SPAN
            enough = self._share("orders", key, person, -everything, dose + EQUAL) >= total / 2
            low, high = np.where(enough, low, np.minimum(middle + 1, high)), np.where(enough, middle, high)
        return np.where(total > 0, _at(everyone.place, low) - key * SPAN, np.nan)[pair]

    def _unseen_share(self, name: str, key: Rows, person: Rows) -> Array:
        """How often a patient's dose of this drug is one that no other patient has; a little where nobody has any."""
        own = key * self.people + person
        part, whole = (
            _at(self.unseen[f"{what} of key"], key) - _at(self.unseen[f"{what} of own"], own)
            for what in (name, f"all {name}")
        )
        return (np.maximum(part, 0) + 0.1) / (np.maximum(whole, 0) + 1)


def _around(log_dose: Array, width: float) -> tuple[Array, Array]:
    return log_dose - width, log_dose + width


def _at(counts: Array, number: Rows) -> Array:
    """The count of each number; 0 for one that was never counted."""
    inside = (number >= 0) & (number < len(counts))
    return np.where(inside, counts[np.where(inside, number, 0)], 0.0) if len(counts) else np.zeros(len(number))
