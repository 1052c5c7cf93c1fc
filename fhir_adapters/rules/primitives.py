"""The syntax of R4 primitive types, on parsed JSON."""

import binascii
import re
from calendar import monthrange
from collections.abc import Callable
from decimal import Decimal
from typing import Any

Accepts = Callable[[Any], bool]

_YEAR = r"(?!0000)[0-9]{4}"
_DAY = rf"{_YEAR}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_DATE = rf"{_YEAR}(-(0[1-9]|1[0-2]))?|{_DAY}"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
_ZONE = r"(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_OID = r"urn:oid:[0-2](\.(0|[1-9][0-9]*))+"
_UUID = r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ANY = rf"{_OID}|{_UUID}|(?!urn:oid:|urn:uuid:)"
_SCHEME = r"[A-Za-z][A-Za-z0-9+.\-]*:"

_PATTERNS = {
    "code": r"\S+( \S+)*",
    "id": r"[A-Za-z0-9.\-]{1,64}",
    "uri": rf"{_ANY}\S+",
    "url": rf"{_ANY}\S+",
    "canonical": rf"{_ANY}{_SCHEME}\S+|#\S+",
    "oid": _OID,
    "uuid": _UUID,
    "time": _CLOCK,
    # Codes of sets that no list can hold (BCP 47 and BCP 13), under the names of these sets.
    "languages": r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*|[ix](-[A-Za-z0-9]{1,8})+",
    "mimetypes": r"json|xml|ttl|[^\s/;]+/[^\s/;]+(\s*;.*)?",
}
_DATED = {"date": _DATE, "dateTime": rf"{_DATE}|{_DAY}T{_CLOCK}{_ZONE}", "instant": rf"{_DAY}T{_CLOCK}{_ZONE}"}
_WHOLE_NUMBERS = {"integer": -(2**31), "unsignedInt": 0, "positiveInt": 1}
_ABSOLUTE = re.compile(_SCHEME)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_LONGEST = 1024 * 1024


def accepts(kind: str, value: Any) -> bool:
    """True when ``value`` (as ``json.loads`` gives it) is a ``kind`` of R4."""
    return ACCEPTS[kind](value)


def is_number(value: Any) -> bool:
    """True for a finite number; JSON has no other."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return isinstance(value, int) or Decimal(value).is_finite()
    return False


def is_absolute(uri: str) -> bool:
    """True for an address or a name that says of what kind it is."""
    return _ABSOLUTE.match(uri) is not None


def is_base64(value: Any) -> bool:
    """True for base64, padded; R4 allows blanks in it."""
    try:
        return isinstance(value, str) and binascii.a2b_base64("".join(value.split()), strict_mode=True) != b""
    except ValueError:
        return False


def _is_text(value: Any) -> bool:
    if not isinstance(value, str) or not value or value.isspace() or len(value) > _LONGEST:
        return False
    return value.isprintable() or _CONTROL.search(value) is None


def _matching(pattern: str) -> Accepts:
    matches = re.compile(pattern).fullmatch
    return lambda value: isinstance(value, str) and matches(value) is not None


def _dated(pattern: str) -> Accepts:
    matches = re.compile(pattern).fullmatch
    return lambda value: isinstance(value, str) and matches(value) is not None and _exists(value)


def _exists(date: str) -> bool:
    """False for 30 February and its like."""
    return date[8:10] < "29" or int(date[8:10]) <= monthrange(int(date[:4]), int(date[5:7]))[1]


def _whole(least: int) -> Accepts:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value < 2**31


ACCEPTS: dict[str, Accepts] = {
    "boolean": lambda value: isinstance(value, bool),
    "decimal": is_number,
    "string": _is_text,
    "markdown": _is_text,
    "xhtml": lambda value: isinstance(value, str) and bool(value),  # its reader says the rest
    "base64Binary": is_base64,
    **{kind: _matching(pattern) for kind, pattern in _PATTERNS.items()},
    **{kind: _dated(pattern) for kind, pattern in _DATED.items()},
    **{kind: _whole(least) for kind, least in _WHOLE_NUMBERS.items()},
}
