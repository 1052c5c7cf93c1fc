"""Walks a resource along the tables: unknown elements, cardinalities, types, required bindings, targets.

Each step returns what is wrong below it, with paths that begin there.
"""

from typing import Any

from fhir_adapters.rules.domain_resource import resource_problems
from fhir_adapters.rules.invariants import RULES
from fhir_adapters.rules.primitives import accepts, is_absolute
from fhir_adapters.rules.problem import Problem
from fhir_adapters.rules.references import target_problems
from fhir_adapters.rules.table import Element, Table, resource_types, table

Json = dict[str, Any]
# What an invariant stumbles over when a value has a wrong type, which the walk has reported then.
MISSHAPEN = (TypeError, AttributeError, KeyError, IndexError, ValueError)


def judge_resource(resource: Any) -> list[Problem]:
    """Problems of a resource and of everything inside it."""
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    walk = _Walk()
    found = walk.resource(resource)
    if isinstance(kind, str) and table(kind) is not None:
        found += resource_problems(resource, walk.local)
    return found


class _Walk:
    """The way through one resource with those it contains; ``local`` are all its references that begin with #."""

    def __init__(self, around: "_Walk | None" = None) -> None:
        self.around = around  # the walk through what contains this resource
        self.local: set[str] = around.local if around else set()

    def resource(self, resource: Any) -> list[Problem]:
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        if not isinstance(kind, str) or kind not in resource_types():
            return [Problem("", "resource-type", "resourceType is absent or is no resource of R4")]
        known = table(kind)  # None: a type that we receive but never build; its own elements are not judged
        return [] if known is None else self._object(resource, known)

    def _object(self, value: Json, known: Table) -> list[Problem]:
        found: list[Problem] = []
        choices: dict[str, str] = {}
        elements = known.elements
        for name, content in value.items():
            element = elements.get(name)
            if element is not None and element.plain is not None:
                if element.plain(content):
                    continue
                problems = [_refused(element, content)]
            elif element is not None:
                problems = self._member(element, content, value)
                if element.choice is not None:
                    problems += _second_choice(element, choices)
            else:
                problems = self._beside(name, content, value, known, choices)
            if problems:
                found += [problem.under(f".{name}") for problem in problems]
        if known.required_choices or not known.required <= value.keys():
            found += _missing(value, known)
        for rule in RULES.get(known.name, ()):
            try:
                found += rule(value)
            except MISSHAPEN:
                if not found:
                    raise
        return found

    def _member(self, element: Element, content: Any, owner: Json) -> list[Problem]:
        if not element.many:
            return self._one(element, content)
        if not isinstance(content, list):
            return [Problem("", "cardinality", "the element repeats: a list is expected")]
        if not content:
            return [Problem("", "ele-1", "an empty list; leave the element out")]
        found: list[Problem] = []
        for index, item in enumerate(content):
            if item is None and f"_{element.name}" in owner and element.accepts is not None:
                continue  # what stands beside it says why
            found += [problem.under(f"[{index}]") for problem in self._one(element, item)]
        return found

    def _one(self, element: Element, content: Any) -> list[Problem]:
        if element.accepts is not None:
            return [] if element.accepts(content) else [_refused(element, content)]
        if not isinstance(content, dict):
            rule = "cardinality" if isinstance(content, list) else "type"
            return [Problem("", rule, f"an object of type {element.type} is expected")]
        if element.type == "Resource":
            return _Walk(self).resource(content) if element.name == "contained" else judge_resource(content)
        found = self._object(content, element.inner)
        if len(content) < 2 and content.keys() <= {"id"}:
            found.append(Problem("", "ele-1", "nothing in it (an id alone says nothing)"))
        if element.type == "Reference":
            found += self._reference(content, element.targets)
        elif element.type == "Extension" and element.owner != "Extension":
            found += _address_of_extension(content)
        return found

    def _reference(self, reference: Json, targets: frozenset[str]) -> list[Problem]:
        literal = reference.get("reference")
        if isinstance(literal, str) and literal.startswith("#") and not (literal == "#" and self.around):
            self.local.add(literal)
        return list(target_problems(reference, targets))

    def _beside(self, name: str, content: Any, owner: Json, known: Table, choices: dict[str, str]) -> list[Problem]:
        """``_status`` carries the id and the extensions of ``status`` (a reason why it is absent, most often)."""
        element = known.elements.get(name[1:]) if name.startswith("_") else None
        if element is None or element.accepts is None:
            return [Problem("", "unknown-element", "R4 has no such element here")]
        values = owner.get(element.name)
        if not element.many:
            return self._beside_one(content, values) + _second_choice(element, choices)
        if not isinstance(content, list) or (isinstance(values, list) and len(values) != len(content)):
            return [Problem("", "cardinality", "a list is expected, as long as that of the values")]
        found: list[Problem] = []
        for index, item in enumerate(content):
            value = values[index] if isinstance(values, list) else None
            if item is not None or value is None:
                found += [problem.under(f"[{index}]") for problem in self._beside_one(item, value)]
        return found

    def _beside_one(self, content: Any, value: Any) -> list[Problem]:
        if not isinstance(content, dict):
            return [Problem("", "type", "an object with the id or the extensions of a value is expected")]
        anything = table("Element")
        assert anything is not None
        found = self._object(content, anything)
        if not content or (value is None and "extension" not in content):
            found.append(Problem("", "ele-1", "neither a value nor a reason why it is absent"))
        return found


def _missing(value: Json, known: Table) -> list[Problem]:
    """What must be there and is not; a primitive may be absent for a reason that its extensions give."""
    wanted = [(name, (name,)) for name in sorted(known.required)] + list(known.required_choices)
    return [
        Problem(f".{label}", "required", "the element must be there")
        for label, names in wanted
        if not any(name in value or f"_{name}" in value for name in names)
    ]


def _second_choice(element: Element, choices: dict[str, str]) -> list[Problem]:
    """``choices`` holds the name that each choice of this object has been given."""
    if element.choice is None or choices.setdefault(element.choice, element.name) == element.name:
        return []
    return [Problem("", "choice", "only one type of a choice may be given")]


def _address_of_extension(extension: Json) -> list[Problem]:
    """The parts of an extension have names; the extension itself has an address."""
    url = extension.get("url")
    if not isinstance(url, str) or is_absolute(url):
        return []
    return [Problem(".url", "extension-url", "an extension is named by an absolute address")]


def _refused(element: Element, content: Any) -> Problem:
    """Why a primitive is not accepted."""
    if isinstance(content, list):
        return Problem("", "cardinality", "the element does not repeat: one value is expected")
    if element.value_set and accepts("code", content):
        return Problem("", "binding", f"the required value set {element.value_set} does not hold {content!r}")
    return Problem("", "primitive", f"not a {element.type} of R4")
