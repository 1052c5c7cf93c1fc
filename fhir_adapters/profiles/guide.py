"""The ImplementationGuide: one resource that names every other one of the folder, as receivers' tools expect it."""

from typing import Any

from fhir_adapters.profiles.definitions import header

Json = dict[str, Any]


def guide(definitions: list[Json]) -> Json:
    """The guide of these definitions."""
    resources = [
        {
            "reference": {"reference": f"{d['resourceType']}/{d['id']}"},
            "name": d["name"],
            "description": d["description"],
        }
        for d in definitions
    ]
    what = "How results of clinical models are given back to a record system: R4, marked, traceable, withdrawable."
    found = header("ImplementationGuide", "passerelle", "Passerelle", what) | {
        "packageId": "passerelle.fhir.results",
        "license": "Apache-2.0",
        "fhirVersion": ["4.0.1"],
    }
    return found | {"definition": {"resource": resources}}
