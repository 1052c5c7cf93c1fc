"""How well a score puts positives first: AUROC, average precision, precision within an alert budget."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Rows in falling order of score, equal scores together: sorted once, weighted many times (bootstrap)."""

    order: NDArray[np.int64]
    positive: Array
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, positive: ArrayLike, score: ArrayLike) -> "Ranking":
        """Args: two arrays of shape (n,); ``positive`` holds 0 and 1, a score that is NaN comes last."""
        values = np.nan_to_num(np.asarray(score, dtype=np.float64), nan=-np.inf)
        order = np.argsort(-values, kind="stable")
        ordered = values[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(ordered) else np.array([], int)
        return cls(order, np.asarray(positive, dtype=np.float64)[order], starts)

    def _groups(self, weights: Array | None) -> tuple[Array, Array]:
        weight = np.ones(len(self.order)) if weights is None else np.asarray(weights)[self.order]
        if len(self.order) == 0:
            return np.array([]), np.array([])
        hits = np.add.reduceat(weight * self.positive, self.starts)
        return hits, np.add.reduceat(weight, self.starts) - hits

    def auroc(self, weights: Array | None = None) -> float:
        """Chance that a positive is above a negative, ties counted half; NaN with one class only."""
        hits, misses = self._groups(weights)
        if hits.sum() == 0 or misses.sum() == 0:
            return float("nan")
        above = np.cumsum(hits) - hits
        return float((misses * (above + hits / 2)).sum() / (hits.sum() * misses.sum()))

    def average_precision(self, weights: Array | None = None) -> float:
        """Area under precision against recall, in steps; read it beside the prevalence. NaN without positives."""
        hits, misses = self._groups(weights)
        if hits.sum() == 0:
            return float("nan")
        found = np.cumsum(hits)
        alerts = found + np.cumsum(misses)
        precision = np.divide(found, alerts, out=np.zeros_like(found), where=alerts > 0)
        return float((hits * precision).sum() / hits.sum())

    def hits_at(self, budget: float, weights: Array | None = None) -> tuple[float, float]:
        """Positives among the alerts, and alerts, when ``budget`` (0–1) of the rows may raise one.

        Where the budget ends inside equal scores, the expected number is taken: the order of ties is no merit.
        """
        hits, misses = self._groups(weights)
        rows = hits + misses
        allowed = budget * rows.sum()
        before = np.cumsum(rows) - rows
        taken = np.clip(allowed - before, 0, rows)
        share = np.divide(taken, rows, out=np.zeros_like(rows), where=rows > 0)
        return float((hits * share).sum()), float(taken.sum())

    def precision_at(self, budget: float, weights: Array | None = None) -> float:
        """Share of alerts that are right, within the budget; NaN without any alert."""
        found, alerts = self.hits_at(budget, weights)
        return found / alerts if alerts else float("nan")

    def recall_at(self, budget: float, weights: Array | None = None) -> float:
        """Share of the positives that the alerts find, within the budget; NaN without positives."""
        total = float(self._groups(weights)[0].sum())
        return self.hits_at(budget, weights)[0] / total if total else float("nan")
