"""Whom a client speaks of: from an identifier, or the id that the record system gives, to a person row."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fhir_adapters.reidentifier import Reidentifier

Json = dict[str, Any]
PSEUDONYM = "urn:passerelle:person"  # system of a person row's own number, which says nothing


@dataclass(frozen=True, slots=True)
class Patients:
    """The way from a patient to a person row.

    Args:
        systems: identifier system of a record system → the system of the crosswalk that means the same.
        id_system: the system of the crosswalk that a record system's ``Patient/<id>`` belongs to; None: none does.
        pseudonyms: whether a person row's own number is taken as an identifier (the demo's page does so).
    """

    reidentifier: Reidentifier
    systems: Mapping[str, str] = field(default_factory=dict)
    id_system: str | None = None
    pseudonyms: bool = False

    def by_identifier(self, system: str, value: str) -> int | None:
        """The person row of an identifier; None when nobody has it."""
        if system == PSEUDONYM:
            return int(value) if self.pseudonyms and value.isascii() and value.isdigit() else None
        return self.reidentifier.person_of(self.systems.get(system, system), value)

    def by_id(self, patient_id: str) -> int | None:
        """The person row of ``Patient/<id>``, as the record system calls it."""
        return None if self.id_system is None else self.reidentifier.person_of(self.id_system, patient_id)

    def by_resource(self, patient: Json) -> set[int]:
        """The person rows that the identifiers of a Patient name; of several nobody can say which it is."""
        return {
            person
            for identifier in _objects(patient.get("identifier"))
            if (person := self.by_identifier(str(identifier.get("system")), str(identifier.get("value")))) is not None
        }

    def visit(self, system: str, value: str) -> int | None:
        """The visit row of a stay's number."""
        return self.reidentifier.visit_of(self.systems.get(system, system), value)


def _objects(value: Any) -> Iterable[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
