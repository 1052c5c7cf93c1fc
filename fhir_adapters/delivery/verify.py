"""Looks what a target holds, before anything is sent again."""

from dataclasses import dataclass
from typing import Any

from fhir_adapters.bundle import path_of
from fhir_adapters.delivery.answers import Answer, classify, retry_after_s
from fhir_adapters.delivery.parcel import Parcel
from fhir_adapters.delivery.result import Result
from fhir_adapters.delivery.search import token
from fhir_adapters.delivery.target import Reply, Target
from fhir_adapters.outbox.outbox import utc_now

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """The current resource of a key at a target; ``resource`` None when there is none."""

    resource: Json | None
    server_id: str | None = None
    version_id: str | None = None


def find_resource(target: Target, parcel: Parcel) -> Found | Result:
    """What the target holds of the resource, or why it cannot be told."""
    if parcel.resource_id is not None:
        reply = target.get(f"{parcel.kind}/{parcel.resource_id}")
        if reply.status == 404 or (reply.status == 410 and parcel.profile.recreate_deleted):
            return Found(None)
        if reply.status != 200:
            return refusal(reply)
        return Found(reply.body, parcel.resource_id, reply.version_id)
    return _search(target, parcel)


def _search(target: Target, parcel: Parcel) -> Found | Result:
    reply = target.get(parcel.kind, {"identifier": token(parcel.identifier), "_count": "3"})
    if reply.status != 200:
        return refusal(reply)
    matches = reply.resources
    if len(matches) > 1:
        return Result(Answer.SEVERAL, reply.status, why="the target has several resources for one prediction")
    if not matches:
        return Found(None)
    version = matches[0].get("meta", {}).get("versionId")
    return Found(matches[0], matches[0].get("id"), version)


def has_provenance(target: Target, parcel: Parcel, resource_id: str) -> bool | Result:
    """Whether the Provenance of this content is there."""
    if parcel.profile.client_ids:
        return is_there(target, parcel.provenance)
    recorded = parcel.provenance["recorded"]
    reply = target.get("Provenance", {"target": f"{parcel.kind}/{resource_id}", "recorded": recorded})
    return bool(reply.resources) if reply.status == 200 else refusal(reply)


def is_there(target: Target, resource: Json) -> bool | Result:
    """Whether a resource is there under the id that we gave it."""
    reply = target.get(path_of(resource))
    return reply.status == 200 if reply.status in (200, 404) else refusal(reply)


def refusal(reply: Reply, *, if_match: bool = False) -> Result:
    """The result of a reply that is not what was asked for."""
    answer = classify(reply.status, if_match=if_match)
    return Result(
        Answer.DOUBT if answer is Answer.ACK else answer,
        http_status=reply.status,
        outcome=reply.outcome,
        retry_after_s=retry_after_s(reply.headers.get("retry-after"), utc_now()),
        why=f"HTTP {reply.status}",
    )
