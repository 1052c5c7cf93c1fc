"""What the FHIR API says about itself."""

from typing import Any

from fhir_adapters.marking import PROFILES
from fhir_adapters.service.options import ServiceOptions
from fhir_adapters.service.rest.kinds import KIND_OF, PATIENT_TEXT, SEARCHES, STATUS_TEXT

Json = dict[str, Any]
DESCRIPTION = "Results of clinical models as FHIR R4, read only: decision support, never a clinical opinion."
DEMO = "DEMONSTRATION: no client is asked who it is, and the patients are invented. Not to be used with real patients."
SECURITY = "http://terminology.hl7.org/CodeSystem/restful-security-service"
DOCUMENTED = {"status": STATUS_TEXT, "patient": PATIENT_TEXT, "subject": PATIENT_TEXT}


def statement(options: ServiceOptions, version: str) -> Json:
    """The CapabilityStatement."""
    said = f"{DEMO} {DESCRIPTION}" if options.demo else DESCRIPTION
    security = {"description": "Access tokens of the hospital's authorization server: SMART App Launch 2 scopes."}
    coded = {"service": [{"coding": [{"system": SECURITY, "code": "SMART-on-FHIR"}]}]}
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-01-01",
        "publisher": options.site.organization,
        "kind": "instance",
        "description": said,
        "software": {"name": "Passerelle", "version": version},
        "implementation": {"description": said, "url": options.fhir_base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "security": {"description": DEMO} if options.demo else coded | security,
                "resource": [_resource(kind, names) for kind, names in SEARCHES.items()],
            }
        ],
    }


def _resource(kind: str, names: tuple[str, ...]) -> Json:
    interactions = ("read", "vread", "history-instance", "search-type")
    found: Json = {"type": kind}
    if kind in PROFILES:
        found["supportedProfile"] = [PROFILES[kind]]
    return found | {
        "interaction": [{"code": code} for code in interactions],
        "versioning": "versioned",
        "readHistory": True,
        "updateCreate": False,
        "conditionalRead": "full-support",
        "searchParam": [
            {"name": name, "type": KIND_OF[name]} | ({"documentation": DOCUMENTED[name]} if name in DOCUMENTED else {})
            for name in names
        ],
    }
