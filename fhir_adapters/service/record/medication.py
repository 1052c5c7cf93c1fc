"""The drug of an order: named in the order, inside it, or beside it in the Bundle."""

import re
from collections.abc import Callable
from typing import Any

from fhir_adapters.service.record.codes import ATC_SYSTEMS
from fhir_adapters.service.record.shapes import Json, codings, named, objects, part, text

_ATC = re.compile(r"[A-Z]\d\d[A-Z]{2}\d\d")
Find = Callable[[str], Json | None]


def medication_of(order: Json, find: Find) -> Json | None:
    """The Medication that an order refers to; None where it names its drug itself, or the resource was not sent.

    Args:
        find: gives a resource of the message by its reference.
    """
    reference = text(part(order, "medicationReference", "reference"))
    if reference is None:
        return None
    if reference.startswith("#"):
        inside = [r for r in objects(order, "contained") if r.get("id") == reference[1:]]
        return inside[0] if inside else None
    return find(reference)


def drug(order: Json, medication: Json | None) -> Json:
    """``atc_code``, ``source_code`` (the hospital's own: UCD, CIP or local) and ``concept_name``."""
    concept = part(order, "medicationCodeableConcept") if medication is None else part(medication, "code")
    found = codings(concept)
    atc = [code.upper() for system, code in found if system in ATC_SYSTEMS and _ATC.fullmatch(code.upper())]
    local = [code for system, code in found if system not in ATC_SYSTEMS]
    return {
        "atc_code": atc[0] if atc else None,
        "source_code": next(iter([*local, *atc]), None),
        "concept_name": named(concept) or text(part(order, "medicationReference", "display")),
    }


def finder(bundle: Any) -> Find:
    """Finds the resources of a Bundle by ``Type/id`` or by their full URL."""
    known: dict[str, Json] = {}
    for entry in objects(bundle, "entry"):
        resource = entry.get("resource")
        if isinstance(resource, dict):
            known[f"{resource.get('resourceType')}/{resource.get('id')}"] = resource
            known[str(entry.get("fullUrl"))] = resource
    return lambda reference: known.get(reference.partition("/_history/")[0])
