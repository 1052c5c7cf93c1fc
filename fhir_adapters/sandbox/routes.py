"""Which interaction a request is."""

from fhir_adapters.refused import Refused
from fhir_adapters.sandbox import history, operations
from fhir_adapters.sandbox.identity import decide
from fhir_adapters.sandbox.interaction import Answer, Interaction
from fhir_adapters.sandbox.repository import Repository
from fhir_adapters.sandbox.scopes import require_scope
from fhir_adapters.sandbox.searchset import search
from fhir_adapters.sandbox.validation import require_targets, require_type


def perform(repository: Repository, asked: Interaction) -> Answer:
    """Anything but a Bundle."""
    if asked.is_write:
        return _write(repository, asked)
    if asked.method not in ("GET", "POST"):
        raise Refused(405, "not-supported", "no such interaction here")
    return _read(repository, asked)


def _write(repository: Repository, asked: Interaction) -> Answer:
    write = decide(repository, asked)
    if write is None:
        return Answer(204)
    with repository.store.all_or_nothing():
        answer = operations.carry_out(repository, write)
        if repository.abilities.referential_integrity and answer.resource:
            require_targets(repository.store, repository.base_url, [answer.resource])
    return answer


def _read(repository: Repository, asked: Interaction) -> Answer:
    match asked.path:
        case () if (word := dict(asked.query).get("_page")) is not None:
            return Answer(200, repository.pages.get(word))
        case ("_history",):
            require_scope(asked, "*", "s")
            return history.of_system(repository, asked)
        case (kind, *_):
            require_type(kind)
            search_like = asked.path[1:] in ((), ("_search",), ("_history",))
            require_scope(asked, kind, "s" if search_like else "r")
    match asked.path:
        case (kind,) | (kind, "_search"):
            return search(repository, kind, asked)
        case (kind, "_history"):
            return history.of_type(repository, kind, asked)
        case (kind, id_, "_history"):
            return history.of_instance(repository, kind, id_, asked)
        case (kind, id_, "_history", version_id):
            return operations.read(repository, kind, id_, version_id)
        case (kind, id_):
            answer = operations.read(repository, kind, id_)
            known = answer.version is not None and asked.if_none_match in (answer.version.etag, "*")
            return Answer(304, None, answer.version) if known else answer
    raise Refused(404, "not-found", "no such address")
