"""What a record system knows of a patient today: rows of the views that may not hold it yet."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from fhir_adapters.service.record.codes import (
    ICD10_SYSTEMS,
    LOINC,
    NO_DIAGNOSIS,
    NO_RESULT,
    RESULTS,
    SEXES,
    WEIGHTS,
)
from fhir_adapters.service.record.moments import moment
from fhir_adapters.service.record.orders import active_rows, row_id
from fhir_adapters.service.record.shapes import Json, codings, named, number, objects, part, text

PATIENT, MEDICATIONS, CONDITIONS, LABS = "patient", "medications", "conditions", "labs"


def rows_of(prefetch: Json, at: datetime) -> dict[str, list[Json]]:
    """Rows by view, from the answers to the prefetch templates; nothing of it is later than ``at``."""
    results = list(_results(prefetch.get(LABS), at))
    patient = prefetch.get(PATIENT)
    return {
        "persons": [_person(patient)] if isinstance(patient, dict) and patient.get("resourceType") == "Patient" else [],
        "drug_orders": active_rows(prefetch.get(MEDICATIONS), at),
        "diagnoses": list(_diagnoses(prefetch.get(CONDITIONS), at)),
        "lab_results": [row for view, row in results if view == "lab_results"],
        "observations": [row for view, row in results if view == "observations"],
    }


def _person(patient: Json) -> Json:
    written = text(patient.get("birthDate")) or ""
    born = moment(written)
    whole = born is not None and len(written) == len("2025-03-05")
    return {
        "year_of_birth": born.year if born else None,
        "birth_date": born.date() if born and whole else None,
        "sex": SEXES.get(str(patient.get("gender")), "U"),
    }


def _diagnoses(bundle: Any, at: datetime) -> Iterator[Json]:
    for condition in _resources(bundle, "Condition"):
        if {code for _, code in codings(condition.get("verificationStatus"))} & {*NO_DIAGNOSIS}:
            continue
        known = moment(condition.get("recordedDate")) or moment(condition.get("onsetDateTime")) or at
        for system, code in codings(condition.get("code")):
            if system in ICD10_SYSTEMS:
                yield {
                    "condition_occurrence_id": row_id(condition),
                    "concept_name": named(condition.get("code")),
                    "source_code": code,
                    "available_at": min(known, at),
                }
                break


def _results(bundle: Any, at: datetime) -> Iterator[tuple[str, Json]]:
    for observation in _resources(bundle, "Observation"):
        codes = {code for system, code in codings(observation.get("code")) if system == LOINC}
        value = number(part(observation, "valueQuantity", "value"))
        if value is None or observation.get("status") in NO_RESULT:
            continue
        measured = moment(observation.get("effectiveDateTime")) or moment(observation.get("issued")) or at
        known = min(max(measured, moment(observation.get("issued")) or measured), at)
        quantity = part(observation, "valueQuantity")
        unit = text(part(quantity, "code")) or text(part(quantity, "unit"))
        facts = {"value": value, "unit": unit, "available_at": known}
        name = next((RESULTS[code] for code in sorted(codes) if code in RESULTS), None)
        if name is not None:
            ids = {"measurement_id": row_id(observation), "measurement_concept_id": 0, "concept_name": name}
            yield "lab_results", ids | facts | {"measured_at": min(measured, at)}
        elif codes & {*WEIGHTS}:
            ids = {"source_id": row_id(observation), "kind": "weight"}
            yield "observations", ids | facts | {"observed_at": min(measured, at)}


def _resources(bundle: Any, kind: str) -> list[Json]:
    found = (entry.get("resource") for entry in objects(bundle, "entry"))
    return [r for r in found if isinstance(r, dict) and r.get("resourceType") == kind]
