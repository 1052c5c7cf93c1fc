"""How an invariant is written: its key in R4, what it says, and a test of an object whose structure holds."""

from collections.abc import Callable, Iterable
from typing import Any

from fhir_adapters.rules.problem import Problem, Severity

Json = dict[str, Any]
Holds = Callable[[Json], bool]
Rule = Callable[[Json], Iterable[Problem]]
Rules = dict[str, tuple[Rule, ...]]  # by table: of a resource, of a datatype, or of a backbone element

UCUM = "http://unitsofmeasure.org"


def must(key: str, message: str, holds: Holds, *, at: str = "", severity: Severity = "error") -> Rule:
    """A rule that says ``message`` when ``holds`` is false.

    ``holds`` may rely on types: when it fails on a value of another type, the walk has said so already.
    """
    problem = (Problem(at, key, message, severity),)
    return lambda value: () if holds(value) else problem


def one_of(key: str, message: str, *names: str, severity: Severity = "error") -> Rule:
    """At least one of the elements is there."""
    wanted = set(names)
    return must(key, message, lambda value: not wanted.isdisjoint(value), severity=severity)


def not_both(key: str, message: str, one: str, other: str) -> Rule:
    """Two elements exclude each other."""
    return must(key, message, lambda value: one not in value or other not in value)


def needs(key: str, message: str, name: str, needed: str) -> Rule:
    """One element is there only together with another."""
    return must(key, message, lambda value: name not in value or needed in value)


def distinct(values: Iterable[Any]) -> bool:
    """True when no value comes twice."""
    listed = list(values)
    return len(set(listed)) == len(listed)


def objects(value: Json, name: str) -> list[Json]:
    """The objects of a repeating element, none when it is absent."""
    return [item for item in value.get(name, ()) if isinstance(item, dict)]
