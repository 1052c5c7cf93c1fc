"""Which patients of a day to read first, as a pharmacist is told: how sure, because of which lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models.contract import Contribution, Evidence
from models.prescription_review import triage
from models.prescription_review.artefact import Artefact
from models.prescription_review.explained import Scored
from models.prescription_review.orders import KEY
from models.prescription_review.wording import READ_FIRST, TRIAGE_LABELS

CATEGORY = "PATIENT"
NAMED = 5  # lines that are named, the likeliest first


@dataclass(frozen=True)
class ReadFirst:
    """One patient on one day."""

    person_id: int
    stay: int
    day: str
    at: np.datetime64  # when the last of the lines was judged
    probability: float
    message: str
    contributions: tuple[Contribution, ...]
    evidence: tuple[Evidence, ...]


def read_first(artefact: Artefact, scored: Scored) -> Iterator[ReadFirst]:
    """The patients of a day above the threshold, by person and day.

    Args:
        scored: orders that are read together, none of a day left out.
    """
    rows, timezone = scored.cases.rows, artefact.config.timezone
    if not len(scored.raw):
        return
    probability = artefact.calibrator.apply(scored.raw)
    ranked = artefact.patients(rows, probability)
    chance, shares = artefact.triage_calibrator.apply(ranked.raw), artefact.triage.contributions(ranked.described)
    order = np.lexsort((-scored.raw, ranked.rounds.number))
    first = np.searchsorted(ranked.rounds.number[order], np.arange(len(ranked.raw) + 1))
    for number in np.flatnonzero(ranked.raw >= artefact.triage_threshold).tolist():
        lines = order[first[number] : first[number + 1]]
        named = lines[:1] if probability[lines[0]] < triage.ALARMING else lines[probability[lines] >= triage.ALARMING]
        at = rows["index_time"][lines].max()
        names = list(dict.fromkeys(rows["drug_name"][named[:NAMED]].tolist()))
        yield ReadFirst(
            int(rows["person_id"][lines[0]]),
            int(rows["visit_occurrence_id"][lines[0]]),
            pd.Timestamp(at, tz="UTC").tz_convert(timezone).date().isoformat(),
            at,
            float(chance[number]),
            READ_FIRST.format(lines=len(lines), drugs=", ".join(names)),
            _contributions(ranked.described[number], shares[number]),
            tuple(
                Evidence("drug_exposure", int(rows[KEY][line]), str(rows["drug_name"][line])) for line in named[:NAMED]
            ),
        )


def _contributions(values: Any, shares: Any) -> tuple[Contribution, ...]:
    told = zip(triage.FEATURES, values.tolist(), shares.tolist(), strict=False)  # the last share is the base value
    return tuple(
        Contribution(name, TRIAGE_LABELS[name], None if np.isnan(value) else float(value), round(share, 6))
        for name, value, share in sorted(told, key=lambda one: -abs(one[2]))
        if share
    )
