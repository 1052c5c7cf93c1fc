"""Stand-ins for what only delivery may know: the patient, the stay, and where a row came from.

The outbox holds ``urn:passerelle:person:42``; the patient's identifiers and the hospital's own references take
its place on the way out, in memory, and are never written down.
"""

import re
from collections.abc import Iterator
from typing import Any

from fhir_adapters.french import clean
from fhir_adapters.site import Site
from models.contract import Evidence

Json = dict[str, Any]

_URN = re.compile(r"urn:passerelle:(person|visit|row:([a-z_]+)):(-?\d+)")

# What a row of a CDM table most often was in the hospital's system; the origin, when known, corrects it.
USUAL_TYPE = {
    "care_site": "Location",
    "condition_occurrence": "Condition",
    "drug_exposure": "MedicationRequest",
    "image_occurrence": "DocumentReference",
    "measurement": "Observation",
    "note": "DocumentReference",
    "observation": "Observation",
    "procedure_occurrence": "Procedure",
    "visit_occurrence": "Encounter",
}


def person_reference(person_id: int) -> Json:
    """Reference that stands for the patient of a person row."""
    return {"reference": f"urn:passerelle:person:{person_id}", "type": "Patient"}


def visit_reference(visit_occurrence_id: int) -> Json:
    """Reference that stands for the stay of a visit row."""
    return {"reference": f"urn:passerelle:visit:{visit_occurrence_id}", "type": "Encounter"}


def row_reference(evidence: Evidence, site: Site) -> Json:
    """Reference that stands for the resource from which an OMOP row came.

    The identifier of the row stays when the hospital's system has no resource for it: a logical reference.
    """
    key = f"{evidence.table}/{evidence.row_id}"
    reference: Json = {"reference": f"urn:passerelle:row:{evidence.table}:{evidence.row_id}"}
    if evidence.table in USUAL_TYPE:
        reference["type"] = USUAL_TYPE[evidence.table]
    reference["identifier"] = {"system": site.omop_row_system, "value": key}
    label = clean(evidence.label)
    return reference | ({"display": label} if label else {})


def placeholder_of(reference: Json) -> tuple[str, int] | None:
    """("person", id), ("visit", id) or (table, row id) of a stand-in; None for any other reference."""
    match = _URN.fullmatch(str(reference.get("reference", "")))
    return None if match is None else (match[2] or match[1], int(match[3]))


def placeholders(node: Any) -> Iterator[Json]:
    """Every Reference of a resource that is a stand-in, as the dict itself."""
    if isinstance(node, list):
        for item in node:
            yield from placeholders(item)
    elif isinstance(node, dict):
        if placeholder_of(node):
            yield node
        else:
            for value in node.values():
                yield from placeholders(value)
