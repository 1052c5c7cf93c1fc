"""The tables of R4 elements and how they are written.

One line an element: ``"min..max types =valueset"``. Types are separated by commas; ``@X.y`` is the backbone
element described by the table of that name; ``Reference(A|B)`` lists the allowed targets, ``Reference`` alone
allows any; ``=valueset`` is a *required* binding whose codes are in ``codes.json``, or which has a syntax only.
``systems.json`` lists the codes of the code systems that we know.
"""

import json
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files

from fhir_adapters.rules.primitives import ACCEPTS, Accepts

_LINE = re.compile(r"(\d+)\.\.(\d+|\*) (\S+)(?: =(\S+))?")
_TYPE = re.compile(r"(@?[\w.]+)(?:\(([\w|]+)\))?")


@dataclass(frozen=True)
class Element:
    """One element, or one choice of an element such as ``identifiedDateTime``."""

    owner: str  # the name of its table
    name: str
    many: bool
    type: str
    targets: frozenset[str]  # empty: any
    value_set: str | None  # of a required binding
    choice: str | None  # "identified[x]" when this is one of several
    accepts: Accepts | None  # the test of a primitive; None for an object

    @cached_property
    def plain(self) -> Accepts | None:
        """The one test that judges it, when it is a primitive that does not repeat: most elements are."""
        return self.accepts if not self.many and self.choice is None else None

    @cached_property
    def inner(self) -> "Table":
        """The table of the object that the element holds."""
        found = table(self.type)
        assert found is not None, self.type  # the tables are closed; a test walks them
        return found


@dataclass(frozen=True, slots=True)
class Table:
    """Elements by JSON name, and those that must be there."""

    name: str
    elements: dict[str, Element]
    required: frozenset[str]
    required_choices: tuple[tuple[str, tuple[str, ...]], ...]  # "occurred[x]" with the names it may have


@lru_cache
def table(name: str) -> Table | None:
    """The table of a resource, datatype or backbone element; None when we have none."""
    lines = _lines(name.partition(".")[0]).get(name) or _lines("datatypes").get(name)
    return None if lines is None else _compile(name, lines)


@lru_cache
def codes(value_set: str) -> frozenset[str]:
    """The codes of a value set."""
    return frozenset(_lines("codes").get(value_set, ()))


def codes_of_system(system: str) -> frozenset[str] | None:
    """The codes of a code system; None when we do not know it."""
    return _systems().get(system)


@lru_cache
def resource_types() -> frozenset[str]:
    """The 146 resource types of R4; R4B knows more."""
    return frozenset(_lines("types")["resources"])


@lru_cache
def _systems() -> dict[str, frozenset[str]]:
    return {url: frozenset(listed) for url, listed in _lines("systems").items()}


@lru_cache
def _lines(file: str) -> dict:
    source = files("fhir_adapters.rules").joinpath("tables", f"{file}.json")
    return json.loads(source.read_text("utf-8")) if source.is_file() else {}


def _compile(name: str, lines: dict[str, str]) -> Table:
    if name in resource_types():  # R4 asks more of this id than that it is a string
        lines = lines | {"resourceType": "1..1 code", "id": "0..1 id"}
    elements: dict[str, Element] = {}
    required: set[str] = set()
    choices: list[tuple[str, tuple[str, ...]]] = []
    for label, line in lines.items():
        needed, found = _elements(name, label, line)
        elements.update((element.name, element) for element in found)
        if needed and label.endswith("[x]"):
            choices.append((label, tuple(element.name for element in found)))
        elif needed:
            required.add(label)
    return Table(name, elements, frozenset(required), tuple(choices))


def _elements(owner: str, name: str, line: str) -> tuple[bool, list[Element]]:
    """Whether a line asks for its element, and the element, or each choice of it."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"line of the R4 tables not understood: {owner}.{name}: {line}")
    minimum, maximum, types, value_set = match.groups()
    choice = name if name.endswith("[x]") else None
    found = []
    for kind, targets in _TYPE.findall(types):
        json_name = name.replace("[x]", kind[0].upper() + kind[1:])
        allowed = frozenset(targets.split("|")) if targets else frozenset()
        many, plain = maximum != "1", kind.removeprefix("@")
        found.append(Element(owner, json_name, many, plain, allowed, value_set, choice, _test(kind, value_set)))
    return minimum != "0", found


def _test(kind: str, value_set: str | None) -> Accepts | None:
    if kind not in ACCEPTS:
        return None
    listed = codes(value_set) if value_set else frozenset()
    if listed:
        return lambda value: isinstance(value, str) and value in listed
    return ACCEPTS[value_set or kind]
