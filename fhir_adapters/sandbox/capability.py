"""What the sandbox says about itself."""

from collections.abc import Iterator
from typing import Any

from fhir_adapters.sandbox.abilities import Abilities
from fhir_adapters.sandbox.parameters import OF_EVERY_TYPE, REFERENCES, TYPES, kind_of

Json = dict[str, Any]

NOTICE = (
    "Sandbox of Passerelle: a stand-in for a hospital's record system, for demonstrations and tests. "
    "It is no record system, holds nothing after it stops, and must not receive real patients."
)
SMART = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_EVERYTHING = Abilities()


def statement(base_url: str, abilities: Abilities, *, secured: bool = False) -> Json:
    """The CapabilityStatement. It follows the abilities, or lies about them as some servers do."""
    told = _EVERYTHING if abilities.claims == "everything" else abilities
    rest: Json = {"mode": "server", "resource": [_resource(name, told) for name in TYPES]}
    if secured:
        service = {"coding": [{"system": SMART, "code": "SMART-on-FHIR"}]}
        rest["security"] = {"service": [service], "description": "SMART Backend Services"}
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
        "rest": [rest | {"interaction": [{"code": code} for code in _system(told)]}],
    }


def _system(told: Abilities) -> Iterator[str]:
    if told.transactions:
        yield "transaction"
    if told.batches and told.claims != "little":
        yield "batch"
    yield "history-system"


def _resource(name: str, told: Abilities) -> Json:
    little, writable = told.claims == "little", told.writable is None or name in told.writable
    writes = ("create", "update", "delete") if writable else ()
    interactions = ("read", "vread", *writes, "history-instance", "history-type", "search-type")
    parameters = (*OF_EVERY_TYPE, *TYPES[name])
    includes = [f"{name}:{parameter}" for parameter in TYPES[name] if parameter in REFERENCES]
    return {
        "type": name,
        "interaction": [{"code": code} for code in interactions],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": told.update_create and writable and not little,
        "conditionalCreate": told.conditional_create and writable and not little,
        "conditionalRead": "not-match",
        "conditionalUpdate": told.conditional_update and writable and not little,
        "conditionalDelete": "single" if told.conditional_update and writable else "not-supported",
        "referencePolicy": ["literal", "logical", *(["enforced"] if told.referential_integrity else [])],
        **({"searchInclude": includes} if includes else {}),
        "searchRevInclude": ["Provenance:target"],
        "searchParam": [{"name": parameter, "type": kind_of(parameter)} for parameter in parameters],
    }
