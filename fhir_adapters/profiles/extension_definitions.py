"""StructureDefinitions of our extensions: an extension that nobody defined is an error for a strict validator."""

from typing import Any

from fhir_adapters.extensions import EXTRACTION_CONFIDENCE, FEATURE_CONTRIBUTION, FORECAST_COUNT, PREDICTION_PROBABILITY
from fhir_adapters.profiles.definitions import element, extension, part

Json = dict[str, Any]

UCUM = "http://unitsofmeasure.org"


def extensions() -> list[Json]:
    """Every one."""
    return [_feature_contribution(), _prediction_probability(), _forecast_count(), _extraction_confidence()]


def _feature_contribution() -> Json:
    parts = [
        part("feature", 1, ["CodeableConcept"], "The variable; text is its French label"),
        part("value", 0, ["decimal", "string"], "What the variable was"),
        part("contribution", 1, ["decimal"], "Signed share of the prediction, on the scale"),
        part("scale", 1, ["code"], "log-odds or probability"),
        part("method", 0, ["string"], "How the share was computed"),
        part("baseline", 0, ["decimal"], "Prediction without any variable, on the scale"),
    ]
    contexts = ["DetectedIssue.evidence", "RiskAssessment.prediction"]
    what = "One variable's signed share of a model's prediction."
    return extension(
        "feature-contribution", "FeatureContribution", what, contexts, _complex(FEATURE_CONTRIBUTION, parts)
    )


def _forecast_count() -> Json:
    parts = [
        part("expected", 1, ["Quantity"], "Expected count"),
        part("interval", 1, ["Range"], "Where the count lies with the stated coverage"),
        part("coverage", 1, ["decimal"], "Coverage of the interval, as a fraction"),
        part("threshold", 1, ["Quantity"], "Count above which it is a peak"),
    ]
    what = "The count behind the probability of a peak: expected, with its interval, and the threshold."
    return extension(
        "forecast-count", "ForecastCount", what, ["RiskAssessment.prediction"], _complex(FORECAST_COUNT, parts)
    )


def _complex(url: str, parts: list[list[Json]]) -> list[Json]:
    """The elements of an extension that has parts and no value."""
    several = {"id": "Extension", "path": "Extension", "min": 0, "max": "*"}
    return [several, *(e for one in parts for e in one), _url(url), element("Extension.value[x]", max="0")]


def _prediction_probability() -> Json:
    elements = [
        *_simple(PREDICTION_PROBABILITY, "Quantity"),
        element("Extension.value[x].value", min=1, minValueDecimal=0, maxValueDecimal=100),
        element("Extension.value[x].system", min=1, fixedUri=UCUM),
        element("Extension.value[x].code", min=1, fixedCode="%"),
    ]
    what = "A model's probability in per cent, where R4 has no element for it or holds a range there."
    contexts = ["DetectedIssue", "RiskAssessment.prediction"]
    return extension("prediction-probability", "PredictionProbability", what, contexts, elements)


def _extraction_confidence() -> Json:
    what = "How sure a model is of what it extracted or transcribed, as a fraction between 0 and 1."
    elements = _simple(EXTRACTION_CONFIDENCE, "decimal")
    elements[-1] |= {"minValueDecimal": 0, "maxValueDecimal": 1}
    return extension("extraction-confidence", "ExtractionConfidence", what, ["DocumentReference.content"], elements)


def _simple(url: str, kind: str) -> list[Json]:
    """The elements of an extension that has a value and no parts."""
    return [
        element("Extension", min=0, max="1"),
        element("Extension.extension", max="0"),
        _url(url),
        element("Extension.value[x]", min=1, type=[{"code": kind}]),
    ]


def _url(url: str) -> Json:
    return element("Extension.url", fixedUri=url)
