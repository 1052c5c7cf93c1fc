"""Orders of a Bundle as rows of the view ``drug_orders``."""

import hashlib
from datetime import datetime
from typing import Any

from fhir_adapters.exact_json import dumped
from fhir_adapters.service.record.codes import NO_ORDER
from fhir_adapters.service.record.dosage import dosage
from fhir_adapters.service.record.medication import Find, drug, finder, medication_of
from fhir_adapters.service.record.moments import moment
from fhir_adapters.service.record.shapes import Json, objects, part, text

ORDER = "MedicationRequest"


def draft_orders(bundle: Any) -> list[Json]:
    """The orders of drugs of a Bundle that are to be given; what else is drafted is not ours to judge."""
    found = (entry.get("resource") for entry in objects(bundle, "entry"))
    return [order for order in found if isinstance(order, dict) and _is_order(order)]


def draft_row(order: Json, find: Find, *, person_id: int, at: datetime) -> Json:
    """The row of a draft order, without its times: an order that is being written begins now.

    Its id is that of the patient, the order and the day: the same draft, shown twice, is one prediction, and a record
    system that calls every draft ``draft-1`` does not write one over the other.
    """
    key = row_id("draft", person_id, order, at.date().isoformat())
    return {"drug_exposure_id": key, "route_concept_id": 0, "drug_concept_id": 0} | _facts(order, find)


def active_rows(bundle: Any, at: datetime) -> list[Json]:
    """The active orders of a Bundle, with their times."""
    find = finder(bundle)
    return [_active(order, find, at) for order in draft_orders(bundle)]


def reference_of(order: Json) -> str | None:
    """``MedicationRequest/<id>``; None for a draft that the record system gave no id."""
    id_ = text(order.get("id"))
    return None if id_ is None else f"{ORDER}/{id_}"


def row_id(*facts: Any) -> int:
    """A negative number of 62 bits, the same for the same facts; never -1, which means that there is no row."""
    digest = hashlib.blake2b(dumped(list(facts)), digest_size=8).digest()
    return -2 - (int.from_bytes(digest, "big") >> 2)


def _is_order(resource: Json) -> bool:
    given = resource.get("status") not in NO_ORDER and resource.get("doNotPerform") is not True
    return resource.get("resourceType") == ORDER and given


def _active(order: Json, find: Find, at: datetime) -> Json:
    began = moment(order.get("authoredOn")) or at
    ended = moment(part(order, "dispenseRequest", "validityPeriod", "end"))
    ended = ended or moment(part(order, "dosageInstruction", "timing", "repeat", "boundsPeriod", "end"))
    times = {"started_at": min(began, at), "available_at": min(began, at), "ended_at": ended}
    ids = {"drug_exposure_id": row_id(order), "route_concept_id": 0, "drug_concept_id": 0}
    return ids | _facts(order, find) | times


def _facts(order: Json, find: Find) -> Json:
    medication = medication_of(order, find)
    return drug(order, medication) | dosage(order, medication)
