"""Puts identities in the place of the stand-ins, in memory, at the last moment: on the way out, and when asked.

Nothing of it is ever written down.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fhir_adapters.identifiers import V2_0203
from fhir_adapters.placeholder import placeholder_of
from fhir_adapters.reidentifier import EncounterIdentity, IdentityNotFound, Origin, PatientIdentity, Reidentifier

Json = dict[str, Any]
PERSON, VISIT = "person", "visit"
VISIT_NUMBER = {"coding": [{"system": V2_0203, "code": "VN"}]}  # of the stay, as FR Core types it


@dataclass(frozen=True, slots=True)
class Named:
    """The reference that takes the place of a stand-in, and the words in it that must not be written down."""

    reference: Json
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Identities:
    """Resources with real references.

    Args:
        patient: the reference of a person row; what it may look up beyond the crosswalk is its own affair.
    """

    reidentifier: Reidentifier
    patient: Callable[[int], Named]

    def put_into(self, node: Any, secrets: set[str]) -> Any:
        """A copy of a resource or of a part of it; the words that identify are added to ``secrets``.

        Raises:
            IdentityNotFound: nobody knows the patient.
        """
        if isinstance(node, dict):
            stand_in = placeholder_of(node) if "reference" in node else None
            if stand_in is not None:
                named = self._real(node, *stand_in)
                secrets.update(named.secrets)
                return dict(named.reference)
            return {name: self.put_into(value, secrets) for name, value in node.items()}
        return [self.put_into(item, secrets) for item in node] if isinstance(node, list) else node

    def _real(self, reference: Json, what: str, row_id: int) -> Named:
        if what == PERSON:
            return self.patient(row_id)
        if what == VISIT:
            return _encounter(reference, self.reidentifier.encounter(row_id), row_id)
        return _with_origin(reference, self.reidentifier.origin(what, row_id))


def identity_of(reidentifier: Reidentifier, person_id: int, *, reason: str, looked: str) -> PatientIdentity:
    """The patient of a person row.

    Raises:
        IdentityNotFound: nobody knows.
    """
    try:
        identity = reidentifier.identify(person_id, reason=reason)
    except LookupError:
        identity = None
    if identity is None:
        raise IdentityNotFound("the patient of a prediction is not in the crosswalk", looked=looked)
    return identity


def patient_named(identity: PatientIdentity, literal: str | None) -> Named:
    """The reference to a patient: literal where the receiver has such a resource, and by identifier always."""
    reference: Json = {"reference": literal} if literal else {}
    reference |= {"type": "Patient", "identifier": identity.identifiers[0]}
    return Named(reference, (*identity.secrets, *([literal] if literal else [])))


def _encounter(reference: Json, stay: EncounterIdentity | None, row_id: int) -> Named:
    """The hospital's own stay; without one, the row's key remains as a logical reference."""
    found = {name: value for name, value in reference.items() if name != "reference"}
    if stay is None:
        return Named(found | {"display": f"séjour {row_id}"})
    found |= {"identifier": {"type": VISIT_NUMBER, "system": stay.iep_system, "value": stay.iep}}
    literal = {"reference": stay.reference} if stay.reference else {}
    return Named(literal | found, tuple(text for text in (stay.iep, stay.reference) if text))


def _with_origin(reference: Json, origin: Origin | None) -> Named:
    """The hospital's own resource in the place of a row; without one, the row's key remains as identifier."""
    found = {name: value for name, value in reference.items() if name != "reference"}
    if origin is None:
        return Named(found)
    if origin.type:
        found["type"] = origin.type
    if origin.system and origin.value:
        found["identifier"] = {"system": origin.system, "value": origin.value}
    if origin.reference:
        found["reference"] = origin.reference
        if origin.type is None:
            found.pop("type", None)  # the literal reference says it better than our guess
    return Named(found, tuple(text for text in (origin.reference, origin.value) if text))
