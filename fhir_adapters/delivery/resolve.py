"""Puts identities in the place of the stand-ins, in memory, at the last moment."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from fhir_adapters.delivery.target import Target
from fhir_adapters.identifiers import V2_0203
from fhir_adapters.outbox import Item
from fhir_adapters.outbox.contents import Content
from fhir_adapters.placeholder import placeholder_of
from fhir_adapters.reidentifier import EncounterIdentity, IdentityNotFound, Origin, PatientIdentity, Reidentifier

Json = dict[str, Any]
MASK = "[…]"
PERSON, VISIT = "person", "visit"
VISIT_NUMBER = {"coding": [{"system": V2_0203, "code": "VN"}]}  # of the stay, as FR Core types it


class SeveralPatients(Exception):
    """The target has more than one patient for an identifier: a person must decide, not we."""


class SearchRefused(Exception):
    """The target did not answer the search for a patient."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """The resources of an item as the target will see them, and the words that must not be written down."""

    content: Content
    secrets: tuple[str, ...]


def redacted(text: str | None, secrets: Iterable[str]) -> str | None:
    """The text without what identifies the patients: a target may give back what it was sent."""
    for secret in sorted(set(secrets), key=len, reverse=True) if text else ():
        # A short number is hidden where it stands alone, or every digit of the text would go.
        pattern = re.escape(secret) if len(secret) > 3 else rf"(?<!\w){re.escape(secret)}(?!\w)"
        text = re.sub(pattern, MASK, text or "", flags=re.IGNORECASE)
    return text


@dataclass(slots=True)
class _Copy:
    """One item on its way through: what it names is collected as it is met."""

    key: str
    secrets: set[str] = field(default_factory=set)


class Resolver:
    """Resolves items for one target; a patient is looked up once a delivery."""

    def __init__(self, reidentifier: Reidentifier, target: Target, *, search_patients: bool) -> None:
        self._reidentifier, self._target, self._search = reidentifier, target, search_patients
        self._patients: dict[int, tuple[Json, tuple[str, ...]]] = {}

    def resolve(self, item: Item) -> Resolved:
        """The item with real references.

        Raises:
            IdentityNotFound: nobody knows the patient.
            SeveralPatients: the target knows the patient more than once.
        """
        copy, content = _Copy(item.key), item.content
        resource, provenance = self._copied(content.resource, copy), self._copied(content.provenance, copy)
        supports = tuple(self._copied(support, copy) for support in content.supports)
        return Resolved(Content(resource, supports, provenance), tuple(copy.secrets))

    def _copied(self, node: Any, copy: _Copy) -> Any:
        if isinstance(node, dict):
            stand_in = placeholder_of(node) if "reference" in node else None
            if stand_in is not None:
                return self._real(node, *stand_in, copy)
            return {name: self._copied(value, copy) for name, value in node.items()}
        return [self._copied(item, copy) for item in node] if isinstance(node, list) else node

    def _real(self, reference: Json, what: str, row_id: int, copy: _Copy) -> Json:
        """The reference that takes the place of a stand-in."""
        if what == PERSON:
            patient, hidden = self._patient(row_id, copy.key)
            copy.secrets.update(hidden)
            return dict(patient)
        if what == VISIT:
            found, hidden = _encounter(reference, self._reidentifier.encounter(row_id), row_id)
        else:
            found, hidden = _with_origin(reference, self._reidentifier.origin(what, row_id))
        copy.secrets.update(hidden)
        return found

    def _patient(self, person_id: int, key: str) -> tuple[Json, tuple[str, ...]]:
        if person_id not in self._patients:
            identity = self._identify(person_id, key)
            literal = identity.reference or self._find(identity)
            reference: Json = {"reference": literal} if literal else {}
            reference |= {"type": "Patient", "identifier": identity.identifiers[0]}
            self._patients[person_id] = reference, (*identity.secrets, *([literal] if literal else []))
        return self._patients[person_id]

    def _identify(self, person_id: int, key: str) -> PatientIdentity:
        try:
            identity = self._reidentifier.identify(person_id, reason=f"FHIR delivery of prediction {key}")
        except LookupError:
            identity = None
        if identity is None:
            raise IdentityNotFound("the patient of a prediction is not in the crosswalk", looked=f"prediction {key}")
        return identity

    def _find(self, identity: PatientIdentity) -> str | None:
        """The target's own Patient; None when it has none or cannot say, and the identifier alone must do."""
        if not self._search:
            return None
        for identifier in identity.identifiers:
            token = f"{identifier['system']}|{identifier['value']}"
            reply = self._target.search_in_body("Patient", {"identifier": token, "_elements": "id"})
            if reply.status != 200:
                raise SearchRefused(f"the search for a patient was answered with {reply.status}")
            ids = {r.get("id") for r in reply.resources if r.get("resourceType") == "Patient"}
            if len(ids) > 1:
                raise SeveralPatients("the target has several patients with this identifier")
            if ids:
                return f"Patient/{ids.pop()}"
        return None


def _encounter(reference: Json, stay: EncounterIdentity | None, row_id: int) -> tuple[Json, tuple[str, ...]]:
    """The hospital's own stay; without one, the row's key remains as a logical reference."""
    found = {name: value for name, value in reference.items() if name != "reference"}
    if stay is None:
        return found | {"display": f"séjour {row_id}"}, ()
    found |= {"identifier": {"type": VISIT_NUMBER, "system": stay.iep_system, "value": stay.iep}}
    literal = {"reference": stay.reference} if stay.reference else {}
    return literal | found, tuple(text for text in (stay.iep, stay.reference) if text)


def _with_origin(reference: Json, origin: Origin | None) -> tuple[Json, tuple[str, ...]]:
    """The hospital's own resource in the place of a row; without one, the row's key remains as identifier."""
    found = {name: value for name, value in reference.items() if name != "reference"}
    if origin is None:
        return found, ()
    if origin.type:
        found["type"] = origin.type
    if origin.system and origin.value:
        found["identifier"] = {"system": origin.system, "value": origin.value}
    if origin.reference:
        found["reference"] = origin.reference
        if origin.type is None:
            found.pop("type", None)  # the literal reference says it better than our guess
    return found, tuple(text for text in (origin.reference, origin.value) if text)
