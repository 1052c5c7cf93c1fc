"""Our extensions; each has its StructureDefinition in ``profiles/``, without which strict validators refuse it."""

from decimal import Decimal
from typing import Any

from fhir_adapters.french import clean, significant
from fhir_adapters.probability import Probability
from fhir_adapters.site import CANONICAL
from models.contract import Contribution, Forecast

FEATURE_CONTRIBUTION = f"{CANONICAL}/StructureDefinition/feature-contribution"
PREDICTION_PROBABILITY = f"{CANONICAL}/StructureDefinition/prediction-probability"
FORECAST_COUNT = f"{CANONICAL}/StructureDefinition/forecast-count"
EXTRACTION_CONFIDENCE = f"{CANONICAL}/StructureDefinition/extraction-confidence"
UCUM = "http://unitsofmeasure.org"
CONFIDENCE_STEP = Decimal("0.001")


def feature_contribution(contribution: Contribution, *, method: str | None = None) -> dict[str, Any]:
    """One feature's signed share of a prediction."""
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
    parts.append({"url": "scale", "valueCode": contribution.scale})
    if method:
        parts.append({"url": "method", "valueString": method})
    return {"url": FEATURE_CONTRIBUTION, "extension": parts}


def prediction_probability(probability: Probability) -> dict[str, Any]:
    """The model's probability on a resource that has no element for it: a Quantity in %, so nobody asks which scale."""
    percent = {"value": probability.percent(), "unit": "%", "system": UCUM, "code": "%"}
    return {"url": PREDICTION_PROBABILITY, "valueQuantity": percent}


def forecast_count(forecast: Forecast) -> dict[str, Any]:
    """What RiskAssessment has no element for: how many are expected, between what, and from where on it is a peak."""
    parts: list[dict[str, Any]] = [{"url": "expected", "valueQuantity": _count(forecast.expected)}]
    bounds = {"low": _count(forecast.interval.low), "high": _count(forecast.interval.high)}
    parts.append({"url": "interval", "valueRange": bounds})
    parts.append({"url": "coverage", "valueDecimal": significant(forecast.interval.coverage)})
    parts.append({"url": "threshold", "valueQuantity": _count(forecast.threshold)})
    return {"url": FORECAST_COUNT, "extension": parts}


def extraction_confidence(confidence: Probability) -> dict[str, Any]:
    """How sure a model is of a document as a whole: a fraction between 0 and 1, as HL7 draws its own AIconfidence."""
    return {"url": EXTRACTION_CONFIDENCE, "valueDecimal": confidence.fraction.quantize(CONFIDENCE_STEP)}


def _count(value: float) -> dict[str, Any]:
    return {"value": significant(value), "unit": "admissions", "system": UCUM, "code": "1"}


def _feature_code(feature: str) -> dict[str, str]:
    code = " ".join(feature.split())  # a code has single spaces at most
    return {"system": f"{CANONICAL}/CodeSystem/model-feature", "code": code}
