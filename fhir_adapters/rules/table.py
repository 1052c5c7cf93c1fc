"""The tables of R4 elements and how they are written.

One line an element: ``"min..max types =valueset"``. Types are separated by commas; ``@X.y`` is the backbone
element described by the table of that name; ``Reference(A|B)`` lists the allowed targets, ``Reference`` alone
allows any; ``=valueset`` is a *required* binding whose codes are in ``codes.json``.
"""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

_LINE = re.compile(r"(\d+)\.\.(\d+|\*) (\S+)(?: =(\S+))?")
_TYPE = re.compile(r"(@?[\w.]+)(?:\(([\w|]+)\))?")


@dataclass(frozen=True, slots=True)
class Element:
    """One element, or one choice of an element such as ``identifiedDateTime``."""

    name: str
    minimum: int
    many: bool
    type: str
    targets: frozenset[str]  # empty: any
    codes: frozenset[str]  # empty: no required binding
    choice: str | None  # "identified[x]" when this is one of several

    @property
    def is_primitive(self) -> bool:
        return self.type[0].islower()


@dataclass(frozen=True, slots=True)
class Table:
    """Elements by JSON name, and those that must be there (an element name, or a choice with its names)."""

    elements: dict[str, Element]
    required: tuple[tuple[str, tuple[str, ...]], ...]
    choices: tuple[tuple[str, tuple[str, ...]], ...]


@lru_cache
def table(name: str) -> Table | None:
    """The table of a resource, datatype or backbone element; None when we have none."""
    lines = _lines(name.partition(".")[0]).get(name) or _lines("datatypes").get(name)
    return None if lines is None else _compile(lines)


@lru_cache
def codes(value_set: str) -> frozenset[str]:
    """The codes of a value set."""
    return frozenset(_lines("codes").get(value_set, ()))


@lru_cache
def resource_types() -> frozenset[str]:
    """The 146 resource types of R4; R4B knows more."""
    return frozenset(_lines("types")["resources"])


@lru_cache
def _lines(file: str) -> dict:
    source = files("fhir_adapters.rules").joinpath("tables", f"{file}.json")
    return json.loads(source.read_text("utf-8")) if source.is_file() else {}


def _compile(lines: dict[str, str]) -> Table:
    elements: dict[str, Element] = {}
    required: list[tuple[str, tuple[str, ...]]] = []
    choices: list[tuple[str, tuple[str, ...]]] = []
    for name, line in lines.items():
        found = _elements(name, line)
        elements.update((element.name, element) for element in found)
        names = tuple(element.name for element in found)
        if found[0].minimum:
            required.append((name, names))
        if len(found) > 1:
            choices.append((name, names))
    return Table(elements, tuple(required), tuple(choices))


def _elements(name: str, line: str) -> list[Element]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"line of the R4 tables not understood: {name}: {line}")
    minimum, maximum, types, value_set = match.groups()
    found = []
    for kind, targets in _TYPE.findall(types):
        json_name = name.replace("[x]", kind[0].upper() + kind[1:])
        allowed = frozenset(targets.split("|")) if targets else frozenset()
        choice = name if name.endswith("[x]") else None
        bound = codes(value_set) if value_set else frozenset()
        found.append(Element(json_name, int(minimum), maximum != "1", kind, allowed, bound, choice))
    return found
