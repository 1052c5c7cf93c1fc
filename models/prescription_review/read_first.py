"""Which patients of a day to read first, as a pharmacist is told: how sure, because of which lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.contract import Contribution, Evidence
from models.prescription_review.artefact import Artefact
from models.prescription_review.explained import Scored
from models.prescription_review.orders import KEY
from models.prescription_review.triage import ALARMING, SUREST
from models.prescription_review.wording import FIRST, LINES, MANY_LINES, OF_LINE, OF_LINE_SAID, THEN

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


def read_first(artefact: Artefact, scored: Scored, findings: Mapping[int, str]) -> Iterator[ReadFirst]:
    """The patients of a day above the threshold, by person and day.

    Args:
        scored: orders that are read together, none of a day left out.
        findings: what is wrong with an order (``drug_exposure_id``), in a sentence; of those that are alerts.
    """
    rows, timezone = scored.cases.rows, artefact.config.timezone
    if not len(scored.raw):
        return
    probability, rounds = artefact.calibrator.apply(scored.raw), artefact.rounds(rows)
    chance = rounds.chance(probability)
    order = np.lexsort((-scored.raw, rounds.number))
    first = np.searchsorted(rounds.number[order], np.arange(len(chance) + 1))
    for number in np.flatnonzero(chance >= artefact.patients_threshold).tolist():
        lines = order[first[number] : first[number + 1]]
        named = lines[:1] if probability[lines[0]] < ALARMING else lines[probability[lines] >= ALARMING]
        told = [
            _Line(int(rows[KEY][line]), str(rows["drug_name"][line]), float(probability[line]))
            for line in named[:NAMED].tolist()
        ]
        at = rows["index_time"][lines].max()
        yield ReadFirst(
            int(rows["person_id"][lines[0]]),
            int(rows["visit_occurrence_id"][lines[0]]),
            pd.Timestamp(at, tz="UTC").tz_convert(timezone).date().isoformat(),
            at,
            float(chance[number]),
            _message(len(lines), dict.fromkeys(findings.get(line.order, f"{line.drug}.") for line in told)),
            tuple(line.contribution(float(chance[number])) for line in told),
            tuple(Evidence("drug_exposure", line.order, line.drug) for line in told),
        )


def _message(number: int, told: Iterable[str]) -> str:
    first, *others = told
    lines = LINES.get(number, MANY_LINES.format(lines=number))
    return " ".join([lines, FIRST.format(line=first), *(THEN.format(line=line) for line in others)])


@dataclass(frozen=True, slots=True)
class _Line:
    """One of the orders that make a patient be read first."""

    order: int
    drug: str
    probability: float

    def contribution(self, chance: float) -> Contribution:
        """By how much the chance of its patient would be lower without it."""
        odds = self.probability / (1 - min(self.probability, SUREST))
        label = OF_LINE.format(drug=self.drug)
        said = OF_LINE_SAID.format(drug=self.drug, percent=round(100 * self.probability))
        value, share = round(self.probability, 4), round((1 - chance) * odds, 6)
        return Contribution("order", label, value, share, "probability", said)
