"""How a model in use fares from month to month: what its probabilities still mean, how it still tells rows apart."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bootstrap import cluster_interval
from models.evaluation import SUBGROUP_POSITIVES, Sample
from models.ranking import Ranking

Array = NDArray[np.float64]
ENOUGH = 20.0  # positives that are expected of a month; with fewer it is counted and not judged
TOLERATED = (0.8, 1.25)  # positives over expected ones


def by_month(
    sample: Sample, month: NDArray[Any], alert: NDArray[np.bool_], *, resamples: int = 300, seed: int = 0
) -> list[dict[str, Any]]:
    """Figures of each month, in order, ready for JSON.

    Args:
        month: of each row, in words that sort by time ("2025-03"); shape (n,).
        alert: whether the row raised one, shape (n,).
    Returns:
        ``month``, ``n``, ``positives``, ``expected`` (positives, by the probabilities), ``alerts_per_100``; with
        intervals by person ``ratio`` (positives over expected ones) and ``auroc``, None where there are too few.
    """
    score = next(iter(sample.scores.values()))
    rows = []
    for name in np.unique(month):
        here = month == name
        positive, probability, person = sample.positive[here], sample.probability[here], sample.person[here]
        row: dict[str, Any] = {
            "month": str(name),
            "n": int(here.sum()),
            "positives": int(positive.sum()),
            "expected": float(probability.sum()),
            "alerts_per_100": float(100 * alert[here].mean()),
            "ratio": None,
            "auroc": None,
        }
        if row["expected"] >= ENOUGH:
            ratio = partial(_ratio, positive, probability)
            row["ratio"] = cluster_interval(ratio, person, resamples=resamples, seed=seed).as_dict()
        if min(positive.sum(), (1 - positive).sum()) >= SUBGROUP_POSITIVES:
            ranking = Ranking.of(positive, score[here])
            row["auroc"] = cluster_interval(ranking.auroc, person, resamples=resamples, seed=seed).as_dict()
        rows.append(row)
    return rows


def _ratio(positive: Array, probability: Array, weights: Array) -> float:
    expected = float((weights * probability).sum())
    return float((weights * positive).sum()) / expected if expected else float("nan")


def judged(months: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The months of :func:`by_month` of which enough is expected."""
    return [row for row in months if row["ratio"]]


def noticed(months: Sequence[Mapping[str, Any]], auroc: Mapping[str, Any]) -> list[str]:
    """What is wrong with the last month that can be judged, in sentences; none where nothing is.

    Args:
        months: of :func:`by_month`; ``auroc``: that of all of them together.
    """
    told = judged(months)
    if not told:
        return []
    last, found = told[-1], []
    ratio, (least, most) = last["ratio"], TOLERATED
    if ratio["high"] < least or ratio["low"] > most:
        found.append(
            f"{last['month']}: {last['positives']} positives where {last['expected']:.0f} were expected (ratio "
            f"{ratio['value']:.2f}, {ratio['low']:.2f} to {ratio['high']:.2f}): probabilities no longer mean what they "
            "say. Adapt the model, or train again."
        )
    if last["auroc"] and last["auroc"]["high"] < auroc["low"]:
        found.append(
            f"{last['month']}: AUROC {last['auroc']['value']:.3f} ({last['auroc']['low']:.3f} to "
            f"{last['auroc']['high']:.3f}), under that of all months ({auroc['low']:.3f} to {auroc['high']:.3f}): the "
            "model tells rows apart less well than it did."
        )
    return found
