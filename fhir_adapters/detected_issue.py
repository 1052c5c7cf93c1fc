"""DetectedIssue: a prescription line that a pharmacist may want to look at."""

from typing import Any

from fhir_adapters.device import device_reference
from fhir_adapters.extensions import feature_contribution, prediction_probability
from fhir_adapters.findings import FINDINGS, OTHER, SEVERITIES, V3_ACT_CODE
from fhir_adapters.french import clean, instant, local, narrative, number
from fhir_adapters.marking import ai_asserted
from fhir_adapters.placeholder import person_reference, row_reference
from fhir_adapters.probability import Probability
from fhir_adapters.site import Site
from models.contract import Contribution, Evidence, Prediction

Json = dict[str, Any]

SHOWN_CONTRIBUTIONS = 5
DRUG_TABLE = "drug_exposure"


def detected_issue(prediction: Prediction, site: Site) -> Json:
    """The DetectedIssue of one prediction, with stand-ins for the patient and for the rows it rests on.

    ``status`` is preliminary: no human has seen it. Mitigation is for humans, so there is none.
    """
    probability = Probability.of_fraction(prediction.probability)
    orders = _orders(prediction)
    resource: Json = {
        "resourceType": "DetectedIssue",
        "id": prediction.prediction_id,
        "meta": {"security": [ai_asserted()]},
        "language": "fr-FR",
        "text": _narrative(prediction, probability, site),
        "extension": [prediction_probability(probability)],
        "identifier": [{"system": site.prediction_system, "value": prediction.prediction_id}],
        "status": "preliminary",
        "code": finding(prediction.category),
    }
    if prediction.severity is not None:
        resource["severity"] = prediction.severity
    resource |= {
        "patient": person_reference(prediction.person_id),
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
    return {"coding": [{"system": V3_ACT_CODE, "code": category}], "text": FINDINGS.get(category, OTHER)}


def _orders(prediction: Prediction) -> list[Evidence]:
    """The orders in question: the one that the prediction is about first, then the others it rests on."""
    orders = {e.row_id: e for e in prediction.evidence if e.table == DRUG_TABLE}
    table, _, row = prediction.occasion.partition(":")
    if table == DRUG_TABLE and row.removeprefix("-").isdigit():
        about = orders.pop(int(row), Evidence(DRUG_TABLE, int(row)))
        return [about, *orders.values()]
    return list(orders.values())


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
    reasons = " ; ".join(_reason(c) for c in _strongest(prediction.contributions))
    message = clean(prediction.message) or FINDINGS.get(prediction.category, OTHER)
    return f"{message} Ce qui pèse le plus dans le score : {reasons}." if reasons else message


def _strongest(contributions: tuple[Contribution, ...]) -> list[Contribution]:
    return sorted(contributions, key=lambda c: -abs(c.contribution))[:SHOWN_CONTRIBUTIONS]


def _reason(contribution: Contribution) -> str:
    """``créatinine (245) : augmente le risque``."""
    value = contribution.value
    shown = f"{value:.4g}".replace(".", ",") if isinstance(value, float) else value
    named = clean(contribution.label) or contribution.feature
    direction = "augmente" if contribution.contribution > 0 else "diminue"
    return f"{named}{'' if shown in (None, '') else f' ({shown})'} : {direction} le risque"


def _narrative(prediction: Prediction, probability: Probability, site: Site) -> Json:
    severity = f" Gravité {SEVERITIES[prediction.severity]}." if prediction.severity else ""
    until = f", valable jusqu'au {local(prediction.valid_until, site.timezone)}" if prediction.valid_until else ""
    what = f"{FINDINGS.get(prediction.category, OTHER)} : {clean(prediction.message)}"
    how_sure = f"Probabilité estimée : {number(probability.percent())} %.{severity}"
    origin = (
        f"Aide à la décision produite par le modèle {prediction.model}, version {prediction.model_version}, "
        f"avec les données connues le {local(prediction.index_time, site.timezone)}{until}. "
        "Non encore vue par un professionnel ; ne remplace pas un avis clinique."
    )
    points = [_reason(c) for c in _strongest(prediction.contributions)]
    points += [clean(e.label) for e in dict.fromkeys(prediction.evidence) if clean(e.label)]
    return narrative([what, how_sure, origin], points)
