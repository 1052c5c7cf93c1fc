"""What every model's report holds: discrimination beside its baselines, calibration, subgroups, with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import calibration
from models.bootstrap import Interval, cluster_interval
from models.ranking import Ranking

Array = NDArray[np.float64]
SUBGROUP_POSITIVES = 10  # fewer positives: the subgroup is counted, its figures are not given


@dataclass(frozen=True)
class Sample:
    """Rows that are scored once. Arrays have shape (n,).

    Attributes:
        positive: 0 or 1.
        person: cluster of the bootstrap.
        scores: name → score; the first is the model, the others are baselines on the same rows.
        probability: the model's calibrated probability.
        groups: what the rows are divided by (age, sex…) → group of each row.
    """

    positive: Array
    person: NDArray[Any]
    scores: Mapping[str, Array]
    probability: Array
    groups: Mapping[str, NDArray[Any]] = field(default_factory=dict)


def evaluate(
    sample: Sample, *, budgets: Sequence[float] = (0.01, 0.05, 0.1), resamples: int = 300, seed: int = 0
) -> dict[str, Any]:
    """Every figure of the report, ready for JSON.

    Args:
        budgets: shares (0–1) of the rows that may raise an alert.
    """
    positives = int(sample.positive.sum())
    rankings = {name: Ranking.of(sample.positive, score) for name, score in sample.scores.items()}
    return {
        "rows": len(sample.positive),
        "persons": len(np.unique(sample.person)),
        "positives": positives,
        "prevalence": positives / len(sample.positive) if len(sample.positive) else None,
        "resamples": resamples,
        "scores": {
            name: _discrimination(ranking, sample, budgets, resamples, seed) for name, ranking in rankings.items()
        },
        "gain_over": _gains(rankings, sample, resamples, seed),
        "calibration": {
            **calibration_figures(sample.probability, sample.positive),
            "ece_interval": _error_interval(sample, resamples, seed),
            "ece_of_chance": calibration.error_of_chance(sample.probability, seed=seed),
        },
        "subgroups": [
            row for by, groups in sample.groups.items() for row in _subgroups(by, groups, sample, resamples, seed)
        ],
    }


def _discrimination(
    ranking: Ranking, sample: Sample, budgets: Sequence[float], resamples: int, seed: int
) -> dict[str, Any]:
    def interval(statistic: Any) -> dict[str, Any]:
        return cluster_interval(statistic, sample.person, resamples=resamples, seed=seed).as_dict()

    at_budget = [
        {
            "budget": budget,
            "precision": interval(lambda weights, at=budget: ranking.precision_at(at, weights)),
            "recall": interval(lambda weights, at=budget: ranking.recall_at(at, weights)),
        }
        for budget in budgets
    ]
    return {
        "auroc": interval(ranking.auroc),
        "average_precision": interval(ranking.average_precision),
        "at_budget": at_budget,
    }


def _gains(rankings: Mapping[str, Ranking], sample: Sample, resamples: int, seed: int) -> dict[str, Any]:
    """Model minus each baseline, on the same resamples: overlapping intervals would hide a paired difference."""
    model, *baselines = rankings
    best = rankings[model]

    def gain(other: Ranking, figure: str) -> Interval:
        def difference(weights: Array) -> float:
            return float(getattr(best, figure)(weights) - getattr(other, figure)(weights))

        return cluster_interval(difference, sample.person, resamples=resamples, seed=seed)

    return {
        name: {figure: gain(rankings[name], figure).as_dict() for figure in ("auroc", "average_precision")}
        for name in baselines
    }


def calibration_figures(probability: Array, positive: Array) -> dict[str, Any]:
    """ECE (10 bins of equal mass), Brier score and skill, slope and intercept, and the bins themselves."""
    slope, intercept = calibration.calibration_line(probability, positive)
    figures = {
        "ece": calibration.expected_calibration_error(probability, positive),
        "brier": calibration.brier(probability, positive),
        "brier_skill": calibration.brier_skill(probability, positive),
        "slope": slope,
        "slope_error": calibration.calibration_slope_error(probability, positive),
        "intercept": intercept,
        "mean_forecast": float(np.mean(probability)),
        "observed_rate": float(np.mean(positive)),
    }
    finite = {name: value if np.isfinite(value) else None for name, value in figures.items()}
    return {**finite, "bins": calibration.reliability(probability, positive)}


def _error_interval(sample: Sample, resamples: int, seed: int) -> dict[str, Any]:
    """Of the expected calibration error; resampling adds noise of its own, so it lies a little high."""

    def error(weights: Array) -> float:
        drawn = np.repeat(np.arange(len(weights)), weights.astype(np.int64))
        return calibration.expected_calibration_error(sample.probability[drawn], sample.positive[drawn])

    return cluster_interval(error, sample.person, resamples=resamples, seed=seed).as_dict()


def _subgroups(by: str, groups: NDArray[Any], sample: Sample, resamples: int, seed: int) -> list[dict[str, Any]]:
    score = next(iter(sample.scores.values()))
    rows = []
    for group in np.unique(groups):
        here = groups == group
        positive = sample.positive[here]
        row: dict[str, Any] = {
            "by": by,
            "group": str(group),
            "n": int(here.sum()),
            "positives": int(positive.sum()),
            "prevalence": float(positive.mean()),
            "mean_forecast": float(sample.probability[here].mean()),
            "auroc": None,
        }
        if positive.sum() >= SUBGROUP_POSITIVES and (1 - positive).sum() >= SUBGROUP_POSITIVES:
            ranking = Ranking.of(positive, score[here])
            row["auroc"] = cluster_interval(
                ranking.auroc, sample.person[here], resamples=resamples, seed=seed
            ).as_dict()
        rows.append(row)
    return rows


def headline(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """The few numbers that a registry keeps as metrics: flat names, finite values only."""
    model, figures = next(iter(evaluation["scores"].items()))
    numbers: dict[str, float | None] = {
        "rows": evaluation["rows"],
        "persons": evaluation["persons"],
        "positives": evaluation["positives"],
        "prevalence": evaluation["prevalence"],
    }
    for name, scores in evaluation["scores"].items():
        prefix = "" if name == model else f"{name}."
        numbers[f"{prefix}auroc"] = scores["auroc"]["value"]
        numbers[f"{prefix}average_precision"] = scores["average_precision"]["value"]
    for row in figures["at_budget"]:
        at = f"{row['budget'] * 100:g}_per_100"
        numbers[f"precision_at_{at}"] = row["precision"]["value"]
        numbers[f"recall_at_{at}"] = row["recall"]["value"]
    for name in ("ece", "brier", "brier_skill"):
        numbers[name] = evaluation["calibration"][name]
    return {name: float(value) for name, value in numbers.items() if value is not None}
