"""History of a resource, of a type and of the whole server, newest first."""

from collections.abc import Iterable
from typing import Any

from fhir_adapters.refused import Refused
from fhir_adapters.sandbox.interaction import Answer, Interaction
from fhir_adapters.sandbox.pages import page_size
from fhir_adapters.sandbox.repository import Repository
from fhir_adapters.sandbox.store import Version
from fhir_adapters.search_dates import interval

Json = dict[str, Any]
_STATUS = {"POST": "201 Created", "PUT": "200 OK", "DELETE": "204 No Content"}


def of_instance(repository: Repository, kind: str, id_: str, asked: Interaction) -> Answer:
    """Every version of a resource."""
    versions = repository.store.history(kind, id_)
    if not versions:
        raise Refused(404, "not-found", f"no {kind} with this id")
    return _answer(repository, versions, asked)


def of_type(repository: Repository, kind: str, asked: Interaction) -> Answer:
    """Every version of every resource of a type."""
    return _answer(repository, (v for v in repository.store.log if v.type == kind), asked)


def of_system(repository: Repository, asked: Interaction) -> Answer:
    """Everything that was ever written."""
    return _answer(repository, repository.store.log, asked)


def _answer(repository: Repository, oldest_first: Iterable[Version], asked: Interaction) -> Answer:
    given = dict(asked.query)
    if unknown := given.keys() - {"_since", "_count"}:
        raise Refused(400, "not-supported", f"a history has no parameter {min(unknown)[:40]}")
    since = interval(given["_since"])[0] if "_since" in given else None
    versions = [v for v in oldest_first if since is None or interval(v.updated)[0] >= since]
    versions.reverse()
    size, base_url = page_size(given), repository.base_url

    def page(start: int) -> Json:
        links = [{"relation": "self", "url": "/".join([base_url, *asked.path])}]
        if size and start + size < len(versions):
            links.append(repository.pages.link(base_url, page, start + size))
        entries = [_entry(base_url, version) for version in versions[start : start + size]]
        bundle: Json = {"resourceType": "Bundle", "type": "history", "total": len(versions), "link": links}
        return bundle | ({"entry": entries} if entries else {})

    return Answer(200, page(0))


def _entry(base_url: str, version: Version) -> Json:
    status = "201 Created" if version.version_id == "1" else _STATUS[version.method]
    url = version.type if version.method == "POST" else version.path
    return {
        "fullUrl": f"{base_url}/{version.path}",
        **({"resource": version.resource} if version.resource else {}),
        "request": {"method": version.method, "url": url},
        "response": {"status": status, "etag": version.etag, "lastModified": version.updated},
    }
