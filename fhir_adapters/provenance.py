"""Provenance: who made a resource, with what, from what."""

from datetime import datetime
from typing import Any

from fhir_adapters.device import device_reference, organization
from fhir_adapters.french import exact_instant, instant, local, narrative
from fhir_adapters.identifiers import model_version, provenance_id
from fhir_adapters.marking import ai_asserted
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
        "id": provenance_id(prediction, content_sha256, revision),
        "meta": {"security": [ai_asserted()]},
        "language": "fr-FR",
        "text": _narrative(prediction, site),
        "target": [{"reference": f"{target['resourceType']}/{target['id']}", "type": target["resourceType"]}],
        "occurredDateTime": instant(prediction.index_time),
        "recorded": exact_instant(recorded),
        "reason": [{"coding": [ai_asserted()]}],
        "activity": {"coding": [{"system": DATA_OPERATION, "code": "CREATE" if revision == 1 else "UPDATE"}]},
        "agent": [_author(prediction, site)],
        "entity": _entities(prediction, site),
    }


def _author(prediction: Prediction, site: Site) -> Json:
    return {
        "type": {"coding": [{"system": PARTICIPANT_TYPE, "code": "author"}]},
        "role": [{"text": "intelligence artificielle"}],
        "who": device_reference(prediction),
        "onBehalfOf": organization(site),
    }


def _entities(prediction: Prediction, site: Site) -> list[Json]:
    release = f"{prediction.view_contract}/{prediction.snapshot_id}".replace("|", "-")
    views = {"identifier": {"system": site.view_release_system, "value": release}, "display": "vues OMOP lues"}
    card = {
        "identifier": {"system": site.model_version_system, "value": model_version(prediction)},
        "display": "carte du modèle",
    }
    sources = [row_reference(row, site) for row in dict.fromkeys(prediction.evidence)]
    return [{"role": "source", "what": what} for what in (views, *sources)] + [{"role": "derivation", "what": card}]


def _narrative(prediction: Prediction, site: Site) -> Json:
    when = local(prediction.index_time, site.timezone)
    what = f"Produit par le modèle {prediction.model}, version {prediction.model_version}, pour {site.organization}."
    return narrative([what, f"Données : vues {prediction.view_contract}, connues le {when}."], [])
