"""Read, create, update, delete: each as R4 defines it, on a store or on a draft of it."""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from fhir_adapters.rules import errors
from fhir_adapters.rules.table import resource_types
from fhir_adapters.sandbox.errors import Refused
from fhir_adapters.sandbox.search import matches
from fhir_adapters.sandbox.store import Store, Version

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Abilities:
    """What this sandbox can do, to stand in for servers that can do less."""

    update_create: bool = True
    transactions: bool = True
    conditional_create: bool = True
    validates: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and what goes with it."""

    status: int
    resource: Json | None = None
    headers: dict[str, str] = field(default_factory=dict)


def read(store: Store, kind: str, id_: str, version: str | None = None) -> Answer:
    """The current version of a resource, or the one that is named."""
    versions = store.history(kind, id_)
    chosen = [v for v in versions if version in (None, str(v.number))]
    if not chosen:
        raise Refused(404, "not-found", f"no {kind} with this id")
    if chosen[-1].resource is None:
        raise Refused(410, "deleted", f"the {kind} was deleted")
    return Answer(200, chosen[-1].resource, {"ETag": f'W/"{chosen[-1].number}"'})


def create(
    store: Store, kind: str, body: Any, abilities: Abilities, if_none_exist: str | None = None, id_: str | None = None
) -> Answer:
    """A new resource with an id of ours, unless the condition finds one."""
    if if_none_exist is not None:
        if not abilities.conditional_create:
            raise Refused(412, "not-supported", "no conditional create here")
        found = matches(store, kind, parse_qsl(if_none_exist.removeprefix("?"), strict_parsing=True))
        if len(found) > 1:
            raise Refused(412, "multiple-matches", "the condition matches several resources")
        if found:
            return _written(200, kind, found[0])
    _validate(kind, body, abilities)
    return _write(store, kind, id_ or str(uuid.uuid4()), body, 201)


def update(store: Store, kind: str, id_: str, body: Any, abilities: Abilities, if_match: str | None = None) -> Answer:
    """A new version of a resource, or its first one where clients may choose ids."""
    _validate(kind, body, abilities)
    if body.get("id") != id_:
        raise Refused(400, "invalid", "the id of the resource is not the one of the URL")
    versions = store.history(kind, id_)
    if if_match is not None and (not versions or if_match != f'W/"{versions[-1].number}"'):
        raise Refused(412, "conflict", "the resource has another version")
    if not versions and not abilities.update_create:
        raise Refused(405, "not-supported", "clients may not choose ids here")
    existed = bool(versions) and versions[-1].resource is not None
    return _write(store, kind, id_, body, 200 if existed else 201)


def delete(store: Store, kind: str, id_: str) -> Answer:
    """Mark a resource as deleted."""
    versions = store.history(kind, id_)
    if versions and versions[-1].resource is not None:
        store.add(kind, id_, Version(versions[-1].number + 1, _now(), None))
    return Answer(204)


def history(store: Store, kind: str, id_: str) -> Answer:
    """Every version of a resource, newest first."""
    versions = store.history(kind, id_)
    if not versions:
        raise Refused(404, "not-found", f"no {kind} with this id")
    entries = [_history_entry(kind, id_, version) for version in reversed(versions)]
    return Answer(200, {"resourceType": "Bundle", "type": "history", "total": len(entries), "entry": entries})


def _history_entry(kind: str, id_: str, version: Version) -> Json:
    method = "DELETE" if version.resource is None else "PUT" if version.number > 1 else "POST"
    entry: Json = {
        "fullUrl": f"urn:sandbox:{kind}/{id_}",
        "request": {"method": method, "url": f"{kind}/{id_}"},
        "response": {"status": "200", "etag": f'W/"{version.number}"', "lastModified": version.updated},
    }
    return entry | ({"resource": version.resource} if version.resource else {})


def _validate(kind: str, body: Any, abilities: Abilities) -> None:
    if kind not in resource_types():
        raise Refused(404, "not-supported", "no such resource type in R4")
    if not isinstance(body, dict) or body.get("resourceType") != kind:
        raise Refused(400, "invalid", "the body is not a resource of the type in the URL")
    problems = errors(body) if abilities.validates else []
    if problems:
        raise Refused(422, "invariant", *(f"{p.path}: {p.message} ({p.rule})" for p in problems))


def _write(store: Store, kind: str, id_: str, body: Json, status: int) -> Answer:
    versions = store.history(kind, id_)
    number = versions[-1].number + 1 if versions else 1
    meta = body.get("meta", {}) | {"versionId": str(number), "lastUpdated": _now()}
    stored = {"resourceType": kind, "id": id_, "meta": meta}
    stored |= {name: value for name, value in body.items() if name not in stored}
    store.add(kind, id_, Version(number, meta["lastUpdated"], stored))
    return _written(status, kind, stored)


def _written(status: int, kind: str, stored: Json) -> Answer:
    version = stored["meta"]["versionId"]
    location = f"{kind}/{stored['id']}/_history/{version}"
    return Answer(status, stored, {"ETag": f'W/"{version}"', "Location": location})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
