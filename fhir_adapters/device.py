"""Device: one resource for each version of a model."""

from functools import lru_cache
from typing import Any

from fhir_adapters.french import narrative
from fhir_adapters.identifiers import FINESS_SYSTEM, device_id, model_version
from fhir_adapters.marking import meta
from fhir_adapters.site import Site
from models.contract import Prediction

Json = dict[str, Any]


def device(prediction: Prediction, site: Site) -> Json:
    """The Device that stands for the model version behind a prediction; the same for all its predictions."""
    return _device(prediction.model, prediction.model_version, prediction.model_sha256, site)


@lru_cache(maxsize=64)
def _device(model: str, version: str, sha256: str, site: Site) -> Json:
    return {
        "resourceType": "Device",
        "id": device_id(model, version, sha256),
        "meta": meta("Device"),
        "language": "fr-FR",
        "text": _narrative(model, version, site),
        "identifier": [{"system": site.model_version_system, "value": model_version(model, version)}],
        "status": "active",
        "manufacturer": "Passerelle",
        "deviceName": [{"name": model, "type": "model-name"}],
        "modelNumber": model,
        "version": [
            {"type": {"text": "version du modèle"}, "value": version},
            {"type": {"text": "SHA-256 des poids"}, "value": sha256},
        ],
        "owner": organization(site),
        "url": f"{site.model_registry}/#/models/{model}",
    }


def organization(site: Site) -> Json:
    """Logical reference to the hospital."""
    identifier = {"system": FINESS_SYSTEM, "value": site.finess}
    return {"type": "Organization", "identifier": identifier, "display": site.organization}


def device_reference(prediction: Prediction) -> dict[str, str]:
    """Literal reference to the Device, with a name for screens that do not follow references."""
    id_ = device_id(prediction.model, prediction.model_version, prediction.model_sha256)
    return {
        "reference": f"Device/{id_}",
        "type": "Device",
        "display": f"{prediction.model} {prediction.model_version}",
    }


def _narrative(model: str, version: str, site: Site) -> dict[str, str]:
    what = f"Modèle d'aide à la décision « {model} », version {version}."
    return narrative([what, f"Mis en service par {site.organization}. Il ne remplace pas un avis clinique."], [])
