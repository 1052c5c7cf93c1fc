"""The second identifier of a resource: it tells one content from the next, at any server."""

from typing import Any

from fhir_adapters.site import Site

Json = dict[str, Any]


def with_fingerprint(resource: Json, content_sha256: str, site: Site) -> None:
    """Give a resource the fingerprint of its content, instead of the one it had."""
    others = [i for i in resource["identifier"] if i.get("system") != site.content_system]
    fingerprint = {"use": "secondary", "system": site.content_system, "value": content_sha256}
    resource["identifier"] = [*others, fingerprint]


def fingerprint_of(resource: Json) -> Json | None:
    """The identifier that holds it; None where a resource has none."""
    identifiers = resource.get("identifier")
    found = [i for i in identifiers if isinstance(i, dict)] if isinstance(identifiers, list) else []
    return next((i for i in found if i.get("use") == "secondary"), None)
