"""Search parameters as R4 writes them."""

from collections.abc import Iterable, Mapping
from typing import Any

_SPECIAL = str.maketrans({special: f"\\{special}" for special in "\\,$|"})


def token(identifier: Mapping[str, Any]) -> str:
    """``system|value`` of an identifier."""
    return f"{_escaped(identifier.get('system', ''))}|{_escaped(identifier.get('value', ''))}"


def any_of(tokens: Iterable[str]) -> str:
    """One value of a search that accepts any of several."""
    return ",".join(tokens)


def _escaped(text: object) -> str:
    return str(text).translate(_SPECIAL)
