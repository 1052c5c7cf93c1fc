"""Bundles at the base of the server: batches, each entry for itself, and transactions."""

from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from fhir_adapters.refused import Refused, against_the_rules, operation_outcome
from fhir_adapters.rules.bundle_invariants import bundle as bundle_problems
from fhir_adapters.sandbox import routes, transaction
from fhir_adapters.sandbox.abilities import Abilities
from fhir_adapters.sandbox.interaction import Answer, Interaction
from fhir_adapters.sandbox.repository import Repository

Json = dict[str, Any]


def run(repository: Repository, asked: Interaction) -> Answer:
    """Process a Bundle."""
    body, abilities = asked.resource, repository.abilities
    if not isinstance(body, dict) or body.get("resourceType") != "Bundle":
        raise Refused(400, "invalid", "a Bundle is expected at the base of the server")
    kind = body.get("type")
    if kind not in ("batch", "transaction") or not (abilities.batches if kind == "batch" else abilities.transactions):
        raise Refused(422, "not-supported", "this type of Bundle is not processed here")
    _require_sound(body, abilities)
    entries = [_as_interaction(entry, asked) for entry in body.get("entry", ())]
    _require_few(entries, abilities)
    if kind == "batch":
        done = [(entry, _alone(repository, entry)) for entry in entries]
    else:
        full_urls = [str(entry.get("fullUrl", "")) for entry in body.get("entry", ())]
        done = transaction.run(repository, entries, full_urls, atomic=not abilities.transactions_as_batch)
    return response(f"{kind}-response", [_entry(*pair) for pair in done])


def _require_sound(body: Json, abilities: Abilities) -> None:
    listed = body.get("entry", [])
    if not isinstance(listed, list) or not all(
        isinstance(e, dict) and isinstance(e.get("request"), dict) for e in listed
    ):
        raise Refused(400, "structure", "each entry has a request")
    dropped = {"same-target-twice"} if abilities.merges_twins else set()
    problems = [p for p in bundle_problems(body, "Bundle") if p.severity == "error" and p.rule not in dropped]
    if abilities.validates and problems:
        raise against_the_rules(400, problems)


def _require_few(entries: list[Interaction], abilities: Abilities) -> None:
    conditional = [e for e in entries if e.if_none_exist is not None or (e.query and e.method != "GET")]
    limits = ((entries, abilities.max_entries), (conditional, abilities.max_conditional_entries))
    for found, limit in limits:
        if limit is not None and len(found) > limit:
            raise Refused(abilities.too_many_entries, "too-costly", f"at most {limit} such entries in a Bundle here")


def _as_interaction(entry: Json, around: Interaction) -> Interaction:
    """An entry as the request that it stands for."""
    request = {name: str(value) for name, value in entry["request"].items()}
    path, _, query = request.get("url", "").partition("?")
    return Interaction(
        method=request.get("method", ""),
        path=tuple(part for part in path.split("/") if part),
        query=parse_qsl(query),
        resource=entry.get("resource"),
        if_match=request.get("ifMatch"),
        if_none_match=request.get("ifNoneMatch"),
        if_none_exist=request.get("ifNoneExist"),
        prefer=around.prefer,
        scopes=around.scopes,
    )


def _alone(repository: Repository, asked: Interaction) -> Answer:
    """One entry, whose failure is its own."""
    try:
        return routes.perform(repository, asked)
    except Refused as refused:
        return Answer(refused.status, refused.outcome)


def _entry(asked: Interaction, answer: Answer) -> Json:
    """An entry of the response, with as much as ``Prefer`` asks for."""
    told: Json = {"status": f"{answer.status} {HTTPStatus(answer.status).phrase}"}
    if version := answer.version:
        told |= {"etag": version.etag, "lastModified": version.updated}
        told |= {"location": f"{version.path}/_history/{version.version_id}"} if version.resource else {}
    if answer.status >= 400:
        return {"response": told | {"outcome": answer.resource}}
    if asked.is_write and "return=OperationOutcome" in asked.prefer:
        told["outcome"] = operation_outcome({"severity": "information", "code": "informational"})
    shown = answer.resource and (not asked.is_write or "return=representation" in asked.prefer)
    return {"resource": answer.resource, "response": told} if shown else {"response": told}


def response(kind: str, entries: list[Json]) -> Answer:
    """The Bundle of an answer."""
    return Answer(200, {"resourceType": "Bundle", "type": kind} | ({"entry": entries} if entries else {}))
