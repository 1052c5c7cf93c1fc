"""Which current resources satisfy a search, each parameter as R4 defines it. Repeated: and; a comma: or."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from fhir_adapters.refused import Refused
from fhir_adapters.sandbox.index import at, local
from fhir_adapters.sandbox.parameters import DATES, OF_EVERY_TYPE, REFERENCES, TYPES
from fhir_adapters.sandbox.store import Store
from fhir_adapters.search_dates import date_test

Json = dict[str, Any]
Parameters = list[tuple[str, str]]
Test = Callable[[Json], bool]


@dataclass(frozen=True, slots=True)
class View:
    """What a search sees of the store."""

    store: Store
    horizon: int | None = None  # how much of the log; None: all
    bars_in_identifiers: bool = True  # else it never finds a value with "|"


def matches(view: View, kind: str, parameters: Parameters) -> list[Json]:
    """The current resources of a type that satisfy every parameter, in the order in which they came.

    Raises:
        Refused: a parameter that this server does not know; ignoring it would match too much.
    """
    found: list[Collection[str]] = []
    tests: list[Test] = []
    for name, values in parameters:
        require_known(kind, name)
        wanted = [_unescaped(value) for value in re.split(r"(?<!\\),", values) if value]
        if name in DATES:
            tests.append(_any_date(DATES[name], wanted))
        elif name == "_id":
            found.append(dict.fromkeys(wanted))
        else:
            found.append(_under(view, kind, name, wanted))
    first, *others = sorted(found, key=len) or [view.store.index.ids(kind)]
    resources = [view.store.current(kind, id_, view.horizon) for id_ in first if all(id_ in ids for ids in others)]
    return [r for r in resources if r is not None and all(test(r) for test in tests)]


def require_known(kind: str, name: str) -> None:
    """Refuse a search parameter that the type does not have here."""
    if name not in OF_EVERY_TYPE and name not in TYPES.get(kind, ()):
        raise Refused(400, "not-supported", f"{kind} is not searched by {name[:40]} here")


def _under(view: View, kind: str, name: str, wanted: list[str]) -> Collection[str]:
    keys = [_reference(name, value) if name in REFERENCES else value for value in wanted]
    if name == "identifier" and not view.bars_in_identifiers:
        keys = [key for key in keys if key.count("|") < 2]
    found = [view.store.index.ids(kind, name, key) for key in keys]
    return found[0] if len(found) == 1 else dict.fromkeys(id_ for ids in found for id_ in ids)


def _reference(name: str, value: str) -> str:
    return local(value) if "/" in value else f"Patient/{value}" if name == "patient" else value


def _any_date(paths: tuple[str, ...], wanted: list[str]) -> Test:
    tests = [date_test(value) for value in wanted]
    return lambda resource: any(test(value) for value in at(resource, paths) for test in tests)


def _unescaped(value: str) -> str:
    """R4 escapes the signs that separate: ``a\\|b`` is the value ``a|b``."""
    return re.sub(r"\\([\\,|$])", r"\1", value)
