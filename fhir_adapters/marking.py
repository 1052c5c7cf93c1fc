"""The marks that say: a machine wrote this."""

from typing import Any

from fhir_adapters.site import CANONICAL

OBSERVATION_VALUE = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
PROFILES = {
    name: f"{CANONICAL}/StructureDefinition/passerelle-{slug}"
    for name, slug in (
        ("DetectedIssue", "detected-issue"),
        ("Device", "device"),
        ("DocumentReference", "document-reference"),
        ("RiskAssessment", "risk-assessment"),
    )
}


def ai_asserted() -> dict[str, Any]:
    """AIAST, "artificial intelligence asserted".

    R4's own copy of the code system (2018) lacks the code; a receiver with plain R4 terminology refuses it, so
    each target has a switch (``DeliveryOptions.mark_ai``) that leaves it out of ``meta.security``.
    """
    return {"system": OBSERVATION_VALUE, "code": "AIAST", "display": "Artificial Intelligence asserted"}


def meta(resource_type: str) -> dict[str, Any]:
    """The meta of a resource that we write: its profile, where it has one, and the mark."""
    profile = {"profile": [PROFILES[resource_type]]} if resource_type in PROFILES else {}
    return profile | {"security": [ai_asserted()]}
