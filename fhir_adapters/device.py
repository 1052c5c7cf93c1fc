"""Device: one resource for each version of a model."""

from typing import Any

from fhir_adapters.french import narrative
from fhir_adapters.identifiers import FINESS_SYSTEM, device_id, model_version
from fhir_adapters.marking import meta
from fhir_adapters.site import Site
from models.contract import Prediction


def device(prediction: Prediction, site: Site) -> dict[str, Any]:
    """The Device that stands for the model version behind a prediction; the same for all its predictions."""
    return {
        "resourceType": "Device",
        "id": device_id(prediction),
        "meta": meta("Device"),
        "language": "fr-FR",
        "text": _narrative(prediction, site),
        "identifier": [{"system": site.model_version_system, "value": model_version(prediction)}],
        "status": "active",
        "manufacturer": "Passerelle",
        "deviceName": [{"name": prediction.model, "type": "model-name"}],
        "modelNumber": prediction.model,
        "version": [
            {"type": {"text": "version du modèle"}, "value": prediction.model_version},
            {"type": {"text": "SHA-256 des poids"}, "value": prediction.model_sha256},
        ],
        "owner": organization(site),
        "url": f"{site.model_registry}/#/models/{prediction.model}",
    }


def organization(site: Site) -> dict[str, Any]:
    """Logical reference to the hospital."""
    identifier = {"system": FINESS_SYSTEM, "value": site.finess}
    return {"type": "Organization", "identifier": identifier, "display": site.organization}


def device_reference(prediction: Prediction) -> dict[str, str]:
    """Literal reference to the Device, with a name for screens that do not follow references."""
    return {
        "reference": f"Device/{device_id(prediction)}",
        "type": "Device",
        "display": f"{prediction.model} {prediction.model_version}",
    }


def _narrative(prediction: Prediction, site: Site) -> dict[str, str]:
    what = f"Modèle d'aide à la décision « {prediction.model} », version {prediction.model_version}."
    return narrative([what, f"Mis en service par {site.organization}. Il ne remplace pas un avis clinique."], [])
