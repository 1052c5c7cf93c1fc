"""Confidence intervals by resampling patients: the orders of one patient are not independent."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Statistic = Callable[[NDArray[np.float64]], float]  # row weights -> value


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its percentile interval; ``resamples`` counts those in which the value exists."""

    value: float
    low: float
    high: float
    resamples: int

    def as_dict(self) -> dict[str, float | int | None]:
        """For JSON, where NaN does not exist."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        return {**{name: _or_none(x) for name, x in numbers.items()}, "resamples": self.resamples}


def cluster_weights(clusters: NDArray[Any], resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each row is drawn when whole clusters are drawn with replacement; shape (n,) each time."""
    _, cluster = np.unique(clusters, return_inverse=True)
    count = int(cluster.max(initial=-1)) + 1
    generator = np.random.default_rng(seed)
    for _ in range(resamples):
        drawn = np.bincount(generator.integers(0, count, count), minlength=count)
        yield drawn[cluster].astype(np.float64)


def cluster_interval(
    statistic: Statistic, clusters: NDArray[Any], *, resamples: int = 300, level: float = 0.95, seed: int = 0
) -> Interval:
    """Percentile bootstrap of a statistic that accepts row weights.

    Args:
        statistic: gives the value for weights of shape (n,), NaN where it does not exist (one class only).
        clusters: patient of each row, shape (n,).
    """
    value = statistic(np.ones(len(clusters)))
    draws = np.array([statistic(weights) for weights in cluster_weights(clusters, resamples, seed)])
    draws = draws[np.isfinite(draws)]
    if len(draws) == 0:
        return Interval(value, np.nan, np.nan, 0)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), len(draws))


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
