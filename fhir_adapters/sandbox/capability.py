"""What the sandbox says about itself."""

from typing import Any

from fhir_adapters.sandbox.operations import Abilities

Json = dict[str, Any]

NOTICE = (
    "Sandbox of Passerelle: a stand-in for a hospital's record system, for demonstrations and tests. "
    "It is no record system, holds nothing after it stops, and must not receive real patients."
)
TYPES = {
    "DetectedIssue": ("identifier", "patient", "author", "implicated", "identified"),
    "Device": ("identifier",),
    "DocumentReference": ("identifier", "patient", "author"),
    "MedicationRequest": ("identifier", "patient"),
    "Observation": ("identifier", "patient"),
    "Patient": ("identifier",),
    "Provenance": ("target", "agent", "recorded"),
    "RiskAssessment": ("identifier", "patient", "subject"),
}
_KINDS = {"identifier": "token", "identified": "date", "recorded": "date"}
_INTERACTIONS = ("read", "vread", "update", "delete", "history-instance", "create", "search-type")


def statement(base_url: str, abilities: Abilities) -> Json:
    """The CapabilityStatement."""
    system = ["batch", *(["transaction"] if abilities.transactions else [])]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-01-01",
        "kind": "instance",
        "description": NOTICE,
        "software": {"name": "Passerelle sandbox"},
        "implementation": {"description": NOTICE, "url": base_url},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "resource": [_resource(name, parameters, abilities) for name, parameters in TYPES.items()],
                "interaction": [{"code": code} for code in system],
            }
        ],
    }


def _resource(name: str, parameters: tuple[str, ...], abilities: Abilities) -> Json:
    found = [{"name": p, "type": _KINDS.get(p, "reference")} for p in parameters]
    found += [{"name": "_id", "type": "token"}, {"name": "_lastUpdated", "type": "date"}]
    return {
        "type": name,
        "interaction": [{"code": code} for code in _INTERACTIONS],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": abilities.update_create,
        "conditionalCreate": abilities.conditional_create,
        "conditionalUpdate": False,
        "searchParam": found,
    }
