"""What every model gives and what every reader of models may rely on."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

PREDICTION_NAMESPACE = uuid.UUID("5f0c3a52-6f39-5f38-9d0e-3d0d8b1f4c11")

Severity = Literal["high", "moderate", "low"]


@dataclass(frozen=True, slots=True)
class Contribution:
    """One feature's share of a prediction."""

    feature: str
    label: str  # French, for the clinician's screen
    value: float | str | None
    contribution: float
    scale: Literal["log-odds", "probability"] = "log-odds"
    said: str = ""  # French: the feature with its value, as a clinician says it; "" where label and value will do


@dataclass(frozen=True, slots=True)
class Evidence:
    """One OMOP row that a prediction rests on."""

    table: str  # CDM table: drug_exposure, measurement…
    row_id: int
    label: str = ""  # French: "créatinine 245 µmol/L du 03/03/2025"


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a value lies with a stated coverage (0.8: eight times in ten)."""

    low: float
    high: float
    coverage: float

    def __post_init__(self) -> None:
        if not (self.low <= self.high and 0.0 < self.coverage < 1.0):
            raise ValueError(f"an interval goes from low to high with a coverage between 0 and 1, not {self}")


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is expected of one period of a forecast: a count, and how probable it is that it passes the threshold."""

    valid_from: datetime
    valid_until: datetime
    probability: float  # P(count > threshold), a fraction
    expected: float  # count
    interval: Interval  # of the count
    threshold: float  # count above which it is a peak
    usual: float | None = None  # what the season alone would let expect


@dataclass(frozen=True, slots=True)
class Cohort:
    """People whom a forecast is about together, never one by one."""

    cohort_id: str  # opaque and stable: "care_site:12"
    label: str  # French: "Admissions pour BPCO ou asthme, CHU de démonstration"
    icd10: tuple[str, ...]  # categories of diagnoses that make the cohort: J44, J45
    care_site_id: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """One thing that a model read: where, what, how sure it is."""

    start: int  # characters from the beginning of the source text (of the transcription, for an image)
    end: int
    label: str  # kind of thing, in the words of the model's card: biopsy, metastasis, line
    value: str  # as it is used: a date 2024-03-12, the words of a line
    confidence: float
    refused: bool = False  # below the model's threshold: a person must read it
    evidence: Evidence | None = None  # the OMOP row that it speaks of (a biopsy, an imaging), where there is one


@dataclass(frozen=True, slots=True)
class Document:
    """Text that a model wrote about a document: what it found in a note, or what it read on a scan."""

    title: str  # French
    text: str  # for a person: the summary or the transcription
    source: Evidence  # note or image_occurrence
    source_sha256: str  # of the text or of the image that was read
    loinc: str  # kind of document: 34133-9 for a summary, 64297-5 for a death certificate
    spans: tuple[Span, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says, about whom, when it holds, how sure it is and why.

    ``probability`` is a fraction (0–1); only ``fhir_adapters`` makes it a percentage. Of a forecast it is that of the
    most probable period, of a document the confidence in the whole. Times are UTC. A prediction is about one person
    or about one cohort.
    """

    model: str
    model_version: str
    person_id: int | None
    occasion: str  # what makes the prediction itself: "drug_exposure:<id>", "visit:<id>:<date>"
    index_time: datetime  # nothing that became available later was seen
    valid_from: datetime
    valid_until: datetime | None
    category: str  # FHIR code of the finding, e.g. DOSEH; a word of our own where FHIR has none (PATIENT, REVIEW)
    probability: float
    severity: Severity | None
    message: str  # French sentence
    view_contract: str
    snapshot_id: str
    model_sha256: str
    visit_occurrence_id: int | None = None
    contributions: tuple[Contribution, ...] = field(default=())
    evidence: tuple[Evidence, ...] = field(default=())
    interval: Interval | None = None  # of the probability, where the model gives one
    cohort: Cohort | None = None
    forecasts: tuple[Forecast, ...] = field(default=())  # of a cohort, by period
    document: Document | None = None

    def __post_init__(self) -> None:
        of_forecasts = (forecast.probability for forecast in self.forecasts)
        for probability in (self.probability, *of_forecasts):
            if not 0.0 <= probability <= 1.0:
                raise ValueError(f"probability must be a fraction between 0 and 1, not {probability}")
        if (self.person_id is None) == (self.cohort is None):
            raise ValueError("a prediction is about one person or about one cohort")

    @property
    def prediction_id(self) -> str:
        """The same for every version of the model: a new version supersedes the same prediction."""
        subject = self.person_id if self.cohort is None else self.cohort.cohort_id
        return str(uuid.uuid5(PREDICTION_NAMESPACE, f"{self.model}|{subject}|{self.occasion}"))
