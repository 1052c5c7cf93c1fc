"""Leaves out what a target does not take, as its switches say."""

from typing import Any

from fhir_adapters.delivery.options import DeliveryOptions
from fhir_adapters.site import CANONICAL

Json = dict[str, Any]


def adapt(resource: Json, options: DeliveryOptions) -> Json:
    """The resource without AIAST or without our extensions, where the target refuses them; else the same."""
    if not options.extensions:
        resource = _without_extensions(resource)
    if not options.mark_ai:
        resource = {name: value for name, value in resource.items() if name not in ("meta", "reason")}
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
