"""Walks a resource along the tables: unknown elements, cardinalities, types, required bindings, targets."""

from collections.abc import Iterator
from typing import Any

from fhir_adapters.rules.datatype_invariants import datatype_invariants
from fhir_adapters.rules.invariants import resource_invariants
from fhir_adapters.rules.primitives import accepts
from fhir_adapters.rules.problem import Problem
from fhir_adapters.rules.references import target_problem
from fhir_adapters.rules.table import Element, Table, resource_types, table

Json = dict[str, Any]


def walk_resource(resource: Any, path: str) -> Iterator[Problem]:
    """Problems of a resource and of everything inside it."""
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if not isinstance(kind, str) or kind not in resource_types():
        yield Problem(path, "resource-type", "resourceType is absent or is no resource of R4")
        return
    known = table(kind)
    if known is None:  # a type that we receive but never build: its own elements are not judged
        return
    if not accepts("id", resource.get("id", "x")):
        yield Problem(f"{path}.id", "id", "an id has 1 to 64 letters, digits, hyphens and dots")
    yield from _walk({name: value for name, value in resource.items() if name != "resourceType"}, known, path)
    yield from resource_invariants(resource, path)


def _walk(value: Json, known: Table, path: str) -> Iterator[Problem]:
    if not value:
        yield Problem(path, "ele-1", "an object without any element")
    for name, content in value.items():
        element = known.elements.get(name)
        if element is not None:
            yield from _member(element, content, f"{path}.{name}")
        elif not _is_extension_of_primitive(name, content, known):
            yield Problem(f"{path}.{name}", "unknown-element", "R4 has no such element here")
    for label, names in known.required:
        if not any(name in value or f"_{name}" in value for name in names):
            yield Problem(f"{path}.{label}", "required", "the element must be there")
    for label, names in known.choices:
        if len({n for n in names if n in value or f"_{n}" in value}) > 1:
            yield Problem(f"{path}.{label}", "choice", "only one type of a choice may be given")


def _is_extension_of_primitive(name: str, content: Any, known: Table) -> bool:
    """``_status`` carries the extensions of ``status`` (a reason why it is absent, most often)."""
    element = known.elements.get(name[1:]) if name.startswith("_") else None
    return element is not None and element.is_primitive and isinstance(content, dict | list) and bool(content)


def _member(element: Element, content: Any, path: str) -> Iterator[Problem]:
    if not element.many:
        yield from _one(element, content, path)
    elif not isinstance(content, list):
        yield Problem(path, "cardinality", "the element repeats: a list is expected")
    elif not content:
        yield Problem(path, "ele-1", "an empty list; leave the element out")
    else:
        for index, item in enumerate(content):
            if item is not None or not element.is_primitive:
                yield from _one(element, item, f"{path}[{index}]")


def _one(element: Element, content: Any, path: str) -> Iterator[Problem]:
    if element.is_primitive:
        if not accepts(element.type, content):
            rule = "cardinality" if isinstance(content, list) else "primitive"
            yield Problem(path, rule, f"not a {element.type} of R4")
        elif element.codes and content not in element.codes:
            yield Problem(path, "binding", f"the required value set does not hold the code {content!r}")
        return
    if not isinstance(content, dict):
        rule = "cardinality" if isinstance(content, list) else "type"
        yield Problem(path, rule, f"an object of type {element.type.lstrip('@')} is expected")
    elif element.type == "Resource":
        yield from walk_resource(content, path)
    else:
        known = table(element.type.removeprefix("@"))
        assert known is not None, element.type  # the tables are closed; a test walks them
        yield from _walk(content, known, path)
        yield from datatype_invariants(element.type, content, path)
        if element.type == "Reference":
            yield from target_problem(content, element.targets, path)
