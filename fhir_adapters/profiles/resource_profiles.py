"""Profiles of what we send: what R4 leaves open and a receiver of ours may rely on."""

from typing import Any

from fhir_adapters.profiles.definitions import element, profile

Json = dict[str, Any]

_MARKED = (
    "meta.security.where(system = 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue' and code = 'AIAST')"
    ".exists()"
)
_PERCENT = "probability.ofType(decimal).all($this >= 0 and $this <= 100)"


def resource_profiles() -> list[Json]:
    """Every one."""
    return [_detected_issue(), _risk_assessment(), _document_reference(), _device()]


def _detected_issue() -> Json:
    at = "DetectedIssue"
    elements = [
        *_common(at),
        element(f"{at}.code", min=1),
        element(f"{at}.identified[x]", min=1),
        element(f"{at}.author", min=1, type=_reference("Device")),
    ]
    what = "A prescription line, or those of a patient together, to be looked at by a pharmacist; found by a model."
    return profile("passerelle-detected-issue", "PasserelleDetectedIssue", what, at, elements)


def _risk_assessment() -> Json:
    at = "RiskAssessment"
    scale = _constraint("pas-2", "A probability is a percentage between 0 and 100", _PERCENT)
    kept = _constraint("pas-3", "A withdrawn assessment keeps no prediction",
                       "status = 'entered-in-error' implies prediction.empty()")  # fmt: skip
    elements = _common(at)
    elements[0]["constraint"].append(kept)
    elements += [
        element(f"{at}.method", min=1),
        element(f"{at}.occurrence[x]", min=1),
        element(f"{at}.performer", min=1, type=_reference("Device")),
        element(f"{at}.prediction", constraint=[scale]),
        element(f"{at}.prediction.outcome", min=1),
        element(f"{at}.prediction.probability[x]", min=1),
        element(f"{at}.prediction.when[x]", min=1),
        element(f"{at}.prediction.rationale", min=1),
    ]
    what = "How probable an outcome is, for a patient or by periods for a group, as a model estimates it."
    return profile("passerelle-risk-assessment", "PasserelleRiskAssessment", what, at, elements)


def _document_reference() -> Json:
    at = "DocumentReference"
    *marked, identifier = _common(at)
    elements = [
        *marked,
        element(f"{at}.masterIdentifier", min=1),  # in the order of R4
        identifier,
        element(f"{at}.docStatus", min=1),
        element(f"{at}.type", min=1),
        element(f"{at}.date", min=1),
        element(f"{at}.author", min=1),
        element(f"{at}.content.attachment.size", min=1),
        element(f"{at}.content.attachment.hash", min=1),
        element(f"{at}.content.attachment.title", min=1),
    ]
    what = "What a model found in a note or read on a scan: a text for people, the same for programs."
    return profile("passerelle-document-reference", "PasserelleDocumentReference", what, at, elements)


def _device() -> Json:
    at = "Device"
    elements = [
        *_common(at),
        element(f"{at}.deviceName", min=1),
        element(f"{at}.modelNumber", min=1),
        element(f"{at}.version", min=1),
        element(f"{at}.owner", min=1),
    ]
    return profile("passerelle-device", "PasserelleDevice", "One version of a model.", at, elements)


def _common(at: str) -> list[Json]:
    """The mark, a narrative and an identifier: on everything."""
    mark = _constraint("pas-1", "The output of a model is marked AIAST", _MARKED)
    return [
        element(at, constraint=[mark]),
        element(f"{at}.meta", min=1),
        element(f"{at}.text", min=1),
        element(f"{at}.identifier", min=1),
    ]


def _constraint(key: str, human: str, expression: str) -> Json:
    return {"key": key, "severity": "error", "human": human, "expression": expression}


def _reference(kind: str) -> list[Json]:
    return [{"code": "Reference", "targetProfile": [f"http://hl7.org/fhir/StructureDefinition/{kind}"]}]
