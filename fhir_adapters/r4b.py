"""The one module that imports ``fhir.resources``: its R4B classes, as a second opinion on structure.

The root package of that library is R5; there is no R4 sub-package. For the resources that we build R4B is R4,
as long as every prediction has a probability and every Bundle entry a fullUrl, which our own rules hold.
The library reads numbers through float and drops zeros: its output is never stored, hashed or sent.
"""

from functools import lru_cache
from typing import Any

from passerelle.errors import FhirError

R4B_MODULES = {
    "AuditEvent": "auditevent",
    "Binary": "binary",
    "Bundle": "bundle",
    "CapabilityStatement": "capabilitystatement",
    "CodeSystem": "codesystem",
    "Communication": "communication",
    "DetectedIssue": "detectedissue",
    "Device": "device",
    "DocumentReference": "documentreference",
    "Encounter": "encounter",
    "Group": "group",
    "ImplementationGuide": "implementationguide",
    "MedicationRequest": "medicationrequest",
    "NamingSystem": "namingsystem",
    "Observation": "observation",
    "OperationOutcome": "operationoutcome",
    "Organization": "organization",
    "Patient": "patient",
    "Practitioner": "practitioner",
    "Provenance": "provenance",
    "RiskAssessment": "riskassessment",
    "SearchParameter": "searchparameter",
    "StructureDefinition": "structuredefinition",
    "ValueSet": "valueset",
}


@lru_cache
def r4b_class(resource_type: str) -> Any:
    """The R4B class of a resource type, loaded when first needed (0.3 s)."""
    from importlib import import_module

    if resource_type not in R4B_MODULES:
        raise FhirError(
            f"fhir_adapters does not build {resource_type}",
            looked=f"the types of fhir_adapters/r4b.py: {', '.join(R4B_MODULES)}",
            do="add the type there and its table in fhir_adapters/rules/tables",
        )
    return getattr(import_module(f"fhir.resources.R4B.{R4B_MODULES[resource_type]}"), resource_type)


def structure_problems(resource: dict[str, Any]) -> list[str]:
    """What the R4B classes find wrong, as ``path: message``, without the values; empty when accepted."""
    from pydantic import ValidationError

    try:
        r4b_class(resource["resourceType"]).model_validate(resource)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False, include_context=False)
        return [f"{'.'.join(map(str, one['loc']))}: {one['type']}" for one in found]
    return []
