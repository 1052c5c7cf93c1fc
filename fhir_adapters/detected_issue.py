"""DetectedIssue: a prescription line that a pharmacist may want to look at, or those of a patient together."""

from typing import Any

from fhir_adapters.device import device_reference
from fhir_adapters.extensions import feature_contribution, prediction_probability
from fhir_adapters.findings import SEVERITIES, V3_ACT_CODE, WITHOUT_CODE
from fhir_adapters.french import clean, instant, narrative, number
from fhir_adapters.marking import meta
from fhir_adapters.placeholder import person_reference, row_reference
from fhir_adapters.probability import Probability
from fhir_adapters.site import Site
from fhir_adapters.wording import (
    DRUG_TABLE,
    NOT_SEEN,
    about_order,
    evidence_labels,
    origin,
    reason,
    strongest,
    title,
    with_reasons,
)
from models.contract import Evidence, Prediction

Json = dict[str, Any]


def detected_issue(prediction: Prediction, site: Site) -> Json:
    """The DetectedIssue of one prediction, with stand-ins for the patient and for the rows it rests on.

    ``status`` is preliminary: no human has seen it. Mitigation is for humans, so there is none.
    """
    probability = Probability.of_fraction(prediction.probability)
    orders = _orders(prediction)
    resource: Json = {
        "resourceType": "DetectedIssue",
        "id": prediction.prediction_id,
        "meta": meta("DetectedIssue"),
        "language": "fr-FR",
        "text": _narrative(prediction, probability, site),
        "extension": [prediction_probability(probability)],
        "identifier": [{"system": site.prediction_system, "value": prediction.prediction_id}],
        "status": "preliminary",
        "code": finding(prediction.category),
    }
    if prediction.severity is not None:
        resource["severity"] = prediction.severity
    if prediction.person_id is not None:
        resource["patient"] = person_reference(prediction.person_id)
    resource |= {
        "identifiedDateTime": instant(prediction.index_time),
        "author": device_reference(prediction),
    }
    if orders:
        resource["implicated"] = [row_reference(order, site) for order in orders]
    evidence = _evidence(prediction, site)
    if evidence:
        resource["evidence"] = evidence
    return resource | {"detail": _detail(prediction)}


def finding(category: str) -> Json:
    """CodeableConcept of a category; the text is what a French screen shows."""
    coding = {} if category in WITHOUT_CODE else {"coding": [{"system": V3_ACT_CODE, "code": category}]}
    return coding | {"text": title(category)}


def _orders(prediction: Prediction) -> list[Evidence]:
    """The orders in question: the one that the prediction is about first, then the others it rests on."""
    orders = {e.row_id: e for e in prediction.evidence if e.table == DRUG_TABLE}
    about = about_order(prediction)
    if about is None:
        return list(orders.values())
    orders.pop(about.row_id, None)
    return [about, *orders.values()]


def _evidence(prediction: Prediction, site: Site) -> list[Json]:
    rows = [e for e in prediction.evidence if e.table != DRUG_TABLE]
    found: list[Json] = []
    for row in dict.fromkeys(rows):
        text = clean(row.label)
        found.append(({"code": [{"text": text}]} if text else {}) | {"detail": [row_reference(row, site)]})
    contributions = [feature_contribution(c) for c in prediction.contributions]
    if contributions:
        found.append({"extension": contributions, "code": [{"text": "Contribution des variables au score du modèle"}]})
    return found


def _detail(prediction: Prediction) -> str:
    message = clean(prediction.message) or title(prediction.category)
    return with_reasons(message, prediction.contributions)


def _narrative(prediction: Prediction, probability: Probability, site: Site) -> Json:
    severity = f" Gravité {SEVERITIES[prediction.severity]}." if prediction.severity else ""
    what = f"{title(prediction.category)} : {clean(prediction.message)}"
    how_sure = f"Probabilité estimée : {number(probability.percent())} %.{severity}"
    points = [reason(c) for c in strongest(prediction.contributions)] + evidence_labels(prediction)
    return narrative([what, how_sure, f"{origin(prediction, site)} {NOT_SEEN}"], points)
