"""Probabilities that mean what they say: recalibration on a later slice, and how far off they are."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Kind = Literal["identity", "platt", "isotonic"]
EDGE = 1e-6  # no probability of exactly 0 or 1: their log-odds are infinite
MIN_POSITIVES = 5  # fewer cannot place a curve; the raw probability is kept and the report says so
FORESEEN = 20.0  # positives that a calibrator from elsewhere is taken to have foreseen, beside those of the new place
FARTHEST = 40.0  # log-odds
ISOTONIC_POSITIVES = 200  # below, the steps of an isotonic fit follow the noise


@dataclass(frozen=True, slots=True)
class Calibrator:
    """A monotone map from raw to calibrated probability, small enough to be read in a JSON file."""

    kind: Kind
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()
    factor: float = 1.0  # the probability is multiplied by it

    def apply(self, probability: ArrayLike) -> Array:
        """Calibrated probabilities, shape (n,)."""
        raw = clip(probability)
        if self.kind == "platt":
            found = sigmoid(self.x[0] * logit(raw) + self.x[1])
        else:
            found = clip(np.interp(raw, self.x, self.y)) if self.kind == "isotonic" else raw
        return found if self.factor == 1 else clip(self.factor * found)

    def shifted(self, intercept: float) -> "Calibrator":
        """The same, with so much more log-odds everywhere, before the factor."""
        if self.kind == "isotonic":
            return replace(self, y=tuple(sigmoid(logit(clip(self.y)) + intercept).tolist()))
        slope, first = self.x if self.kind == "platt" else (1.0, 0.0)
        return replace(self, kind="platt", x=(slope, first + intercept))

    def scaled(self, factor: float) -> "Calibrator":
        """The same, with probabilities that many times as high everywhere."""
        return replace(self, factor=self.factor * factor)

    def as_dict(self) -> dict[str, Any]:
        """For the model's folder."""
        return {"kind": self.kind, "x": list(self.x), "y": list(self.y), "factor": self.factor}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Calibrator":
        """The inverse of :meth:`as_dict`; a calibrator that was written before there were factors has 1."""
        return cls(values["kind"], tuple(values["x"]), tuple(values["y"]), values.get("factor", 1.0))


def fit_calibrator(probability: ArrayLike, positive: ArrayLike, method: str = "auto") -> Calibrator:
    """A calibrator from a slice that was used for nothing else.

    Args:
        probability: raw probabilities, shape (n,).
        positive: 0 or 1, shape (n,).
        method: auto (isotonic with enough positives, else Platt), platt or isotonic.
    """
    raw, truth = clip(probability), np.asarray(positive, dtype=np.float64)
    if min(truth.sum(), len(truth) - truth.sum()) < MIN_POSITIVES:
        return Calibrator("identity")
    if method == "isotonic" or (method == "auto" and truth.sum() >= ISOTONIC_POSITIVES):
        return _isotonic(raw, truth)
    # Platt's targets: each class gives one pseudo-count to the other, so a perfect slice stays finite.
    hits = truth.sum()
    target = np.where(truth > 0, (hits + 1) / (hits + 2), 1 / (len(truth) - hits + 2))
    return Calibrator("platt", logistic_line(logit(raw), target))


def _isotonic(raw: Array, truth: Array) -> Calibrator:
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=EDGE, y_max=1 - EDGE, out_of_bounds="clip").fit(raw, truth)
    return Calibrator("isotonic", tuple(fitted.X_thresholds_.tolist()), tuple(fitted.y_thresholds_.tolist()))


def logistic_line(x: Array, target: Array, steps: int = 100) -> tuple[float, float]:
    """Slope and intercept of a one-variable logistic regression; targets may be fractions.

    Newton's steps are halved until the loss falls: from a saturated start they would overshoot for ever.
    """
    design = np.column_stack([x, np.ones_like(x)])
    coefficients = np.array([0.0, float(logit(clip(target.mean())))])
    loss = _log_loss(design @ coefficients, target)
    for _ in range(steps):
        fitted = sigmoid(design @ coefficients)
        curvature = (design * (fitted * (1 - fitted))[:, None]).T @ design + 1e-9 * np.eye(2)
        change = np.linalg.solve(curvature, design.T @ (target - fitted))
        while (after := _log_loss(design @ (coefficients + change), target)) > loss and np.abs(change).max() > 1e-12:
            change = change / 2
        coefficients, gained, loss = coefficients + change, loss - after, after
        if gained < 1e-12 * (1 + abs(loss)):
            break
    return float(coefficients[0]), float(coefficients[1])


def _log_loss(log_odds: Array, target: Array) -> float:
    return float(np.sum(np.logaddexp(0, log_odds) - target * log_odds))


def update_calibrator(calibrator: Calibrator, probability: ArrayLike, positive: ArrayLike) -> Calibrator:
    """A calibrator moved to another place, by no more than the rows from there can tell.

    One number moves it, the nearer to none the fewer positives there are. Where less is seen than expected, it is taken
    for overlooked, and each probability is multiplied by it; where more is, which no factor can say of a probability
    near 1, log-odds are shifted. From `FORESEEN` of either outcome on, another intercept or a new line (Platt) is taken
    instead where it is likelier by more than its numbers cost (Schwarz, Ann Stat 1978;6:461).

    Args:
        probability: raw probabilities, shape (n,).
        positive: 0 or 1, shape (n,).
    """
    raw, truth = clip(probability), np.asarray(positive, dtype=np.float64)
    if min(truth.sum(), len(truth) - truth.sum()) == 0:
        return calibrator  # of one outcome alone nobody can tell whether the other is not recorded
    expected = calibrator.apply(raw)
    choices = [_multiplied(calibrator, expected, truth) or _expecting(calibrator, raw, _drawn(expected.sum(), truth))]
    if min(truth.sum(), len(truth) - truth.sum()) >= FORESEEN:
        choices += [_expecting(calibrator, raw, truth.sum()), fit_calibrator(raw, truth, "platt")]
    costs = np.log(len(truth)) * np.arange(len(choices))
    losses = [2 * _log_loss(logit(one.apply(raw)), truth) + cost for one, cost in zip(choices, costs, strict=True)]
    return choices[int(np.argmin(losses))]


def _multiplied(calibrator: Calibrator, expected: Array, truth: Array) -> Calibrator | None:
    """With the likeliest factor, had `FORESEEN` positives more come as foreseen; None where it would be above 1."""
    from scipy.optimize import brentq

    def slope(factor: float) -> float:  # of the log-likelihood, which has one peak
        missed = ((1 - truth) * expected / (1 - factor * expected)).sum()
        return float((truth.sum() + FORESEEN) / factor - FORESEEN - missed)

    return None if slope(1.0) >= 0 else calibrator.scaled(float(brentq(slope, EDGE, 1.0)))


def _drawn(expected: float, truth: Array) -> float:
    """Positives, drawn towards those expected as if `FORESEEN` more had come as foreseen."""
    return float(expected * (truth.sum() + FORESEEN) / (expected + FORESEEN))


def _expecting(calibrator: Calibrator, raw: Array, positives: float) -> Calibrator:
    """The calibrator with log-odds shifted until it expects so many positives of these rows, or as near as it can."""
    from scipy.optimize import brentq

    def excess(shift: float) -> float:  # rising
        return float(calibrator.shifted(shift).apply(raw).sum()) - positives

    if excess(FARTHEST) <= 0:
        return calibrator.shifted(FARTHEST)
    return calibrator.shifted(-FARTHEST if excess(-FARTHEST) >= 0 else float(brentq(excess, -FARTHEST, FARTHEST)))


def reliability(probability: ArrayLike, positive: ArrayLike, bins: int = 10) -> list[dict[str, float]]:
    """Mean forecast and observed share in bins that hold the same number of rows."""
    forecast, truth = np.asarray(probability, float), np.asarray(positive, float)
    order = np.argsort(forecast, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return [
        {"n": len(part), "forecast": float(forecast[part].mean()), "observed": float(truth[part].mean())}
        for part in parts
    ]


def expected_calibration_error(probability: ArrayLike, positive: ArrayLike, bins: int = 10) -> float:
    """Mean distance of forecast and observed share, weighted by rows; 0 is perfect."""
    rows = reliability(probability, positive, bins)
    total = sum(row["n"] for row in rows)
    return sum(row["n"] * abs(row["forecast"] - row["observed"]) for row in rows) / total if total else float("nan")


def error_of_chance(probability: ArrayLike, bins: int = 10, draws: int = 200, seed: int = 0) -> float:
    """The expected calibration error that perfect probabilities would show on as many rows, by chance alone.

    Mean over ``draws`` outcomes drawn from the probabilities themselves: an error not above it says nothing.
    """
    forecast, rng = np.asarray(probability, float), np.random.default_rng(seed)
    drawn = (rng.random(len(forecast)) < forecast for _ in range(draws))
    return float(np.mean([expected_calibration_error(forecast, outcome, bins) for outcome in drawn]))


def brier(probability: ArrayLike, positive: ArrayLike) -> float:
    """Mean squared distance of probability and outcome."""
    return float(np.mean((np.asarray(probability, float) - np.asarray(positive, float)) ** 2))


def brier_skill(probability: ArrayLike, positive: ArrayLike, base_rate: float | None = None) -> float:
    """Share of the Brier score of a constant forecast that is gained; 0 is no better, negative is worse.

    Args:
        base_rate: the constant; default: the share of positives in these rows.
    """
    truth = np.asarray(positive, float)
    constant = truth.mean() if base_rate is None else base_rate
    reference = brier(np.full(len(truth), constant), truth)
    return 1 - brier(probability, truth) / reference if reference else float("nan")


def calibration_line(probability: ArrayLike, positive: ArrayLike) -> tuple[float, float]:
    """Slope (1 is right, below 1 too sure) and intercept (0 is right, below 0 too high) on the log-odds scale."""
    truth = np.asarray(positive, float)
    if min(truth.sum(), len(truth) - truth.sum()) < MIN_POSITIVES:
        return float("nan"), float("nan")
    return logistic_line(logit(clip(probability)), truth)


def calibration_slope_error(probability: ArrayLike, positive: ArrayLike) -> float:
    """Standard error of the slope of :func:`calibration_line`, from the information of its fit."""
    truth = np.asarray(positive, float)
    slope, intercept = calibration_line(probability, positive)
    if not np.isfinite(slope):
        return float("nan")
    x = logit(clip(probability))
    design = np.column_stack([x, np.ones_like(x)])
    fitted = sigmoid(slope * x + intercept)
    information = (design * (fitted * (1 - fitted))[:, None]).T @ design
    if np.linalg.cond(information) > 1e12 or not len(truth):
        return float("nan")
    return float(np.sqrt(np.linalg.inv(information)[0, 0]))


def clip(probability: ArrayLike) -> Array:
    """Probabilities away from 0 and 1."""
    return np.clip(np.asarray(probability, dtype=np.float64), EDGE, 1 - EDGE)


def logit(probability: Array) -> Array:
    """Log-odds."""
    return np.log(probability) - np.log1p(-probability)


def sigmoid(log_odds: Array) -> Array:
    """The inverse of :func:`logit`, without overflow."""
    return 0.5 * (1 + np.tanh(np.asarray(log_odds) / 2))
