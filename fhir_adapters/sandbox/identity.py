"""Which resource a write is about. A condition is looked up here, once, before anything is written."""

import uuid
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fhir_adapters.refused import Refused
from fhir_adapters.sandbox.interaction import Interaction
from fhir_adapters.sandbox.operations import Write
from fhir_adapters.sandbox.repository import Repository
from fhir_adapters.sandbox.scopes import require_write_scope
from fhir_adapters.sandbox.search import Parameters, View, matches
from fhir_adapters.sandbox.validation import require_type

Json = dict[str, Any]


def decide(repository: Repository, asked: Interaction) -> Write | None:
    """The write that is asked for, with its identity; None for a conditional delete that finds nothing.

    Raises:
        Refused: 412 when a condition matches several resources, 405 when there is no such write.
    """
    match asked.method, asked.path:
        case "POST", (kind,):
            _require_allowed(repository, asked, kind)
            return _create(repository, kind, asked)
        case (("PUT" | "DELETE"), (kind, id_)):
            _require_allowed(repository, asked, kind)
            return Write(asked.method, kind, id_, asked.resource, asked.if_match)
        case (("PUT" | "DELETE"), (kind,)) if asked.query:
            _require_allowed(repository, asked, kind)
            if not repository.abilities.conditional_update:
                raise Refused(405, "not-supported", "no conditional update and no conditional delete here")
            return _where(repository, kind, asked)
    raise Refused(405, "not-supported", "no such interaction here")


def _require_allowed(repository: Repository, asked: Interaction, kind: str) -> None:
    require_type(kind)
    require_write_scope(asked, kind)
    writable = repository.abilities.writable
    if writable is not None and kind not in writable:
        raise Refused(405, "not-supported", f"{kind} can only be read here")


def _create(repository: Repository, kind: str, asked: Interaction) -> Write:
    write = Write("POST", kind, str(uuid.uuid4()), asked.resource, our_id=True)
    if asked.if_none_exist is None:
        return write
    if not repository.abilities.conditional_create:
        raise Refused(412, "not-supported", "no conditional create here")
    condition = asked.if_none_exist.removeprefix("?")
    found = find_one(repository.seen_by_condition("POST"), kind, criteria(condition))
    write = replace(write, condition=condition)
    return replace(write, id=found["id"], there=True) if found else write


def _where(repository: Repository, kind: str, asked: Interaction) -> Write | None:
    write = Write(asked.method, kind, str(uuid.uuid4()), asked.resource, asked.if_match, our_id=True)
    write = replace(write, condition=urlencode(asked.query))
    found = find_one(repository.seen_by_condition(asked.method), kind, asked.query)
    given = asked.resource.get("id") if isinstance(asked.resource, dict) else None
    if found and given not in (None, found["id"]) and asked.method == "PUT":
        raise Refused(400, "invalid", "the condition matches a resource with another id")
    if found:
        return replace(write, id=found["id"])
    if asked.method == "DELETE":
        return None
    # R4: an id that the client gives, and no match, is an update that creates.
    return write if given is None else replace(write, id=str(given), our_id=False)


def criteria(condition: str) -> Parameters:
    """The parameters of a condition.

    Raises:
        Refused: it asks for nothing, so it would match everything.
    """
    parameters = parse_qsl(condition)
    if not parameters:
        raise Refused(412, "invalid", "a condition without criteria")
    return parameters


def find_one(view: View, kind: str, parameters: Parameters) -> Json | None:
    """The one resource that a condition means; None when there is none."""
    found = matches(view, kind, parameters)
    if len(found) > 1:
        raise Refused(412, "multiple-matches", "the condition matches several resources")
    return found[0] if found else None
