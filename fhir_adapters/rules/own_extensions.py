"""The scales of two extensions of ours that hold a chance: one in per cent as in RiskAssessment, one as a fraction."""

from collections.abc import Iterator

from fhir_adapters.extensions import EXTRACTION_CONFIDENCE, PREDICTION_PROBABILITY
from fhir_adapters.rules.problem import Problem
from fhir_adapters.rules.rule import Json


def own_extension(extension: Json) -> Iterator[Problem]:
    """Problems of one extension of ours; of another, none."""
    url = extension.get("url")
    if url == PREDICTION_PROBABILITY and not 0 <= extension.get("valueQuantity", {}).get("value", 0) <= 100:
        yield Problem(".valueQuantity", "probability-scale", "a percentage lies between 0 and 100")
    if url == EXTRACTION_CONFIDENCE and not 0 <= extension.get("valueDecimal", 0) <= 1:
        yield Problem(".valueDecimal", "confidence-scale", "a confidence is a fraction")
