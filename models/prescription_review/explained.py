"""Orders with their probability, class of problem and explanation, before they become predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.prescription_review.artefact import Artefact
from models.prescription_review.columns import Columns, take
from models.prescription_review.explain import Explanation, explain
from models.prescription_review.features import FEATURES, Cases, feature_matrix
from models.prescription_review.knowledge import Knowledge
from models.prescription_review.orders import KEY

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scored:
    """Orders with what a model says of each. Arrays have one row an order."""

    cases: Cases
    learned: Columns
    features: Array
    raw: Array  # probability before calibration

    @classmethod
    def of(cls, artefact: Artefact, cases: Cases) -> Scored:
        """Orders that were not in the training part."""
        learned = artefact.learned.compare(cases)
        features = feature_matrix(cases.rows, learned, artefact.categories)
        return cls(cases, learned, features, artefact.learner.predict(features))


@dataclass(frozen=True)
class Explained:
    """One order."""

    order: Mapping[str, Any]  # its row of the cases
    probability: float
    problem: int  # class of the Act-IP code book
    words: Explanation


def explained(artefact: Artefact, knowledge: Knowledge, scored: Scored, shown: NDArray[np.bool_]) -> list[Explained]:
    """Some of the orders, as they stand.

    Args:
        shown: shape (orders,).
    """
    cases, features = scored.cases.only(shown), scored.features[shown]
    named = artefact.learned.named(cases)
    rows = zip(
        records(cases.rows | take(scored.learned, shown)),
        records(named) if len(features) else [],
        artefact.learner.contributions(features)[:, : len(FEATURES)],
        artefact.calibrator.apply(scored.raw[shown]).tolist(),
        artefact.problem.predict(features),
        strict=True,
    )
    findings = _by_order(cases.found, cases.rows[KEY])
    timezone = artefact.config.timezone
    return [
        Explained(
            order,
            probability,
            int(problem),
            explain(order, findings.get(int(order[KEY]), []), shares, knowledge, timezone, int(problem), about),
        )
        for order, about, shares, probability, problem in rows
    ]


def _by_order(found: Columns, orders: NDArray[np.int64]) -> dict[int, list[dict[str, Any]]]:
    """The findings of some orders, as they are sorted."""
    grouped: dict[int, list[dict[str, Any]]] = {}
    for finding in records(take(found, np.isin(found[KEY], orders))):
        grouped.setdefault(int(finding[KEY]), []).append(finding)
    return grouped


def records(columns: Columns) -> list[dict[str, Any]]:
    """One dict a row."""
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]
