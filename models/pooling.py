"""Figures of several centres as one: random effects, because hospitals differ.

DerSimonian and Laird's variance between centres (Control Clin Trials 1986), with the interval of Hartung, Knapp, Sidik
and Jonkman, never narrower than the classical one (Röver et al., BMC Med Res Methodol 2015): honest for few centres.
The prediction interval is where the figure of a new centre is expected (Higgins et al., J R Stat Soc A 2009). Written
here because the meta-analysis of statsmodels 0.15 lets the variance between centres become negative.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEVEL = 0.95
Z = 1.959963984540054  # of the intervals that centres report


@dataclass(frozen=True)
class Pooled:
    """One figure over the centres that give it."""

    centres: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    predicted_low: float | None = None
    predicted_high: float | None = None
    tau2: float | None = None  # variance between centres, on the scale of pooling
    i2: float | None = None  # share of the variance that is between centres

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Scale:
    """The scale on which a figure is pooled: where its error is nearly normal."""

    forward: Callable[[float], float]
    back: Callable[[float], float]


SHARE = Scale(lambda p: float(np.log(p / (1 - p))), lambda x: float(1 / (1 + np.exp(-x))))  # AUROC, average precision
RATIO = Scale(lambda r: float(np.log(r)), lambda x: float(np.exp(x)))  # observed over expected
PLAIN = Scale(float, float)  # calibration slope


def pool_intervals(figures: Sequence[dict[str, Any]], scale: Scale) -> Pooled:
    """Pool figures that come with a 95 % interval.

    Args:
        figures: ``value``, ``low``, ``high`` of each centre; one with none is left out.
    """
    known = [row for row in figures if None not in (row.get("value"), row.get("low"), row.get("high"))]
    effects, variances = [], []
    for row in known:
        low, high = (scale.forward(_inside(row[end], scale)) for end in ("low", "high"))
        effects.append(scale.forward(_inside(row["value"], scale)))
        variances.append(((high - low) / (2 * Z)) ** 2)
    return pool(effects, variances, scale)


def pool(effects: Sequence[float], variances: Sequence[float], scale: Scale) -> Pooled:
    """Pool effects with their variances, both on the scale of pooling; the result is on the scale of the figure."""
    usable = [(e, v) for e, v in zip(effects, variances, strict=True) if np.isfinite(e) and np.isfinite(v) and v > 0]
    if not usable:
        return Pooled(0)
    effect, variance = np.array(usable).T
    centres, tau2 = len(usable), _between(effect, variance)
    weight = 1 / (variance + tau2)
    mean = float(np.average(effect, weights=weight))
    classical = 1 / weight.sum()
    if centres == 1:
        half = Z * float(np.sqrt(classical))
        return Pooled(1, *(scale.back(x) for x in (mean, mean - half, mean + half)))
    from scipy import stats

    spread = float(np.average((effect - mean) ** 2, weights=weight)) / (centres - 1)
    error = float(np.sqrt(max(spread, classical)))
    half = float(stats.t.ppf(1 - (1 - LEVEL) / 2, centres - 1)) * error
    predicted: tuple[float | None, float | None] = (None, None)
    if centres >= 3:  # with two centres the interval has no degree of freedom
        wide = float(stats.t.ppf(1 - (1 - LEVEL) / 2, centres - 2)) * float(np.sqrt(tau2 + error**2))
        predicted = scale.back(mean - wide), scale.back(mean + wide)
    value, low, high = (scale.back(x) for x in (mean, mean - half, mean + half))
    return Pooled(centres, value, low, high, *predicted, tau2, _i2(effect, variance))


def _q(effect: Array, variance: Array) -> float:
    """Cochran's Q: how far the centres are from one common effect."""
    weight = 1 / variance
    return float(np.sum(weight * (effect - np.average(effect, weights=weight)) ** 2))


def _between(effect: Array, variance: Array) -> float:
    """Variance between centres; 0 where they differ less than their own errors would make them."""
    weight = 1 / variance
    scale = weight.sum() - (weight**2).sum() / weight.sum()
    return max(0.0, (_q(effect, variance) - (len(effect) - 1)) / float(scale)) if len(effect) > 1 else 0.0


def _i2(effect: Array, variance: Array) -> float:
    q = _q(effect, variance)
    return max(0.0, 1 - (len(effect) - 1) / q) if q > 0 else 0.0


def _inside(value: float, scale: Scale) -> float:
    """A share of exactly 0 or 1 has no log-odds."""
    return min(max(value, 1e-6), 1 - 1e-6) if scale is SHARE else value
