"""What holds for every resource: its narrative, its identifiers, and what it contains."""

from collections.abc import Iterator
from typing import Any

from fhir_adapters.rules.problem import Problem
from fhir_adapters.rules.rule import Json

NO_DOMAIN_RESOURCE = {"Bundle", "Binary", "Parameters"}


def resource_problems(resource: Json, local: set[str]) -> Iterator[Problem]:
    """Problems of a resource as a whole; ``local`` are its references that begin with #."""
    for index, identifier in enumerate(_list(resource.get("identifier"))):
        if isinstance(identifier, dict) and "|" in str(identifier.get("value", "")):
            # Escaping does not help: the search misses and a conditional create makes a duplicate.
            yield Problem(f".identifier[{index}].value", "identifier-bar", "a vertical bar breaks searches")
    if resource["resourceType"] in NO_DOMAIN_RESOURCE:
        return
    if "text" not in resource:
        yield Problem("", "dom-6", "a narrative should be there for people", "warning")
    if local or "contained" in resource:
        yield from _contained(resource, local)


def _contained(resource: Json, local: set[str]) -> Iterator[Problem]:
    parts = [part for part in _list(resource.get("contained")) if isinstance(part, dict)]
    used = set(_fragments(resource)) if parts else set()  # canonicals and addresses count as well
    for index, part in enumerate(parts):
        for problem in _part(part, used):
            yield problem.under(f".contained[{index}]")
    ids = [f"#{part.get('id')}" for part in parts]
    if len(set(ids)) < len(ids):
        yield Problem(".contained", "contained-id", "two contained resources have one id")
    if local.difference(ids):
        yield Problem("", "ref-1", "a local reference names no contained resource")


def _part(part: Json, used: set[str]) -> Iterator[Problem]:
    meta = part.get("meta")
    known = meta.keys() if isinstance(meta, dict) else set()
    if "contained" in part:
        yield Problem("", "dom-2", "a contained resource contains another")
    if f"#{part.get('id')}" not in used and "#" not in _fragments(part):
        yield Problem("", "dom-3", "nothing refers to the contained resource")
    if {"versionId", "lastUpdated"} & known:
        yield Problem("", "dom-4", "a contained resource has no version of its own")
    if "security" in known:
        yield Problem("", "dom-5", "a contained resource has no security label of its own")


def _fragments(node: Any) -> Iterator[str]:
    """Every text that begins with #, wherever it stands: the type of a part may have no table."""
    if isinstance(node, str):
        if node.startswith("#"):
            yield node
    elif isinstance(node, dict | list):
        for item in node.values() if isinstance(node, dict) else node:
            yield from _fragments(item)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
