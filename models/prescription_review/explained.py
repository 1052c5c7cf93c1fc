"""Orders with their probability, class of problem and explanation, before they become predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.prescription_review.artefact import Artefact
from models.prescription_review.columns import Columns, take
from models.prescription_review.explain import Explanation, explain
from models.prescription_review.features import FEATURES, Cases, feature_matrix
from models.prescription_review.knowledge import Knowledge
from models.prescription_review.orders import KEY


@dataclass(frozen=True)
class Explained:
    """One order."""

    order: Mapping[str, Any]  # its row of the cases
    probability: float
    problem: int  # class of the Act-IP code book
    words: Explanation


def explained(
    artefact: Artefact, knowledge: Knowledge, cases: Cases, threshold: float | None = None
) -> list[Explained]:
    """The orders whose raw probability reaches a threshold (default: all), in the order of the cases."""
    learned = artefact.learned.compare(cases)
    features = feature_matrix(cases.rows, learned, artefact.categories)
    raw = artefact.learner.predict(features)
    shown = np.flatnonzero(raw >= (-np.inf if threshold is None else threshold))
    rows = zip(
        records(take(cases.rows | learned, shown)),
        artefact.learner.contributions(features[shown])[:, : len(FEATURES)],
        artefact.calibrator.apply(raw[shown]).tolist(),
        artefact.problem.predict(features[shown]),
        strict=True,
    )
    findings = _by_order(cases.found, cases.rows[KEY][shown])
    timezone = artefact.config.timezone
    return [
        Explained(
            order,
            probability,
            int(problem),
            explain(order, findings.get(int(order[KEY]), []), shares, knowledge, timezone, int(problem)),
        )
        for order, shares, probability, problem in rows
    ]


def _by_order(found: Columns, orders: np.ndarray) -> dict[int, list[dict[str, Any]]]:
    """The findings of some orders, as they are sorted."""
    grouped: dict[int, list[dict[str, Any]]] = {}
    for finding in records(take(found, np.isin(found[KEY], orders))):
        grouped.setdefault(int(finding[KEY]), []).append(finding)
    return grouped


def records(columns: Columns) -> list[dict[str, Any]]:
    """One dict a row."""
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]
