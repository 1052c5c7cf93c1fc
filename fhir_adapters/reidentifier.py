"""The way back to a patient, as ``deliver`` needs it. The command line wires it; nothing here knows the crosswalk."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from fhir_adapters.identifiers import INS_NIR, V2_0203
from passerelle.errors import TerminalError


class IdentityNotFound(TerminalError):
    """Nobody knows which patient a person row is."""


@dataclass(frozen=True, slots=True)
class PatientIdentity:
    """Who a person is at the hospital. Lives in memory only; ``repr`` shows none of it."""

    ipp: str = field(repr=False)
    ipp_system: str
    ins: str | None = field(default=None, repr=False)  # only when the identity is qualified
    ins_system: str = INS_NIR
    reference: str | None = field(default=None, repr=False)  # Patient/<id> at the target, when it is known
    hidden: tuple[str, ...] = field(default=(), repr=False)  # other words that must never be stored: names…

    @property
    def identifiers(self) -> list[dict[str, Any]]:
        """FHIR Identifiers, the hospital's own first."""
        kind = {"coding": [{"system": V2_0203, "code": "PI"}]}
        found: list[dict[str, Any]] = [{"use": "usual", "type": kind, "system": self.ipp_system, "value": self.ipp}]
        if self.ins:
            found.append({"use": "official", "system": self.ins_system, "value": self.ins})
        return found

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every text that identifies the patient."""
        return tuple(text for text in (self.ipp, self.ins, self.reference, *self.hidden) if text)


@dataclass(frozen=True, slots=True)
class EncounterIdentity:
    """A stay at the hospital; for resources that have an encounter (DetectedIssue has none in R4)."""

    iep: str = field(repr=False)
    iep_system: str
    reference: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Origin:
    """The resource of the hospital's system from which an OMOP row came, or its identifier."""

    reference: str | None = field(default=None, repr=False)  # MedicationRequest/<id>
    type: str | None = None
    system: str | None = None
    value: str | None = field(default=None, repr=False)


class Reidentifier(Protocol):
    """Opens the crosswalk, and writes down who asked and why."""

    def identify(self, person_id: int, reason: str) -> PatientIdentity | None:
        """The patient of a person row; None, LookupError or IdentityNotFound when nobody knows."""
        ...

    def encounter(self, visit_occurrence_id: int) -> EncounterIdentity | None:
        """The stay of a visit row."""
        ...

    def origin(self, table: str, row_id: int) -> Origin | None:
        """Where an OMOP row came from; None when the hospital's system has no resource for it."""
        ...

    def person_of(self, system: str, value: str) -> int | None:
        """The other way: the person row that has an identifier; None when nobody has it."""
        ...

    def visit_of(self, system: str, value: str) -> int | None:
        """The visit row that has an identifier."""
        ...
