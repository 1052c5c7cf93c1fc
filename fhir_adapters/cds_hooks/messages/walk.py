"""Walks a message along its shape: what must be there, of which kind, never null, never empty."""

import re
from collections.abc import Iterator
from typing import Any

from fhir_adapters.cds_hooks.messages.shapes import SHAPES, Member
from fhir_adapters.cds_hooks.messages.values import KINDS, is_empty
from fhir_adapters.rules.problem import Problem

Json = dict[str, Any]

ROOT = "body"
NULL, EMPTY = "use-of-json:null", "use-of-json:empty"
_NAME = re.compile(r"[\w.\-]{1,64}", re.ASCII)


def walk(name: str, value: Any, path: str = "") -> Iterator[Problem]:
    """Problems of one object of the text and of the objects in it.

    Args:
        name: of the shape.
        path: where it stands in the message; nothing for the message itself.
    """
    shape, at = SHAPES[name], path or ROOT
    if not isinstance(value, dict):
        yield Problem(at, NULL if value is None else f"{shape.section}:type", "an object is expected")
        return
    if not value and not any(member.required for member in shape.members.values()):
        yield Problem(at, EMPTY, "an empty object; leave it out")
    for label, content in value.items():
        member, where = shape.members.get(label), f"{path}.{shown(label)}" if path else shown(label)
        if label == "extension":
            yield from _extension(content, where)
        elif member is None:
            yield Problem(where, f"{shape.section}:unknown", "the text has no such member here", "warning")
        else:
            yield from _member(member, content, where, shape.section)
    for label, member in shape.members.items():
        if member.required and label not in value:
            where = f"{path}.{label}" if path else label
            yield Problem(where, f"{shape.section}:required", "the member must be there")


def shown(name: str) -> str:
    """The name of a member for a message; a sender may have put anything there."""
    return name if _NAME.fullmatch(name) else "(unusual name)"


def objects(value: Any, name: str) -> list[tuple[int, Json]]:
    """The objects of an array with their position; what is none was told by the walk."""
    listed = value.get(name) if isinstance(value, dict) else None
    return [(i, item) for i, item in enumerate(listed) if isinstance(item, dict)] if isinstance(listed, list) else []


def _extension(content: Any, path: str) -> Iterator[Problem]:
    """What is inside was agreed by the two parties, so it is not looked at."""
    if not isinstance(content, dict):
        yield Problem(path, "extensions:type", "an extension is an object")


def _member(member: Member, content: Any, path: str, section: str) -> Iterator[Problem]:
    if content is None:
        yield Problem(path, NULL, "null; leave the member out")
    elif is_empty(content) and not (member.may_be_empty and content == []):
        yield Problem(path, EMPTY, "an empty value; leave the member out")
    elif not member.many:
        yield from _one(member, content, path, section)
    elif not isinstance(content, list):
        yield Problem(path, f"{section}:type", "an array is expected")
    else:
        for index, item in enumerate(content):
            at = f"{path}[{index}]"
            if item is None or is_empty(item):
                yield Problem(at, NULL if item is None else EMPTY, "an array holds no null and no empty value")
            else:
                yield from _one(member, item, at, section)


def _one(member: Member, content: Any, path: str, section: str) -> Iterator[Problem]:
    if member.kind not in KINDS:
        yield from walk(member.kind, content, path)
        return
    accepted, wanted = KINDS[member.kind]
    if not accepted(content):
        yield Problem(path, f"{section}:type", f"{wanted} is expected")
    elif member.codes and content not in member.codes:
        yield Problem(path, f"{section}:code", f"only these are allowed: {', '.join(member.codes)}")
