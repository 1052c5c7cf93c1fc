"""Parts of a resource that may be absent, or not what R4 says: that is told elsewhere, and no row is lost for it."""

from typing import Any

Json = dict[str, Any]


def part(node: Any, *path: str) -> Any:
    """What stands at a path of objects, of lists their first item; None where anything is missing."""
    for name in path:
        found = node.get(name) if isinstance(node, dict) else None
        node = found[0] if isinstance(found, list) and found else found
    return node


def objects(node: Any, name: str) -> list[Json]:
    """The objects of a list."""
    found = node.get(name) if isinstance(node, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def text(value: Any) -> str | None:
    """The text, if it is one and says something."""
    return value.strip() or None if isinstance(value, str) else None


def number(value: Any) -> float | None:
    """The number, if it is one."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def codings(concept: Any) -> list[tuple[str, str]]:
    """(system without a slash at its end, code) of a CodeableConcept; the one that a person chose first."""
    found = sorted(objects(concept, "coding"), key=lambda coding: coding.get("userSelected") is not True)
    return [
        ((text(coding.get("system")) or "").rstrip("/"), code)
        for coding in found
        if (code := text(coding.get("code"))) is not None
    ]


def named(concept: Any) -> str | None:
    """What people call it: its text, else the first display."""
    displays = (text(coding.get("display")) for coding in objects(concept, "coding"))
    return text(part(concept, "text")) or next(filter(None, displays), None)
