"""Provenance: who made, changed or withdrew a resource, with what, from what."""

from datetime import datetime
from typing import Any

from fhir_adapters.device import device_reference, organization
from fhir_adapters.french import clean, exact_instant, instant, local, narrative
from fhir_adapters.identifiers import model_version, provenance_id
from fhir_adapters.marking import ai_asserted, meta
from fhir_adapters.placeholder import row_reference
from fhir_adapters.site import Site
from models.contract import Prediction

Json = dict[str, Any]

PARTICIPANT_TYPE = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
DATA_OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"


def provenance(
    prediction: Prediction, target: Json, site: Site, *, content_sha256: str, recorded: datetime, revision: int
) -> Json:
    """The Provenance of one content of a prediction.

    Args:
        target: the resource that it is about.
        recorded: when the content entered the outbox.
        revision: 1 for the first content of a prediction, then 2, 3…
    """
    return {
        "resourceType": "Provenance",
        "id": provenance_id(prediction.prediction_id, content_sha256, revision),
        "meta": meta("Provenance"),
        "language": "fr-FR",
        "text": _narrative(prediction, site),
        "target": [_target(target)],
        "occurredDateTime": instant(prediction.index_time),
        "recorded": exact_instant(recorded),
        "reason": [{"coding": [ai_asserted()]}],
        "activity": _activity("CREATE" if revision == 1 else "UPDATE"),
        "agent": [_author(device_reference(prediction), site)],
        "entity": _entities(prediction, site),
    }


def provenance_of_people(  # noqa: PLR0913  what is known of an act
    key: str, target: Json, device: Json, site: Site, *, agent: Json, operation: str, why: str, content_sha256: str,
    recorded: datetime, revision: int,
) -> Json:  # fmt: skip
    """The Provenance of what people did to a model's result: withdrew it (NULLIFY), or judged it (UPDATE).

    Args:
        key: identifier of the prediction.
        device: reference to the model version whose result it was, so that ``Provenance?agent=`` finds both.
        agent: who did it: a Reference.
        why: French, without the patient.
    """
    who = {"type": {"coding": [{"system": PARTICIPANT_TYPE, "code": "verifier"}]}, "who": agent}
    return {
        "resourceType": "Provenance",
        "id": provenance_id(key, content_sha256, revision),
        "meta": meta("Provenance"),
        "language": "fr-FR",
        "text": narrative([clean(why)], []),
        "target": [_target(target)],
        "occurredDateTime": instant(recorded),
        "recorded": exact_instant(recorded),
        "reason": [{"text": clean(why)}],
        "activity": _activity(operation),
        "agent": [who, _author(device, site)],
    }


def view_release(prediction: Prediction, site: Site) -> Json:
    """Logical reference to the views that a model read, as they were."""
    release = f"{prediction.view_contract}/{prediction.snapshot_id}".replace("|", "-")
    return {"identifier": {"system": site.view_release_system, "value": release}, "display": "vues OMOP lues"}


def _target(resource: Json) -> Json:
    return {"reference": f"{resource['resourceType']}/{resource['id']}", "type": resource["resourceType"]}


def _activity(operation: str) -> Json:
    return {"coding": [{"system": DATA_OPERATION, "code": operation}]}


def _author(device: Json, site: Site) -> Json:
    return {
        "type": {"coding": [{"system": PARTICIPANT_TYPE, "code": "author"}]},
        "role": [{"text": "intelligence artificielle"}],
        "who": device,
        "onBehalfOf": organization(site),
    }


def _entities(prediction: Prediction, site: Site) -> list[Json]:
    card = {
        "identifier": {
            "system": site.model_version_system,
            "value": model_version(prediction.model, prediction.model_version),
        },
        "display": "carte du modèle",
    }
    rows = list(dict.fromkeys(prediction.evidence))
    if prediction.document is not None and prediction.document.source not in rows:
        rows.insert(0, prediction.document.source)
    sources = [view_release(prediction, site), *(row_reference(row, site) for row in rows)]
    return [{"role": "source", "what": what} for what in sources] + [{"role": "derivation", "what": card}]


def _narrative(prediction: Prediction, site: Site) -> Json:
    when = local(prediction.index_time, site.timezone)
    what = f"Produit par le modèle {prediction.model}, version {prediction.model_version}, pour {site.organization}."
    return narrative([what, f"Données : vues {prediction.view_contract}, connues le {when}."], [])
