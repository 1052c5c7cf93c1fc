"""What the service needs of a model: orders that are being written go in, findings about them come out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from models.contract import Prediction

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """The orders that are being written for one patient, at an instant."""

    person_id: int
    at: datetime
    drafts: Sequence[Row]  # in the words of the view drug_orders
    fresh: Mapping[str, Sequence[Row]]  # by view: what the record system knows today


class Reviewer(Protocol):
    """Judges orders beside what the views know of the patient. Called by one thread at a time."""

    @property
    def snapshot_id(self) -> str:
        """Which publication of the views is read."""
        ...

    @property
    def model(self) -> str:
        """Name and version of the model."""
        ...

    def review(self, questions: Sequence[Question]) -> list[list[Prediction]]:
        """The findings to be shown for each question; one without drafts has the patient ready for the next."""
        ...
