"""The invariants of resources, by resource type, and the traps that valid R4 hides."""

from collections.abc import Callable, Iterator
from typing import Any

from fhir_adapters.rules.bundle_invariants import bundle
from fhir_adapters.rules.primitives import is_number
from fhir_adapters.rules.problem import Problem
from fhir_adapters.rules.table import codes

Json = dict[str, Any]
Rule = Callable[[Json, str], Iterator[Problem]]

AI_OUTPUT = "AIAST"
NEEDS_TWO_DRUGS = {"DRG", "DUPTHPY"}
UCUM = "http://unitsofmeasure.org"
V3_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
PARTLESS = {"Bundle", "Binary", "Parameters"}  # resources that are not DomainResources


def resource_invariants(resource: Json, path: str) -> Iterator[Problem]:
    """Problems of one resource as a whole; those inside it are visited on their own."""
    kind = resource["resourceType"]
    if kind not in PARTLESS:
        yield from _domain_resource(resource, path)
    yield from _identifier_bar(resource, path)
    if kind in _BY_TYPE:
        yield from _BY_TYPE[kind](resource, path)


def _domain_resource(resource: Json, path: str) -> Iterator[Problem]:
    contained = [part for part in _items(resource, "contained") if isinstance(part, dict)]
    ids = {str(part.get("id")) for part in contained}
    used = {reference[1:] for reference in _local_references(resource)}
    for index, part in enumerate(contained):
        where = f"{path}.contained[{index}]"
        if "contained" in part:
            yield Problem(where, "dom-2", "a contained resource contains another")
        if str(part.get("id")) not in used and "#" not in set(_local_references(part)):
            yield Problem(where, "dom-3", "nothing refers to the contained resource")
        if {"versionId", "lastUpdated"} & _object(part, "meta").keys():
            yield Problem(where, "dom-4", "a contained resource has no version of its own")
        if "security" in _object(part, "meta"):
            yield Problem(where, "dom-5", "a contained resource has no security label of its own")
    for reference in sorted(used - ids - {""}):
        yield Problem(path, "ref-1", f"no contained resource has the id of the reference #{reference}")
    if "text" not in resource and ".contained[" not in path:  # contained resources are read with their container
        yield Problem(path, "dom-6", "a narrative should be there for people", "warning")


def _local_references(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _local_references(item)
    elif isinstance(node, dict):
        for name, value in node.items():
            if name == "reference" and isinstance(value, str) and value.startswith("#"):
                yield value
            else:
                yield from _local_references(value)


def _identifier_bar(resource: Json, path: str) -> Iterator[Problem]:
    for index, identifier in enumerate(_items(resource, "identifier")):
        if isinstance(identifier, dict) and "|" in str(identifier.get("value", "")):
            # Escaping does not help: the search misses and a conditional create makes a duplicate.
            yield Problem(f"{path}.identifier[{index}].value", "identifier-bar", "a vertical bar breaks searches")


def _risk_assessment(resource: Json, path: str) -> Iterator[Problem]:
    predictions = _items(resource, "prediction")
    if resource.get("status") == "entered-in-error" and predictions:
        # status is no modifier in R4: a client may show the resource as if it were live.
        yield Problem(f"{path}.prediction", "retraction", "a retracted assessment must not keep its predictions")
    for index, prediction in enumerate(predictions):
        if isinstance(prediction, dict):
            yield from _prediction(prediction, f"{path}.prediction[{index}]")


def _prediction(prediction: Json, path: str) -> Iterator[Problem]:
    if "probabilityDecimal" in prediction:
        yield from _percentage(prediction["probabilityDecimal"], f"{path}.probabilityDecimal")
    elif "probabilityRange" in prediction:
        yield from _percentage_range(_object(prediction, "probabilityRange"), f"{path}.probabilityRange")
    else:
        yield Problem(path, "ras-2", "without a probability strict R4 engines refuse the prediction")
    if not {"whenPeriod", "whenRange"} & prediction.keys():
        yield Problem(path, "when-absent", "without when[x] it means: over the remaining life", "warning")


def _percentage(value: Any, path: str) -> Iterator[Problem]:
    if not is_number(value):
        return  # the walk said so
    if value > 100:
        yield Problem(path, "ras-2", "a percentage is at most 100")
    elif value < 0:
        yield Problem(path, "probability-scale", "a percentage is not negative")
    elif 0 < value <= 1:
        yield Problem(path, "probability-below-one", "probabilityDecimal is a percentage: this reads as 1 % or less")


def _percentage_range(bounds: Json, path: str) -> Iterator[Problem]:
    for name in ("low", "high"):
        quantity = _object(bounds, name)
        if quantity and (quantity.get("code") != "%" or quantity.get("system") != UCUM):
            yield Problem(f"{path}.{name}", "ras-1", "the unit must be % of UCUM")
        value = quantity.get("value", 50)
        if is_number(value) and not 0 <= value <= 100:
            yield Problem(f"{path}.{name}", "probability-scale", "a percentage lies between 0 and 100")


def _detected_issue(resource: Json, path: str) -> Iterator[Problem]:
    codings = [c for c in _items(_object(resource, "code"), "coding") if isinstance(c, dict)]
    found = {str(c.get("code")) for c in codings if c.get("system") == V3_ACT_CODE}
    for code in sorted(found - codes("detectedissue-category")):
        yield Problem(f"{path}.code", "preferred-binding", f"{code} is not in detectedissue-category", "warning")
    if found & NEEDS_TWO_DRUGS and len(_items(resource, "implicated")) < 2:
        yield Problem(f"{path}.implicated", "two-drugs", "an interaction or a duplicate implies two orders", "warning")
    author = _object(resource, "author")
    by_device = author.get("type") == "Device" or "Device/" in str(author.get("reference", ""))
    marks = [c.get("code") for c in _items(_object(resource, "meta"), "security") if isinstance(c, dict)]
    if by_device and AI_OUTPUT not in marks:
        yield Problem(f"{path}.meta.security", "ai-marking", "output of a model is marked AIAST", "warning")


def _patient(resource: Json, path: str) -> Iterator[Problem]:
    for index, contact in enumerate(_items(resource, "contact")):
        if isinstance(contact, dict) and not {"name", "telecom", "address", "organization"} & contact.keys():
            yield Problem(f"{path}.contact[{index}]", "pat-1", "a contact needs details or an organization")


def _capability_statement(resource: Json, path: str) -> Iterator[Problem]:
    if not {"rest", "messaging", "document"} & resource.keys():
        yield Problem(path, "cpb-1", "one of rest, messaging and document must be there")
    if not {"description", "software", "implementation"} & resource.keys():
        yield Problem(path, "cpb-2", "one of description, software and implementation must be there")
    if resource.get("kind") == "instance" and "implementation" not in resource:
        yield Problem(path, "cpb-15", "an instance says which implementation it is")


_BY_TYPE: dict[str, Rule] = {
    "RiskAssessment": _risk_assessment,
    "DetectedIssue": _detected_issue,
    "Patient": _patient,
    "CapabilityStatement": _capability_statement,
    "Bundle": bundle,
}


def _items(resource: Json, name: str) -> list[Any]:
    value = resource.get(name)
    return value if isinstance(value, list) else []


def _object(resource: Json, name: str) -> Json:
    value = resource.get(name)
    return value if isinstance(value, dict) else {}
