"""Writes one prediction as one transaction, and reads the answer entry by entry."""

from typing import Any

from fhir_adapters.bundle import path_of, transaction
from fhir_adapters.delivery.answers import Answer, classify, worst
from fhir_adapters.delivery.parcel import Parcel
from fhir_adapters.delivery.result import Result
from fhir_adapters.delivery.target import Target, id_in_location, version_of
from fhir_adapters.delivery.verify import refusal
from fhir_adapters.exact_json import dumps

Json = dict[str, Any]


def write(target: Target, parcel: Parcel) -> Result:
    """Send Device (unless the target has it), the resource, and its Provenance, all or nothing."""
    resources = [parcel.subject]
    if parcel.device_id is None:
        resources.insert(0, parcel.device)
    if parcel.profile.provenance:
        resources.append(parcel.provenance)
    match = {path_of(parcel.subject): parcel.version_id} if parcel.version_id else {}
    bundle = transaction(target.base_url, resources, if_match=match)
    reply = target.send("POST", "", bundle, {"X-Request-Id": f"outbox-{parcel.item.id}-{parcel.item.attempts}"})
    if not 200 <= reply.status < 300:
        return refusal(reply, if_match=bool(match))
    return _entries(reply.status, reply.body, parcel, resources)


def _entries(status: int, body: Json, parcel: Parcel, resources: list[Json]) -> Result:
    entries = body.get("entry")
    if not isinstance(entries, list) or len(entries) != len(resources):
        # 200 proves nothing: a server was seen to answer one entry for two requests and lose the second.
        return Result(Answer.DOUBT, status, why="the answer has not one entry for each request")
    responses = [e.get("response", {}) if isinstance(e, dict) else {} for e in entries]
    statuses = [_status(r) for r in responses]
    has_match = parcel.version_id is not None
    answers = [Answer.DOUBT if s is None else classify(s, if_match=has_match) for s in statuses]
    subject = resources.index(parcel.subject)
    decisive = answers.index(worst(answers))
    outcome = responses[decisive].get("outcome")
    return Result(
        answers[decisive],
        http_status=status,
        entry_status=statuses[decisive],
        server_id=parcel.subject["id"],
        version_id=_version(responses[subject]),
        outcome=dumps(outcome) if outcome else None,
        why="" if answers[decisive] is Answer.ACK else f"HTTP {statuses[decisive]} in an entry",
        device_id=parcel.device["id"] if set(answers) == {Answer.ACK} else None,
    )


def _status(response: Json) -> int | None:
    """``201 Created`` → 201."""
    text = str(response.get("status", ""))[:3]
    return int(text) if text.isdigit() else None


def _version(response: Json) -> str | None:
    version = version_of(response.get("etag"))
    location = str(response.get("location", ""))
    if version is None and "/_history/" in location:
        return id_in_location(location.partition("/_history/")[2])
    return version
