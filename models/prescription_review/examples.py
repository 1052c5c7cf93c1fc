"""A few alerts as a pharmacist would read them, right and wrong ones, for the report: no patient, no day, no row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.prescription_review.artefact import Artefact
from models.prescription_review.explained import Scored, explained
from models.prescription_review.knowledge import Knowledge
from models.prescription_review.wording import PROBLEMS

_UNIT = re.compile(r" \([^)]*\)")
WRONG = 3  # surest alerts on orders that the pharmacist accepted
REASONS = 3


def examples(artefact: Artefact, knowledge: Knowledge, scored: Scored, labels: pd.DataFrame) -> list[dict[str, Any]]:
    """Of each class of problem the surest alert that was right, then the surest ones that were wrong.

    Args:
        scored: reviewed orders; ``labels``: ``label`` and ``problem`` of each.
    """
    chosen = list(_chosen(labels, scored.raw, artefact.threshold))
    rows = np.zeros(len(scored.raw), dtype=bool)
    rows[chosen] = True
    told = dict(zip(np.flatnonzero(rows).tolist(), explained(artefact, knowledge, scored, rows), strict=True))
    found = []
    for position in chosen:
        row, words = labels.iloc[position], told[position].words
        raising = [one for one in words.contributions if one.contribution > 0]
        found.append(
            {
                "right": bool(row["label"] == 1),
                "problem": PROBLEMS.get(_code(row["problem"]), "") if row["label"] == 1 else "",
                "probability": told[position].probability,
                "message": words.message,
                "reasons": [_UNIT.sub("", one.label) for one in raising[:REASONS]],  # no value: that is of one patient
            }
        )
    return found


def _chosen(labels: pd.DataFrame, raw: NDArray[np.float64], threshold: float) -> Iterator[int]:
    label, problem = labels["label"].to_numpy(float), labels["problem"].to_numpy(object)
    surest = [position for position in np.argsort(-raw, kind="stable").tolist() if raw[position] >= threshold]
    right = [position for position in surest if label[position] == 1 and _code(problem[position])]
    first = {_code(problem[position]): position for position in reversed(right)}
    yield from (first[code] for code in sorted(first))
    yield from [position for position in surest if label[position] == 0][:WRONG]


def _code(problem: Any) -> int:
    """0 where no class was given."""
    return int(problem) if isinstance(problem, str) and problem.isdigit() else 0
