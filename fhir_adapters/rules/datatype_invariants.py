"""The invariants of datatypes, applied wherever the walk meets them."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from fhir_adapters.rules.narrative import narrative
from fhir_adapters.rules.primitives import is_number
from fhir_adapters.rules.problem import Problem

Json = dict[str, Any]
Rule = Callable[[Json, str], Iterator[Problem]]


def datatype_invariants(kind: str, value: Json, path: str) -> Iterator[Problem]:
    """Problems of one value of a datatype, beyond its structure."""
    rule = _BY_TYPE.get(kind)
    if rule is not None:
        yield from rule(value, path)


def _attachment(value: Json, path: str) -> Iterator[Problem]:
    if "data" not in value:
        return
    if "contentType" not in value:
        yield Problem(path, "att-1", "data without contentType")
    try:
        data = base64.b64decode(value["data"], validate=True)
    except (binascii.Error, TypeError, ValueError):
        return  # bad base64: the walk said so
    if value.get("size", len(data)) != len(data):
        yield Problem(f"{path}.size", "attachment-size", "size is not the number of bytes of data")
    digest = base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()
    if value.get("hash", digest) != digest:
        yield Problem(f"{path}.hash", "attachment-hash", "hash is not the SHA-1 of data, in base64")


def _extension(value: Json, path: str) -> Iterator[Problem]:
    values = [name for name in value if name.lstrip("_").startswith("value")]
    if bool(values) == ("extension" in value):
        yield Problem(path, "ext-1", "an extension has either a value or extensions")


def _period(value: Json, path: str) -> Iterator[Problem]:
    start, end = value.get("start"), value.get("end")
    if isinstance(start, str) and isinstance(end, str) and _after(start, end):
        yield Problem(path, "per-1", "the period ends before it starts")


def _after(start: str, end: str) -> bool:
    """Compared at the precision that both share; with zones, as instants."""
    try:
        first, last = datetime.fromisoformat(start), datetime.fromisoformat(end)
        if first.tzinfo and last.tzinfo:
            return first > last
    except ValueError:
        pass  # a year or a month alone
    shared = min(len(start), len(end), len("2025-01-01"))
    return start[:shared] > end[:shared]


def _quantity(value: Json, path: str) -> Iterator[Problem]:
    if "code" in value and "system" not in value:
        yield Problem(path, "qty-3", "a unit code needs its system")


def _range(value: Json, path: str) -> Iterator[Problem]:
    bounds = [value[n].get("value") for n in ("low", "high") if isinstance(value.get(n), dict)]
    if len(bounds) == 2 and all(map(is_number, bounds)) and bounds[0] > bounds[1]:
        yield Problem(path, "rng-2", "low is above high")


def _contact_point(value: Json, path: str) -> Iterator[Problem]:
    if "value" in value and "system" not in value:
        yield Problem(path, "cpt-2", "a value needs its system (phone, email…)")


_BY_TYPE: dict[str, Rule] = {
    "Attachment": _attachment,
    "ContactPoint": _contact_point,
    "Extension": _extension,
    "Narrative": narrative,
    "Period": _period,
    "Quantity": _quantity,
    "Range": _range,
}
