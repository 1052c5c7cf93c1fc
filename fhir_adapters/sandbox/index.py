"""Finds current resources by identifier, by reference and by type, without looking at every one."""

from collections.abc import Collection, Iterator
from typing import Any

from fhir_adapters.sandbox.parameters import OF_EVERY_TYPE, REFERENCES, TOKENS, TYPES

Json = dict[str, Any]
Key = tuple[str, str, str]  # type, search parameter, value
EVERY = "_type"  # the pseudo-parameter under which every resource of a type stands


class Index:
    """Ids of current resources by what searches ask for, each list in the order in which the resources came."""

    def __init__(self) -> None:
        self._ids: dict[Key, dict[str, None]] = {}
        self._keys: dict[tuple[str, str], set[Key]] = {}  # under which keys a resource stands

    def ids(self, kind: str, parameter: str = EVERY, value: str = "") -> Collection[str]:
        """Ids under a value, in order; looking one up takes no time."""
        return self._ids.get((kind, parameter, value), {}).keys()

    def types(self) -> list[str]:
        """The types of which there is a resource."""
        return sorted(kind for kind, parameter, _ in self._ids if parameter == EVERY)

    def put(self, kind: str, id_: str, resource: Json | None) -> None:
        """A resource takes the place of its former self. What did not change keeps its place in the order."""
        old, new = self._keys.pop((kind, id_), set()), _keys(resource)
        for key in old - new:
            del self._ids[key][id_]
            if not self._ids[key]:
                del self._ids[key]
        for key in new - old:
            self._ids.setdefault(key, {})[id_] = None
        if new:
            self._keys[kind, id_] = new

    def clear(self) -> None:
        """Forget everything."""
        self._ids.clear()
        self._keys.clear()


def _keys(resource: Json | None) -> set[Key]:
    if resource is None:
        return set()
    kind = resource["resourceType"]
    found = {(kind, EVERY, "")}
    for name in (*OF_EVERY_TYPE, *TYPES.get(kind, ())):
        if name in TOKENS:
            found |= {(kind, name, token) for token in _tokens(resource, TOKENS[name])}
        elif name in REFERENCES:
            found |= {(kind, name, value) for value in _references(resource, REFERENCES[name])}
    return found


def _tokens(resource: Json, paths: tuple[str, ...]) -> Iterator[str]:
    """``value``, ``system|value`` and ``system|``; ``|value`` where there is no system."""
    for item in at(resource, paths):
        if isinstance(item, dict):
            system, value = str(item.get("system", "")), str(item.get("value", item.get("code", "")))
            yield from (value, f"{system}|{value}", *([f"{system}|"] if system else []))


def _references(resource: Json, paths: tuple[str, ...]) -> Iterator[str]:
    """``Patient/1`` and ``1``, wherever the reference is absolute or names a version."""
    for item in at(resource, paths):
        if isinstance(item, dict) and isinstance(item.get("reference"), str):
            literal = local(item["reference"])
            yield from (literal, literal.rpartition("/")[2])


def local(reference: str) -> str:
    """``https://x/fhir/Patient/1/_history/2`` → ``Patient/1``."""
    return "/".join(reference.partition("/_history/")[0].split("/")[-2:])


def at(resource: Json, paths: tuple[str, ...]) -> Iterator[Any]:
    """Everything at some dotted paths, lists opened."""
    for path in paths:
        first, _, rest = path.partition(".")
        value = resource.get(first)
        for item in value if isinstance(value, list) else () if value is None else (value,):
            if not rest:
                yield item
            elif isinstance(item, dict):
                yield from at(item, (rest,))
