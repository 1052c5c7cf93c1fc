"""Prefetch: the queries that a service asks for, and what a client gave for them."""

import re
from collections.abc import Iterator
from typing import Any

from fhir_adapters.cds_hooks.messages.resources import received, type_of
from fhir_adapters.cds_hooks.messages.shapes import HOOKS, SHAPES
from fhir_adapters.cds_hooks.messages.walk import EMPTY, NULL, shown
from fhir_adapters.rules.problem import Problem

Json = dict[str, Any]

TOKEN = re.compile(r"\{\{(.*?)\}\}")
USER_TOKENS = ("userPractitionerId", "userPractitionerRoleId", "userPatientId", "userRelatedPersonId")
_CONTEXT_TOKEN = re.compile(r"context\.(\w+)")
_QUERY = re.compile(r"[A-Z][A-Za-z]+([/?]\S*)?")  # a read or a search, relative to the FHIR server


def has_prefetch(request: Json, key: str) -> bool:
    """Whether the client answered the query of a key. ``null`` is an answer: it has no such data."""
    given = request.get("prefetch")
    return isinstance(given, dict) and key in given and not _is_error(given[key])


def unsatisfied(request: Json, service: Json) -> list[str]:
    """The keys of a service that a request leaves unanswered: absent, or an OperationOutcome in their place."""
    return [key for key in service.get("prefetch", {}) if not has_prefetch(request, key)]


def templates(service: Json, path: str) -> Iterator[Problem]:
    """Problems of the prefetch templates of a service in its discovery."""
    asked = service.get("prefetch")
    for key, template in asked.items() if isinstance(asked, dict) else ():
        at = f"{path}.prefetch.{shown(key)}"
        if template is None:
            yield Problem(at, NULL, "null; leave the key out")
        elif not isinstance(template, str):
            yield Problem(at, "prefetch-template:type", "a template is a string")
        elif not template.strip():
            yield Problem(at, EMPTY, "an empty template; leave the key out")
        else:
            yield from _template(template, str(service.get("hook")), at)


def given(request: Json, service: Json | None, *, in_full: bool) -> Iterator[Problem]:
    """Problems of the prefetched data of a request."""
    prefetched = request.get("prefetch")
    asked = None if service is None else service.get("prefetch", {})
    for key, value in prefetched.items() if isinstance(prefetched, dict) else ():
        at = f"prefetch.{shown(key)}"
        if asked is not None and key not in asked:
            yield Problem(at, "prefetch-template:key", "the service did not ask for this key", "warning")
        if value is not None:  # null: the client has no such data
            yield from received(value, at, "prefetch-template", in_full=in_full)


def _template(template: str, hook: str, path: str) -> Iterator[Problem]:
    for token in TOKEN.findall(template):
        field = _CONTEXT_TOKEN.fullmatch(token)
        if token not in USER_TOKENS and field is None:
            yield Problem(path, "prefetch-tokens:token", "a token is context.field, or one of the four for the user")
        elif field and hook in HOOKS and field[1] not in _tokens_of(hook):
            yield Problem(path, "prefetch-tokens:token", f"the context of {hook} has no such token")
    plain = TOKEN.sub("x", template)
    if "{{" in plain or "}}" in plain:
        yield Problem(path, "prefetch-tokens:token", "braces of a token that do not match")
    elif template != "{{context.userId}}" and not _QUERY.fullmatch(plain):
        yield Problem(path, "prefetch-template:query", "a template reads Type/id or searches Type?parameters")


def _tokens_of(hook: str) -> list[str]:
    """Only the strings at the root of a context can stand in a query."""
    return [name for name, member in SHAPES[hook].members.items() if member.kind in ("text", "id") and not member.many]


def _is_error(value: Any) -> bool:
    """An OperationOutcome, or a Bundle that holds nothing else."""
    kind = type_of(value)
    if kind != "Bundle":
        return kind == "OperationOutcome"
    entries = value.get("entry")
    held = [e.get("resource") for e in entries if isinstance(e, dict)] if isinstance(entries, list) else []
    return bool(held) and all(type_of(resource) == "OperationOutcome" for resource in held)
