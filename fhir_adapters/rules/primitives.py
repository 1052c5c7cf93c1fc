"""The syntax of R4 primitive types, on parsed JSON."""

import re
from decimal import Decimal
from typing import Any

_YEAR = r"[0-9]{4}"
_DATE = rf"{_YEAR}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
_ZONE = r"(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_DAY = rf"{_YEAR}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"

_TEXT = {
    "string": r"[\s\S]*\S[\s\S]*",
    "markdown": r"[\s\S]*\S[\s\S]*",
    "xhtml": r"[\s\S]*\S[\s\S]*",
    "code": r"\S+( \S+)*",
    "id": r"[A-Za-z0-9.\-]{1,64}",
    "uri": r"\S+",
    "url": r"\S+",
    "canonical": r"\S+",
    "oid": r"urn:oid:[0-2](\.(0|[1-9][0-9]*))+",
    "uuid": r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "date": _DATE,
    "dateTime": rf"{_DATE}|{_DAY}T{_CLOCK}{_ZONE}",
    "instant": rf"{_DAY}T{_CLOCK}{_ZONE}",
    "time": _CLOCK,
    "base64Binary": r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?",
}
_PATTERNS = {name: re.compile(pattern) for name, pattern in _TEXT.items()}
_WHOLE_NUMBERS = {"integer": -(2**31), "unsignedInt": 0, "positiveInt": 1}


def accepts(kind: str, value: Any) -> bool:
    """True when ``value`` (as ``json.loads`` gives it) is a ``kind`` of R4."""
    if kind == "boolean":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if kind == "decimal":
        return is_number(value)
    if kind in _WHOLE_NUMBERS:
        return isinstance(value, int) and _WHOLE_NUMBERS[kind] <= value < 2**31
    pattern = _PATTERNS.get(kind)
    return pattern is not None and isinstance(value, str) and pattern.fullmatch(value) is not None


def is_number(value: Any) -> bool:
    """True for a finite number; JSON has no other."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool) and Decimal(str(value)).is_finite()
