"""The same result in another resource type, for record systems that do not take the one it was made for.

Most take documents, many take observations; few take a RiskAssessment or a DetectedIssue.
"""

from collections.abc import Callable
from typing import Any

from fhir_adapters.cases import DOCUMENT_TYPES
from fhir_adapters.document_reference import CATEGORIES, LOINC, attachment
from fhir_adapters.extensions import PREDICTION_PROBABILITY, UCUM
from fhir_adapters.french import narrative_text
from fhir_adapters.identifiers import resource_id
from fhir_adapters.marking import ai_asserted
from fhir_adapters.site import CANONICAL
from passerelle.errors import FhirError

Json = dict[str, Any]

RESULTS = f"{CANONICAL}/CodeSystem/prediction-model"
SUMMARY = "34133-9"
PRELIMINARY, RETRACTED = "preliminary", "entered-in-error"


def converted(resource: Json, to: str) -> Json:
    """The resource as a DocumentReference or an Observation, with its identifiers, subject, author and narrative.

    Its id is another one, and as stable: a new content is a new version of the same resource.

    Raises:
        FhirError: there is no such conversion.
    """
    conversion = _CONVERSIONS.get((resource["resourceType"], to))
    if conversion is None:
        raise FhirError(
            f"a {resource['resourceType']} cannot be sent as {to}",
            looked=", ".join(f"{a} as {b}" for a, b in _CONVERSIONS),
            do="correct the fallback of the target",
        )
    kept = {name: resource[name] for name in ("language", "text", "identifier") if name in resource}
    found = {"resourceType": to, "id": resource_id(to, resource["id"]), "meta": {"security": [ai_asserted()]}}
    return found | kept | conversion(resource)


def _document(resource: Json) -> Json:
    title, text = _title(resource), narrative_text(resource["text"])
    withdrawn = resource["status"] == RETRACTED
    found: Json = {
        "status": RETRACTED if withdrawn else "current",
        "docStatus": _doc_status(resource["status"]),
        "type": {"coding": [{"system": LOINC, "code": SUMMARY, "display": DOCUMENT_TYPES[SUMMARY]}]},
        "category": [{"coding": [{"system": CATEGORIES, "code": "ai-extraction"}], "text": title}],
        "date": resource.get("occurrenceDateTime") or resource.get("identifiedDateTime"),
        "author": [_author(resource)],
        "content": [{"attachment": attachment("text/plain", text, title)}],
    }
    found |= {"subject": subject} if (subject := _subject(resource)) else {}
    return found | ({"context": {"encounter": [resource["encounter"]]}} if "encounter" in resource else {})


def _doc_status(status: str) -> str:
    known = (PRELIMINARY, "final", "amended", RETRACTED)
    return status if status in known else "amended" if status == "corrected" else "final"


def _observation(resource: Json) -> Json:
    found: Json = {
        "status": resource["status"],
        "code": {"coding": _codes(resource), "text": _title(resource)},
        "device": _author(resource),
        "note": [{"text": narrative_text(resource["text"])}],
    }
    found |= {"subject": subject} if (subject := _subject(resource)) else {}
    found |= {"encounter": resource["encounter"]} if "encounter" in resource else {}
    moment = resource.get("occurrenceDateTime") or resource.get("identifiedDateTime")
    return found | {"effectiveDateTime": moment} | _values(resource)


def _values(resource: Json) -> Json:
    """The probability: one value, or one component a period."""
    if resource["resourceType"] == "DetectedIssue":
        stated = [e["valueQuantity"] for e in resource.get("extension", ()) if e["url"] == PREDICTION_PROBABILITY]
        return {"valueQuantity": stated[0]} if stated else {}
    predictions = resource.get("prediction", [])
    if len(predictions) == 1:
        return _value(predictions[0])
    components = [
        {"code": {"text": f"{p['outcome']['text']}, {p['whenPeriod']['start'][:10]}"}} | _value(p) for p in predictions
    ]
    return {"component": components} if components else {}


def _value(prediction: Json) -> Json:
    if "probabilityRange" in prediction:
        return {"valueRange": prediction["probabilityRange"]}
    return {"valueQuantity": {"value": prediction["probabilityDecimal"], "unit": "%", "system": UCUM, "code": "%"}}


def _codes(resource: Json) -> list[Json]:
    of = resource.get("method") or resource.get("code") or {}
    coding: list[Json] = of.get("coding", [])
    return coding


def _title(resource: Json) -> str:
    title: str = resource.get("code", {}).get("text", "Aide à la décision")
    return title


def _author(resource: Json) -> Json:
    author: Json = resource.get("performer") or resource["author"]
    return author


def _subject(resource: Json) -> Json | None:
    return resource.get("subject") or resource.get("patient")


_CONVERSIONS: dict[tuple[str, str], Callable[[Json], Json]] = {
    ("RiskAssessment", "DocumentReference"): _document,
    ("RiskAssessment", "Observation"): _observation,
    ("DetectedIssue", "DocumentReference"): _document,
    ("DetectedIssue", "Observation"): _observation,
}
