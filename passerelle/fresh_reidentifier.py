"""The crosswalk of a service that runs for weeks."""

import time
from typing import TYPE_CHECKING

from passerelle.settings import Settings

if TYPE_CHECKING:
    from fhir_adapters.reidentifier import EncounterIdentity, Origin, PatientIdentity
    from passerelle.reidentifier import CrosswalkReidentifier

FRESH_S = 600.0  # how long what was read is used before it is opened again


class FreshReidentifier:
    """The crosswalk, opened again now and then: patients who came since are known. Each opening is logged."""

    def __init__(self, settings: Settings, why: str) -> None:
        self._settings, self._why = settings, why
        self._opened, self._current = time.monotonic(), self._open()

    def _open(self) -> "CrosswalkReidentifier":
        from passerelle.delivery import reidentifier_of

        return reidentifier_of(self._settings, self._why)

    def _now(self) -> "CrosswalkReidentifier":
        if time.monotonic() - self._opened > FRESH_S:
            self._opened, self._current = time.monotonic(), self._open()
        return self._current

    def identify(self, person_id: int, reason: str) -> "PatientIdentity | None":
        """The patient of a person row."""
        return self._now().identify(person_id, reason)

    def encounter(self, visit_occurrence_id: int) -> "EncounterIdentity | None":
        """The stay of a visit row."""
        return self._now().encounter(visit_occurrence_id)

    def origin(self, table: str, row_id: int) -> "Origin | None":
        """Where an OMOP row came from."""
        return self._now().origin(table, row_id)

    def person_of(self, system: str, value: str) -> int | None:
        """The person row of an identifier."""
        return self._now().person_of(system, value)

    def visit_of(self, system: str, value: str) -> int | None:
        """The visit row of a stay's number."""
        return self._now().visit_of(system, value)
