"""Transactions, all or nothing, and batches, each entry for itself."""

import uuid
from typing import Any
from urllib.parse import parse_qsl

from fhir_adapters.rules.bundle_invariants import bundle as bundle_problems
from fhir_adapters.sandbox import operations
from fhir_adapters.sandbox.errors import Refused
from fhir_adapters.sandbox.operations import Abilities, Answer
from fhir_adapters.sandbox.search import matches
from fhir_adapters.sandbox.store import Store

Json = dict[str, Any]
_ORDER = {"DELETE": 0, "POST": 1, "PUT": 2, "GET": 3}  # the order that R4 prescribes


def run(store: Store, body: Any, abilities: Abilities) -> Answer:
    """Process a Bundle."""
    if not isinstance(body, dict) or body.get("resourceType") != "Bundle":
        raise Refused(400, "invalid", "a Bundle is expected at the base of the server")
    entries = [e for e in body.get("entry", ()) if isinstance(e, dict)]
    if body.get("type") == "batch":
        return _response("batch-response", [_alone(store, entry, abilities) for entry in entries])
    if body.get("type") != "transaction" or not abilities.transactions:
        raise Refused(422, "not-supported", "this type of Bundle is not processed here")
    problems = [f"{p.path}: {p.message} ({p.rule})" for p in bundle_problems(body, "Bundle") if p.severity == "error"]
    if problems:
        raise Refused(400, "invariant", *problems)
    return _transaction(store, entries, abilities)


def _transaction(store: Store, entries: list[Json], abilities: Abilities) -> Answer:
    draft = store.draft()
    entries = _with_literal_references(draft, entries)
    answers: dict[int, Json] = {}
    order = sorted(range(len(entries)), key=lambda i: _ORDER.get(entries[i]["request"].get("method"), 9))
    for index in order:
        answers[index] = _entry(_one(draft, entries[index], abilities))
    store.take(draft)
    return _response("transaction-response", [answers[index] for index in range(len(entries))])


def _with_literal_references(draft: Store, entries: list[Json]) -> list[Json]:
    """Every ``urn:uuid`` becomes the reference that the resource will have; new resources get their ids here."""
    literal: dict[str, str] = {}
    for entry in entries:
        kind, id_ = _future(draft, entry)
        if entry.get("fullUrl", "").startswith("urn:uuid:") and id_:
            literal[entry["fullUrl"]] = f"{kind}/{id_}"
    return [_replaced(entry, literal) for entry in entries]


def _future(draft: Store, entry: Json) -> tuple[str, str | None]:
    request = entry["request"]
    kind, _, id_ = str(request.get("url", "")).partition("/")
    if request.get("method") != "POST":
        return kind, id_ or None
    condition = request.get("ifNoneExist")
    found = matches(draft, kind, parse_qsl(condition)) if condition else []
    entry["_id"] = found[0]["id"] if found else str(uuid.uuid4())
    return kind, entry["_id"]


def _replaced(node: Any, literal: dict[str, str]) -> Any:
    if isinstance(node, list):
        return [_replaced(item, literal) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        name: literal.get(value, value) if name == "reference" and isinstance(value, str) else _replaced(value, literal)
        for name, value in node.items()
    }


def _alone(store: Store, entry: Json, abilities: Abilities) -> Json:
    try:
        draft = store.draft()
        answer = _entry(_one(draft, entry, abilities))
        store.take(draft)
    except Refused as refused:
        return {"response": {"status": str(refused.status), "outcome": refused.outcome}}
    return answer


def _one(store: Store, entry: Json, abilities: Abilities) -> Answer:
    request = entry.get("request", {})
    method, url = request.get("method"), str(request.get("url", ""))
    kind, _, id_ = url.partition("/")
    if method == "POST":
        return operations.create(
            store, kind, entry.get("resource"), abilities, request.get("ifNoneExist"), entry.get("_id")
        )
    if method == "PUT":
        return operations.update(store, kind, id_, entry.get("resource"), abilities, request.get("ifMatch"))
    if method == "DELETE":
        return operations.delete(store, kind, id_)
    if method == "GET":
        return operations.read(store, kind, id_)
    raise Refused(400, "not-supported", "an entry with a method that is not processed here")


def _entry(answer: Answer) -> Json:
    response: Json = {"status": str(answer.status)}
    if "ETag" in answer.headers:
        response["etag"] = answer.headers["ETag"]
    if "Location" in answer.headers:
        response["location"] = answer.headers["Location"]
    return {"response": response}


def _response(kind: str, entries: list[Json]) -> Answer:
    return Answer(200, {"resourceType": "Bundle", "type": kind, "entry": entries})
