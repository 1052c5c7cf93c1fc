"""Search: the few parameters that our client and the tests use, each as R4 defines it."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from fhir_adapters.sandbox.errors import Refused
from fhir_adapters.sandbox.store import Store

Json = dict[str, Any]
Parameters = list[tuple[str, str]]
RESULT_PARAMETERS = {"_count", "_elements", "_summary", "_sort", "_total", "_offset", "_format"}


def matches(store: Store, kind: str, parameters: Parameters) -> list[Json]:
    """The current resources of a type that satisfy every parameter.

    Raises:
        Refused: a parameter that this server does not know; ignoring it would match too much.
    """
    tests = [_test(name, value) for name, value in parameters if name not in RESULT_PARAMETERS]
    return [resource for resource in store.current(kind) if all(test(resource) for test in tests)]


def _test(name: str, value: str) -> Callable[[Json], bool]:
    if name == "_id":
        return lambda r: r["id"] in value.split(",")
    if name == "identifier":
        return lambda r: any(_is_token(i, value) for i in _list(r.get("identifier")))
    if name == "_security":
        return lambda r: any(_is_token(c, value, "code") for c in _list(r.get("meta", {}).get("security")))
    if name in _REFERENCES:
        return lambda r: any(_is_reference(x, value, name) for path in _REFERENCES[name] for x in _at(r, path))
    if name in _DATES:
        return lambda r: any(_is_date(d, value) for d in _at(r, _DATES[name]) if isinstance(d, str))
    raise Refused(400, "not-supported", f"the sandbox does not search by {name}")


_REFERENCES = {
    "patient": ("patient", "subject"),
    "subject": ("subject", "patient"),
    "author": ("author",),
    "implicated": ("implicated",),
    "target": ("target",),
    "agent": ("agent.who",),
}
_DATES = {"_lastUpdated": "meta.lastUpdated", "recorded": "recorded", "identified": "identifiedDateTime"}


def _at(node: Any, path: str) -> Iterator[Any]:
    first, _, rest = path.partition(".")
    for item in _list(node.get(first) if isinstance(node, dict) else None):
        if rest:
            yield from _at(item, rest)
        else:
            yield item


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _is_token(item: Json, wanted: str, code: str = "value") -> bool:
    system, bar, value = wanted.partition("|")
    if not bar:
        return item.get(code) == wanted
    return item.get("system", "") == system and (not value or item.get(code) == value)


def _is_reference(item: Json, wanted: str, name: str) -> bool:
    reference = str(item.get("reference", ""))
    plain = f"Patient/{wanted}" if name == "patient" and "/" not in wanted else wanted
    return reference == plain or reference.endswith(f"/{plain}")


def _is_date(value: str, wanted: str) -> bool:
    operator = wanted[:2] if wanted[:2] in _COMPARE else "eq"
    return _COMPARE[operator](datetime.fromisoformat(value), datetime.fromisoformat(wanted.removeprefix(operator)))


_COMPARE: dict[str, Callable[[datetime, datetime], bool]] = {
    "eq": lambda a, b: a == b,
    "ge": lambda a, b: a >= b,
    "gt": lambda a, b: a > b,
    "le": lambda a, b: a <= b,
    "lt": lambda a, b: a < b,
}
