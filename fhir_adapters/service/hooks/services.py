"""The services as discovery tells them, and what each asks to be prefetched."""

from typing import Any

from fhir_adapters.service.record.codes import LOINC, RESULTS, WEIGHTS
from fhir_adapters.service.record.history import CONDITIONS, LABS, MEDICATIONS, PATIENT

Json = dict[str, Any]
SIGN, SELECT, VIEW = "order-sign", "order-select", "patient-view"
NAME = "prescription-review"

_CODES = ",".join(f"{LOINC}|{code}" for code in (*RESULTS, *WEIGHTS))
_OF_PATIENT = {PATIENT: "Patient/{{context.patientId}}"}
_OF_RECORD = _OF_PATIENT | {
    MEDICATIONS: "MedicationRequest?patient={{context.patientId}}&status=active",
    CONDITIONS: "Condition?patient={{context.patientId}}",
    LABS: f"Observation?patient={{{{context.patientId}}}}&code={_CODES}&_sort=-date&_count=50",
}
_USAGE = "Sans `patient`, ou si le patient ne peut être identifié, la réponse est 412."


def _service(hook: str, title: str, description: str, prefetch: Json) -> Json:
    found = {"hook": hook, "id": f"{NAME}-{hook}", "title": title, "description": description, "prefetch": prefetch}
    return found | {"usageRequirements": _USAGE}


SERVICES = {
    service["id"]: service
    for service in (
        _service(SIGN, "Revue de prescription à la signature",
                 "Lignes qu'un pharmacien voudrait revoir : règles et modèle, au moment de signer.", _OF_RECORD),
        _service(SELECT, "Revue de prescription à la saisie",
                 "Les mêmes vérifications pendant la saisie ; rien n'est enregistré.", _OF_RECORD),
        _service(VIEW, "Alertes en cours du patient",
                 "Alertes déjà émises pour ce patient, et pas encore traitées.", _OF_PATIENT),
    )
}  # fmt: skip
DISCOVERY = {"services": list(SERVICES.values())}
