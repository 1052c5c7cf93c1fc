"""The patient of a hook."""

from dataclasses import dataclass
from typing import Any

from fhir_adapters.refused import Refused
from fhir_adapters.service.patients import Patients
from fhir_adapters.service.record.history import PATIENT
from fhir_adapters.service.record.orders import row_id

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """A person row; of somebody whom the warehouse does not know yet, a number for this call only."""

    person_id: int
    known: bool


def subject_of(request: Json, patients: Patients) -> Subject:
    """Whom a request is about.

    Raises:
        Refused: 412 when the patient cannot be known, 400 when the message speaks of two.
    """
    patient_id = request["context"]["patientId"]
    sent = request.get("prefetch", {}).get(PATIENT)
    patient = sent if isinstance(sent, dict) and sent.get("resourceType") == "Patient" else None
    if patient is not None and patient.get("id", patient_id) != patient_id:
        raise Refused(400, "invalid", "prefetch.patient is another patient than context.patientId")
    found = set() if patient is None else patients.by_resource(patient)
    if (by_id := patients.by_id(patient_id)) is not None:
        found.add(by_id)
    if len(found) > 1:
        raise Refused(412, "conflict", "the identifiers of the patient lead to several people")
    if found:
        return Subject(found.pop(), known=True)
    if patient is None:
        raise Refused(412, "not-found", "the patient cannot be known: prefetch the key patient, with its identifiers")
    return Subject(row_id("patient", patient_id), known=False)
