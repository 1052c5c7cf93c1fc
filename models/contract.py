"""What every model gives and what every reader of models may rely on."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

PREDICTION_NAMESPACE = uuid.UUID("5f0c3a52-6f39-5f38-9d0e-3d0d8b1f4c11")

Severity = Literal["high", "moderate", "low"]


@dataclass(frozen=True, slots=True)
class Contribution:
    """One feature's share of a prediction, on the log-odds scale."""

    feature: str
    label: str  # French, for the clinician's screen
    value: float | str | None
    contribution: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """One OMOP row that a prediction rests on."""

    table: str  # CDM table: drug_exposure, measurement…
    row_id: int
    label: str = ""  # French: "créatinine 245 µmol/L du 03/03/2025"


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says, about whom, when it holds, how sure it is and why.

    ``probability`` is a fraction (0–1); only ``fhir_adapters`` makes it a percentage. Times are UTC.
    """

    model: str
    model_version: str
    person_id: int
    occasion: str  # what makes the prediction itself: "drug_exposure:<id>", "visit:<id>:<date>"
    index_time: datetime  # nothing that became available later was seen
    valid_from: datetime
    valid_until: datetime | None
    category: str  # FHIR code of the finding, e.g. DOSEH; one vocabulary a model
    probability: float
    severity: Severity | None
    message: str  # French sentence
    view_contract: str
    snapshot_id: str
    model_sha256: str
    visit_occurrence_id: int | None = None
    contributions: tuple[Contribution, ...] = field(default=())
    evidence: tuple[Evidence, ...] = field(default=())

    def __post_init__(self) -> None:
        if not 0.0 <= self.probability <= 1.0:
            raise ValueError(f"probability must be a fraction between 0 and 1, not {self.probability}")

    @property
    def prediction_id(self) -> str:
        """The same for every version of the model: a new version supersedes the same prediction."""
        return str(uuid.uuid5(PREDICTION_NAMESPACE, f"{self.model}|{self.person_id}|{self.occasion}"))
