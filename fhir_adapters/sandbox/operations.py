"""Read and write one resource, each as R4 defines it."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fhir_adapters.refused import Refused
from fhir_adapters.sandbox.abilities import Abilities
from fhir_adapters.sandbox.interaction import Answer
from fhir_adapters.sandbox.repository import Repository
from fhir_adapters.sandbox.store import Version
from fhir_adapters.sandbox.validation import require_unused, require_valid

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Write:
    """A write whose identity is decided; what it will find there is not."""

    method: str
    type: str
    id: str
    body: Any = None
    if_match: str | None = None
    there: bool = False  # a conditional create that found its resource: nothing to write
    our_id: bool = False  # the server chose the id
    condition: str | None = None


def read(repository: Repository, kind: str, id_: str, version_id: str | None = None) -> Answer:
    """The current version of a resource, or the one that is named."""
    versions = repository.store.history(kind, id_)
    chosen = [v for v in versions if version_id in (None, v.version_id)]
    if not chosen:
        raise Refused(404, "not-found", f"no {kind} with this id")
    if chosen[-1].resource is None:
        raise Refused(410, "deleted", f"the {kind} was deleted")
    return Answer(200, chosen[-1].resource, chosen[-1])


def carry_out(repository: Repository, write: Write) -> Answer:
    """Create, update or delete."""
    if write.method == "DELETE":
        return _delete(repository, write)
    return _create(repository, write) if write.method == "POST" else _update(repository, write)


def _create(repository: Repository, write: Write) -> Answer:
    last = repository.store.last(write.type, write.id)
    if write.there and last is not None:
        return Answer(200, last.resource, last)
    require_valid(write.type, write.body, repository.abilities)
    return _written(repository, write, 201)


def _update(repository: Repository, write: Write) -> Answer:
    abilities, last = repository.abilities, repository.store.last(write.type, write.id)
    require_valid(write.type, write.body, abilities)
    if write.body.get("id") != write.id and not (write.condition is not None and "id" not in write.body):
        raise Refused(400, "invalid", "the id of the resource is not the one of the URL")
    _require_match(write, last, abilities)
    if last is None and not (abilities.update_create or write.our_id):
        raise Refused(405, "not-supported", "clients may not choose ids here")
    there = last is not None and last.resource is not None
    if there and last is not None and not abilities.unchanged_makes_version and _same(last.resource, write.body):
        return Answer(200, last.resource, last)
    return _written(repository, write, 200 if there else 201)


def _delete(repository: Repository, write: Write) -> Answer:
    last = repository.store.last(write.type, write.id)
    _require_match(write, last, repository.abilities)
    if last is None or last.resource is None:
        return Answer(204)
    if repository.abilities.referential_integrity:
        require_unused(repository.store, write.type, write.id)
    version = Version(write.type, write.id, _next(repository, write), _now(), "DELETE", None)
    repository.store.add(version)
    return Answer(204, None, version)


def _require_match(write: Write, last: Version | None, abilities: Abilities) -> None:
    if write.if_match is not None and (last is None or write.if_match != last.etag):
        raise Refused(abilities.stale_if_match, "conflict", "the resource has another version")


def _written(repository: Repository, write: Write, status: int) -> Answer:
    version_id = _next(repository, write)
    given = write.body.get("meta", {})
    meta = (given if isinstance(given, dict) else {}) | {"versionId": version_id, "lastUpdated": _now()}
    stored = {"resourceType": write.type, "id": write.id, "meta": meta}
    stored |= {name: value for name, value in write.body.items() if name not in stored}
    version = Version(write.type, write.id, version_id, meta["lastUpdated"], write.method, stored)
    repository.store.add(version)
    return Answer(status, stored, version)


def _next(repository: Repository, write: Write) -> str:
    if repository.abilities.opaque_versions:
        return str(uuid.uuid4())
    return str(repository.store.count(write.type, write.id) + 1)


def _same(stored: Json | None, body: Json) -> bool:
    """The same content, whatever the server added."""
    return stored is not None and _content(stored) == _content(body)


def _content(resource: Json) -> Json:
    meta = {n: v for n, v in resource.get("meta", {}).items() if n not in ("versionId", "lastUpdated")}
    return {name: value for name, value in resource.items() if name not in ("id", "meta")} | {"meta": meta}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
