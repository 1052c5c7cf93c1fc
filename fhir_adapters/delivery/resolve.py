"""Puts identities in the place of the stand-ins, in memory, at the last moment."""

import copy
import re
from dataclasses import dataclass
from typing import Any

from fhir_adapters.delivery.target import Target
from fhir_adapters.outbox import Item
from fhir_adapters.placeholder import placeholder_of, placeholders
from fhir_adapters.reidentifier import IdentityNotFound, Origin, PatientIdentity, Reidentifier

Json = dict[str, Any]
MASK = "[…]"


class SeveralPatients(Exception):
    """The target has more than one patient for an identifier: a person must decide, not we."""


class SearchRefused(Exception):
    """The target did not answer the search for a patient."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """The resources of an item as the target will see them, and the words that must not be written down."""

    subject: Json
    device: Json
    provenance: Json
    secrets: tuple[str, ...]

    def redact(self, text: str | None) -> str | None:
        """The text without what identifies the patient."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            # A short number is hidden where it stands alone, or every digit of the text would go.
            pattern = re.escape(secret) if len(secret) > 3 else rf"(?<!\w){re.escape(secret)}(?!\w)"
            text = re.sub(pattern, MASK, text, flags=re.IGNORECASE) if text else text
        return text


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
        subject, provenance = copy.deepcopy((item.subject, item.provenance))
        secrets: set[str] = set()
        for reference in [*placeholders(subject), *placeholders(provenance)]:
            found = placeholder_of(reference)
            assert found is not None  # that is what placeholders() yields
            table, row_id = found
            if table == "person":
                patient, hidden = self._patient(row_id, item.key)
                reference.clear()
                reference.update(copy.deepcopy(patient))
                secrets.update(hidden)
            else:
                secrets.update(_put_origin(reference, self._reidentifier.origin(table, row_id)))
        return Resolved(subject, item.device, provenance, tuple(secrets))

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
            ids = {e["resource"].get("id") for e in reply.body.get("entry", ()) if _is_patient(e)}
            if len(ids) > 1:
                raise SeveralPatients("the target has several patients with this identifier")
            if ids:
                return f"Patient/{ids.pop()}"
        return None


def _is_patient(entry: Any) -> bool:
    resource = entry.get("resource") if isinstance(entry, dict) else None
    return isinstance(resource, dict) and resource.get("resourceType") == "Patient"


def _put_origin(reference: Json, origin: Origin | None) -> list[str]:
    """The hospital's own resource in the place of a row; without one, the row's key remains as identifier."""
    del reference["reference"]
    if origin is None:
        return []
    if origin.type:
        reference["type"] = origin.type
    if origin.system and origin.value:
        reference["identifier"] = {"system": origin.system, "value": origin.value}
    if origin.reference:
        reference["reference"] = origin.reference
        if origin.type is None:
            reference.pop("type", None)  # the literal reference says it better than our guess
    return [text for text in (origin.reference, origin.value) if text]
