"""JSON that keeps every decimal as it was written: 63.50 stays 63.50, which FHIR says is significant."""

import hashlib
import json
import math
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any


def dumps(value: Any) -> str:
    """Compact JSON text of dicts, lists, strings, booleans, None, int, Decimal and finite floats."""
    parts: list[str] = []
    _write(value, parts.append)
    return "".join(parts)


def loads(text: str | bytes) -> Any:
    """Parsed JSON with every number that has a point as Decimal."""
    return json.loads(text, parse_float=Decimal, parse_constant=_refuse)


def sha256(value: Any) -> str:
    """Hexadecimal sha-256 of the JSON text."""
    return hashlib.sha256(dumps(value).encode()).hexdigest()


def _write(value: Any, out: Any) -> None:
    if isinstance(value, dict):
        separator = "{"
        for name, content in value.items():
            out(f"{separator}{encode_basestring(name)}:")
            _write(content, out)
            separator = ","
        out("}" if value else "{}")
    elif isinstance(value, list | tuple):
        separator = "["
        for content in value:
            out(separator)
            _write(content, out)
            separator = ","
        out("]" if value else "[]")
    else:
        out(_scalar(value))


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("JSON has no infinity and no NaN")
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("JSON has no infinity and no NaN")
    return json.dumps(value)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
