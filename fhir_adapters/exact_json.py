"""JSON that keeps every decimal as it was written: 63.50 stays 63.50, which FHIR says is significant."""

import hashlib
import json
import math
from decimal import Decimal
from typing import Any

import orjson


def dumps(value: Any) -> str:
    """Compact JSON text of dicts, lists, strings, booleans, None, int, Decimal and finite floats.

    Raises: ValueError: a number that is not finite, or a text that is no Unicode.
    """
    return dumped(value).decode()


def dumped(value: Any) -> bytes:
    """The same as bytes."""
    try:
        text = orjson.dumps(value, default=_decimal)
    except orjson.JSONEncodeError as error:
        raise ValueError(f"not JSON: {error}") from error
    if b"null" in text:  # the library writes it for a float that is not finite, and says nothing
        _refuse_infinite(value)
    return text


def indented(value: Any, depth: int = 0) -> str:
    """JSON for people, with decimals as they were written."""
    pad, inner = "  " * depth, "  " * (depth + 1)
    if isinstance(value, dict) and value:
        lines = [f"{inner}{dumps(name)}: {indented(held, depth + 1).lstrip()}" for name, held in value.items()]
        text = "{\n" + ",\n".join(lines) + f"\n{pad}}}"
    elif isinstance(value, list) and value:
        text = "[\n" + ",\n".join(inner + indented(item, depth + 1).lstrip() for item in value) + f"\n{pad}]"
    else:
        text = dumps(value)
    return pad + text if depth else text + "\n"


def loads(text: str | bytes) -> Any:
    """Parsed JSON with every number that has a point as Decimal."""
    return json.loads(text, parse_float=Decimal, parse_constant=_refuse)


def sha256(value: Any) -> str:
    """Hexadecimal sha-256 of the JSON text."""
    return hashlib.sha256(dumped(value)).hexdigest()


def _decimal(value: Any) -> orjson.Fragment:
    if isinstance(value, Decimal) and math.isfinite(value):
        return orjson.Fragment(str(value))
    raise TypeError(f"JSON has no {type(value).__name__}, no infinity and no NaN")


def _refuse_infinite(value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("JSON has no infinity and no NaN")
    if isinstance(value, dict | list | tuple):
        for content in value.values() if isinstance(value, dict) else value:
            _refuse_infinite(content)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
