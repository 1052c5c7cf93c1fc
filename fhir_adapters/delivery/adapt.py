"""The resources of an item as one target takes them: types, marks, extensions, what may be referred to."""

from typing import Any

from fhir_adapters.bundle import path_of
from fhir_adapters.delivery.options import DeliveryOptions
from fhir_adapters.delivery.probe import TargetProfile
from fhir_adapters.fallback import converted
from fhir_adapters.outbox.contents import Content
from fhir_adapters.site import CANONICAL

Json = dict[str, Any]


def adapt(content: Content, profile: TargetProfile, options: DeliveryOptions) -> Content | None:
    """The content for a target; None when it takes the resource in no form that we know."""
    kind = content.resource["resourceType"]
    form = form_of(kind, profile, options)
    if form is None:
        return None
    resource, provenance = content.resource, content.provenance
    if form != kind:
        resource = converted(resource, form)
        provenance = provenance | {"target": [{"reference": path_of(resource), "type": form}]}
    kept = tuple(support for support in content.supports if support["resourceType"] in profile.types)
    missing = {path_of(support): support for support in content.supports if support not in kept}
    if missing:
        resource, provenance = _described(resource, missing), _described(provenance, missing)
    resources = (_switched(r, options) for r in (resource, *kept, provenance))
    resource, *supports, provenance = resources
    return Content(resource, tuple(supports), provenance)


def form_of(kind: str, profile: TargetProfile, options: DeliveryOptions) -> str | None:
    """The type in which a target takes results of a type; None when it takes them in none."""
    return next((name for name in (kind, *options.fallback) if name in profile.types), None)


def with_ids(node: Any, ids: dict[str, str]) -> Any:
    """Our literal references (``Device/<ours>``) as the target knows them."""
    if isinstance(node, list):
        return [with_ids(item, ids) for item in node]
    if not isinstance(node, dict):
        return node
    found = {name: with_ids(value, ids) for name, value in node.items()}
    literal = found.get("reference")
    if isinstance(literal, str) and literal in ids:
        found["reference"] = f"{literal.partition('/')[0]}/{ids[literal]}"
    return found


def _described(node: Any, missing: dict[str, Json]) -> Any:
    """References to what the target does not take, as logical ones: by identifier and name."""
    if isinstance(node, list):
        return [_described(item, missing) for item in node]
    if not isinstance(node, dict):
        return node
    support = missing.get(str(node.get("reference")))
    if support is None:
        return {name: _described(value, missing) for name, value in node.items()}
    return {name: value for name, value in node.items() if name != "reference"} | {
        "identifier": support["identifier"][0]
    }


def _switched(resource: Json, options: DeliveryOptions) -> Json:
    """Without AIAST, our extensions or our profiles, where the target refuses them; else the same."""
    if not options.extensions:
        resource = _without_extensions(resource)
    left_out = {name for name, on in (("security", options.mark_ai), ("profile", options.profiles)) if not on}
    if left_out:
        meta = {name: value for name, value in resource.get("meta", {}).items() if name not in left_out}
        resource = {name: value for name, value in resource.items() if name != "meta"} | (
            {"meta": meta} if meta else {}
        )
    if not options.mark_ai and resource["resourceType"] == "Provenance":
        others = [reason for reason in resource["reason"] if "coding" not in reason]
        resource = {n: v for n, v in resource.items() if n != "reason"} | ({"reason": others} if others else {})
    return resource


def _without_extensions(node: Any) -> Any:
    if isinstance(node, list):
        kept = [_without_extensions(item) for item in node]
        return [item for item in kept if item != {}]
    if not isinstance(node, dict):
        return node
    found = {name: _without_extensions(value) for name, value in node.items() if name != "extension"}
    others = [e for e in node.get("extension", ()) if not str(e.get("url", "")).startswith(CANONICAL)]
    return found | ({"extension": others} if others else {})
