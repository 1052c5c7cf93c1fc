"""What the page shows, in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from fhir_adapters.cds_hooks.cards import suggestion_id
from fhir_adapters.findings import SEVERITIES
from fhir_adapters.french import clean, local, number
from fhir_adapters.probability import Probability
from fhir_adapters.site import Site
from fhir_adapters.wording import evidence_labels, reason, strongest, title
from models.contract import Contribution, Prediction

RANK = {"high": 0, "moderate": 1, "low": 2, None: 3}
NOT_GRADED = "non graduée"
HALF = 50.0  # of the width of a bar, in per cent: what raises the risk goes right, what lowers it left


@dataclass(frozen=True, slots=True)
class PatientLine:
    """A patient in the list."""

    person_id: int
    name: str
    alerts: int
    level: str  # high, moderate, low, none
    worst: str
    newest: str


@dataclass(frozen=True, slots=True)
class Bar:
    """What a variable weighs in the score: where its bar begins and how long it is, in per cent of the width."""

    text: str
    start: float
    length: float
    raises: bool


@dataclass(frozen=True, slots=True)
class Alert:
    """One finding."""

    uuid: str
    suggestion: str
    level: str
    severity: str
    title: str
    message: str
    probability: str
    when: str
    model: str
    evidence: tuple[str, ...]
    bars: tuple[Bar, ...]


def pseudonym(person_id: int) -> str:
    """What the page calls a patient: the end of the row's number."""
    return f"Patient …{person_id % 1_000_000:06d}"


def patient_lines(predictions: Iterable[Prediction], site: Site) -> list[PatientLine]:
    """Patients with open alerts, the most severe first."""
    of_patient: dict[int, list[Prediction]] = {}
    for one in predictions:
        if one.person_id is not None:
            of_patient.setdefault(one.person_id, []).append(one)
    ordered = sorted(of_patient.items(), key=lambda pair: (_worst(pair[1]), -len(pair[1]), pair[0]))
    return [_line(person, alerts, site) for person, alerts in ordered]


def alerts_of(predictions: Sequence[Prediction], site: Site) -> list[Alert]:
    """The findings of a patient, the most severe first, then the most probable."""
    ordered = sorted(predictions, key=lambda one: (RANK[one.severity], -one.probability))
    return [_alert(one, site) for one in ordered]


def newest(predictions: Sequence[Prediction], now: datetime) -> datetime:
    """When a patient of the past was last ordered something that was pointed at."""
    return max((one.index_time for one in predictions), default=now)


def _line(person_id: int, alerts: list[Prediction], site: Site) -> PatientLine:
    worst = min(alerts, key=lambda one: RANK[one.severity]).severity
    when = local(max(one.index_time for one in alerts), site.timezone)
    name = pseudonym(person_id)
    return PatientLine(person_id, name, len(alerts), worst or "none", SEVERITIES.get(worst or "", NOT_GRADED), when)


def _alert(one: Prediction, site: Site) -> Alert:
    return Alert(
        uuid=one.prediction_id,
        suggestion=suggestion_id(one.prediction_id),
        level=one.severity or "none",
        severity=SEVERITIES.get(one.severity or "", NOT_GRADED),
        title=title(one.category),
        message=clean(one.message),
        probability=f"{number(Probability.of_fraction(one.probability).percent())} %",
        when=local(one.index_time, site.timezone),
        model=f"{one.model} {one.model_version}",
        evidence=tuple(evidence_labels(one)),
        bars=_bars(one.contributions),
    )


def _bars(contributions: Iterable[Contribution]) -> tuple[Bar, ...]:
    shown = strongest(contributions)
    longest = max((abs(one.contribution) for one in shown), default=0.0) or 1.0
    bars = []
    for one in shown:
        length = round(HALF * abs(one.contribution) / longest, 1)
        start = HALF if one.contribution > 0 else HALF - length
        bars.append(Bar(reason(one), start, length, one.contribution > 0))
    return tuple(bars)


def _worst(alerts: Iterable[Prediction]) -> int:
    return min(RANK[one.severity] for one in alerts)
