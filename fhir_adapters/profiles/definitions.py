"""The shapes of definitional resources, so that each definition says only what is its own."""

from typing import Any

from fhir_adapters.site import CANONICAL

Json = dict[str, Any]

DATE = "2026-01-01"
VERSION = "1.0.0"
R4_TYPES = "http://hl7.org/fhir/StructureDefinition"


def header(kind: str, id_: str, name: str, what: str) -> Json:
    """What every definition says about itself."""
    return {
        "resourceType": kind, "id": id_, "url": f"{CANONICAL}/{kind}/{id_}", "version": VERSION, "name": name,
        "status": "active", "date": DATE, "publisher": "Passerelle", "description": what,
    }  # fmt: skip


def extension(id_: str, name: str, what: str, contexts: list[str], elements: list[Json]) -> Json:
    """The StructureDefinition of an extension."""
    return header("StructureDefinition", id_, name, what) | {
        "fhirVersion": "4.0.1",
        "kind": "complex-type",
        "abstract": False,
        "context": [{"type": "element", "expression": context} for context in contexts],
        "type": "Extension",
        "baseDefinition": f"{R4_TYPES}/Extension",
        "derivation": "constraint",
        "differential": {"element": elements},
    }


def profile(id_: str, name: str, what: str, resource: str, elements: list[Json]) -> Json:
    """The StructureDefinition of a profile on a resource; the first element is the resource itself."""
    return header("StructureDefinition", id_, name, what) | {
        "fhirVersion": "4.0.1",
        "kind": "resource",
        "abstract": False,
        "type": resource,
        "baseDefinition": f"{R4_TYPES}/{resource}",
        "derivation": "constraint",
        "differential": {"element": elements},
    }


def element(path: str, **facts: Any) -> Json:
    """One element of a differential."""
    return {"id": path, "path": path} | facts


def part(name: str, minimum: int, kinds: list[str], what: str) -> list[Json]:
    """A named part of a complex extension."""
    at = f"Extension.extension:{name}"
    types = [{"code": kind} for kind in kinds]
    return [
        {"id": at, "path": "Extension.extension", "sliceName": name, "short": what, "min": minimum, "max": "1"},
        {"id": f"{at}.extension", "path": "Extension.extension.extension", "max": "0"},
        {"id": f"{at}.url", "path": "Extension.extension.url", "fixedUri": name},
        {"id": f"{at}.value[x]", "path": "Extension.extension.value[x]", "min": 1, "type": types},
    ]


def code_system(url: str, name: str, what: str, concepts: list[Json], content: str) -> Json:
    """A CodeSystem; its url may be of somebody else, for a fragment."""
    resource = header("CodeSystem", url.rsplit("/", 1)[1], name, what) | {
        "url": url,
        "caseSensitive": True,
        "content": content,
    }
    return resource | ({"concept": concepts} if concepts else {})


def concept(code: str, display: str, definition: str) -> Json:
    """One concept of a CodeSystem."""
    return {"code": code, "display": display, "definition": definition}
