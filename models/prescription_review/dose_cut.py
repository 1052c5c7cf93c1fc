"""Where the doses of a drug become overdoses, seen from the shape of its use alone.

A drug is its distinct daily doses and how many orders have each. A cut lies above one of them: the levels above it are
overdoses. What the true cut looks like is learned from drugs for which it is known; the probability that a level lies
above the cut never falls with the dose, and does not depend on the unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from passerelle.errors import TerminalError

Array = NDArray[np.float64]

SAME = 1e-6  # relative: doses nearer than this are one level, written or computed differently
RIDGES = (0.1, 0.3, 1.0, 3.0)
SHARPNESS = 4  # of the target: a cut that flags nearly the right orders is nearly right
FEATURES = ("log share above", "its square", "log of orders at the level over orders above", "share of levels up to it")
MATCH = "the maximum daily dose lies between this level and the next"


class NoDrugToLearnFrom(TerminalError):
    """Not one drug has orders on either side of a known cut."""


@dataclass(frozen=True)
class Usage:
    """One drug: ``level`` are its distinct daily doses in rising order, ``orders`` how many have each; shape (L,)."""

    level: Array
    orders: Array

    @classmethod
    def of(cls, daily: Array, orders: Array | None = None) -> Usage:
        """Args: daily doses in one unit, any order, shape (n,); those missing or not above 0 are left out."""
        daily = np.asarray(daily, dtype=np.float64)
        weight = np.ones(len(daily)) if orders is None else np.asarray(orders, dtype=np.float64)
        kept = np.isfinite(daily) & (daily > 0)
        order = np.argsort(daily[kept], kind="stable")
        dose, weight = daily[kept][order], weight[kept][order]
        first = np.r_[True, dose[1:] > dose[:-1] * (1 + SAME)][: len(dose)]
        start = np.flatnonzero(first)
        return cls(dose[start], np.add.reduceat(weight, start) if len(start) else np.empty(0))

    @property
    def share_above(self) -> Array:
        """Share of the orders above each level, shape (L,); 0 at the last."""
        above = np.cumsum(self.orders[::-1])[::-1] - self.orders
        return above / max(float(self.orders.sum()), 1.0)

    def levels_of(self, daily: Array) -> NDArray[np.int64]:
        """The number of the highest level at or below each dose, shape (n,); -1 below all."""
        return np.searchsorted(self.level * (1 - SAME), np.asarray(daily, dtype=np.float64), "right") - 1

    def cut_at(self, maximum: float) -> int:
        """The cut above which a dose exceeds a maximum; -1 where even the lowest level does."""
        return int(np.searchsorted(self.level, maximum * (1 + SAME), "right")) - 1


def f1_of_cuts(usage: Usage, cut: int) -> Array:
    """F1, over orders, of each cut if ``cut`` is the true one, shape (L,)."""
    above = usage.share_above
    true = above[cut] if cut >= 0 else 1.0
    both = np.minimum(above, true)
    total = above + true
    return np.divide(2 * both, total, out=np.ones_like(above), where=total > 0)


def describe(usage: Usage, maximum: float | None = None) -> Array:
    """``FEATURES`` of each cut, shape (L, 4); with a maximum daily dose, ``MATCH`` as a fifth."""
    orders, total = usage.orders, float(usage.orders.sum())
    above = usage.share_above * total
    log_share = np.log((above + 0.5) / (total + 1))
    columns = [
        log_share,
        log_share**2,
        np.log((orders + 0.5) / (above + 0.5)),
        np.arange(1, len(orders) + 1) / max(len(orders), 1),
    ]
    if maximum is not None:
        columns.append((np.arange(len(orders)) == usage.cut_at(maximum)).astype(float))
    return np.column_stack(columns)


@dataclass(frozen=True)
class CutModel:
    """A probability for each cut of a drug: softmax of a linear score of its description."""

    mean: Array
    scale: Array
    weight: Array

    def cut_probability(self, features: Array) -> Array:
        """Args: the description of a drug's cuts, shape (L, F). Returns: shape (L,), its sum is 1."""
        return np.exp(_log_softmax((features - self.mean) / self.scale @ self.weight))

    def overdose_probability(self, features: Array) -> Array:
        """That each level lies above the cut, shape (L,): never falls with the dose."""
        chance = self.cut_probability(features)
        return np.cumsum(chance) - chance

    def best_cut(self, usage: Usage, features: Array) -> int:
        """The cut with the highest expected F1; -1 for a drug without orders."""
        if not len(usage.level):
            return -1
        chance = self.cut_probability(features)
        return int(np.argmax(chance @ np.array([f1_of_cuts(usage, cut) for cut in range(len(chance))])))


Drug = tuple[Usage, Array, int]  # its orders, the description of its cuts, and the true one


def fit(drugs: Sequence[Drug], ridges: Sequence[float] = RIDGES) -> CutModel:
    """Learn from drugs whose cut is known, each weighing the same.

    Args:
        ridges: penalties; the one whose cuts are best when each drug is left out in turn is used.
    Raises:
        NoDrugToLearnFrom: no drug has two levels.
    """
    useful = [drug for drug in drugs if len(drug[0].level) > 1]
    if not useful:
        raise NoDrugToLearnFrom(
            what="there is no drug with a known cut to learn from",
            looked=f"{len(drugs)} drugs, none with two dose levels",
            do="give drugs whose maximum daily dose is known and whose orders have at least two doses",
        )
    if len(useful) == 1 or len(ridges) == 1:
        return _fit(useful, ridges[-1])
    found = [np.mean([_f1_left_out(useful, number, ridge) for number in range(len(useful))]) for ridge in ridges]
    return _fit(useful, ridges[int(np.argmax(found))])


def _f1_left_out(drugs: Sequence[Drug], number: int, ridge: float) -> float:
    usage, features, cut = drugs[number]
    model = _fit([drug for other, drug in enumerate(drugs) if other != number], ridge)
    return float(f1_of_cuts(usage, cut)[model.best_cut(usage, features)])


def _fit(drugs: Sequence[Drug], ridge: float) -> CutModel:
    """Cross-entropy against the F1 of each cut, sharpened; a ridge; convex, so the same from any start."""
    from scipy.optimize import minimize

    every = np.concatenate([features for _, features, _ in drugs])
    mean, scale = every.mean(0), every.std(0) + 1e-9
    rows = []
    for usage, features, cut in drugs:
        good = f1_of_cuts(usage, cut) ** SHARPNESS
        rows.append(((features - mean) / scale, good / good.sum()))

    def loss(weight: Array) -> tuple[float, Array]:
        value, slope = 0.5 * ridge * float(weight @ weight), ridge * weight
        for scaled, target in rows:
            log_chance = _log_softmax(scaled @ weight)
            value -= float(target @ log_chance)
            slope = slope + (np.exp(log_chance) - target) @ scaled
        return value, slope

    return CutModel(mean, scale, minimize(loss, np.zeros(every.shape[1]), jac=True, method="L-BFGS-B").x)


def _log_softmax(score: Array) -> Array:
    centred = score - score.max(initial=-np.inf)
    return centred - np.log(np.exp(centred).sum())
