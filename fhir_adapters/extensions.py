"""Our extensions; each has its StructureDefinition in ``profiles/``, without which strict validators refuse it."""

from typing import Any

from fhir_adapters.french import clean, significant
from fhir_adapters.probability import Probability
from fhir_adapters.site import CANONICAL
from models.contract import Contribution

FEATURE_CONTRIBUTION = f"{CANONICAL}/StructureDefinition/feature-contribution"
PREDICTION_PROBABILITY = f"{CANONICAL}/StructureDefinition/prediction-probability"
UCUM = "http://unitsofmeasure.org"


def feature_contribution(contribution: Contribution, *, method: str | None = None) -> dict[str, Any]:
    """One feature's signed share of a prediction, on the log-odds scale."""
    feature = clean(contribution.feature)
    label = clean(contribution.label) or feature
    parts: list[dict[str, Any]] = [
        {"url": "feature", "valueCodeableConcept": {"coding": [_feature_code(feature)], "text": label}}
    ]
    if isinstance(contribution.value, str) and clean(contribution.value):
        parts.append({"url": "value", "valueString": clean(contribution.value)})
    elif isinstance(contribution.value, int | float) and contribution.value == contribution.value:  # NaN: not measured
        parts.append({"url": "value", "valueDecimal": significant(contribution.value)})
    parts.append({"url": "contribution", "valueDecimal": significant(contribution.contribution)})
    parts.append({"url": "scale", "valueCode": "log-odds"})
    if method:
        parts.append({"url": "method", "valueString": method})
    return {"url": FEATURE_CONTRIBUTION, "extension": parts}


def prediction_probability(probability: Probability) -> dict[str, Any]:
    """The model's probability on a resource that has no element for it: a Quantity in %, so nobody asks which scale."""
    percent = {"value": probability.percent(), "unit": "%", "system": UCUM, "code": "%"}
    return {"url": PREDICTION_PROBABILITY, "valueQuantity": percent}


def _feature_code(feature: str) -> dict[str, str]:
    code = " ".join(feature.split())  # a code has single spaces at most
    return {"system": f"{CANONICAL}/CodeSystem/model-feature", "code": code}
