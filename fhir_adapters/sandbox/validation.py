"""What a server looks at before it takes a resource."""

import re
from collections.abc import Iterator
from typing import Any

from fhir_adapters.exact_json import dumps
from fhir_adapters.marking import ai_asserted
from fhir_adapters.refused import Refused, against_the_rules
from fhir_adapters.rules import errors
from fhir_adapters.sandbox.abilities import Abilities
from fhir_adapters.sandbox.parameters import TYPES
from fhir_adapters.sandbox.store import Store

Json = dict[str, Any]
_LITERAL = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}")
_OF_R4 = "http://hl7.org/fhir/"


def require_type(kind: str) -> None:
    """Refuse a type that this server does not have."""
    if kind not in TYPES:
        raise Refused(404, "not-supported", "this server has no such resource type")


def require_valid(kind: str, body: Any, abilities: Abilities) -> None:
    """Refuse a body that is not a valid resource of its type."""
    if not isinstance(body, dict) or body.get("resourceType") != kind:
        raise Refused(400, "invalid", "the body is not a resource of the type in the URL")
    if abilities.validates and (problems := errors(body)):
        raise against_the_rules(422, problems)
    if not abilities.takes_extensions and any(map(_is_foreign, _extensions(body))):
        raise Refused(422, "extension", "an extension that this server does not know")
    if not abilities.takes_ai_mark and f'"code":"{ai_asserted()["code"]}"' in dumps(body):
        raise Refused(422, "code-invalid", "AIAST is not in the v3-ObservationValue of this server")


def require_targets(store: Store, base_url: str, resources: list[Json]) -> None:
    """Refuse resources with a literal reference that leads nowhere on this server."""
    for resource in resources:
        for reference in references(resource):
            path = reference.removeprefix(f"{base_url}/").partition("/_history/")[0]
            if _LITERAL.fullmatch(path) and store.named(path) is None:
                raise Refused(400, "not-found", f"a reference of the {resource['resourceType']} leads nowhere")


def require_unused(store: Store, kind: str, id_: str) -> None:
    """Refuse to delete what another resource refers to."""
    for other in store.index.types():
        for resource in filter(None, (store.current(other, i) for i in store.index.ids(other))):
            if f"{kind}/{id_}" in references(resource):
                raise Refused(409, "conflict", f"a {other} refers to this {kind}")


def references(node: Any) -> Iterator[str]:
    """Every literal reference inside a resource."""
    return (value for value in _values(node, "reference") if isinstance(value, str))


def _extensions(node: Any) -> Iterator[str]:
    for listed in _values(node, "extension"):
        yield from (str(e.get("url")) for e in (listed if isinstance(listed, list) else ()) if isinstance(e, dict))


def _is_foreign(url: str) -> bool:
    """An absolute address outside R4; a relative one names a part of another extension."""
    return ":" in url and not url.startswith(_OF_R4)


def _values(node: Any, name: str) -> Iterator[Any]:
    """The values of every element of a name, however deep."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            if name in node:
                yield node[name]
            waiting += node.values()
