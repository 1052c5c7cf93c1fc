"""Looks what a target holds, before anything is sent again."""

from dataclasses import dataclass
from typing import Any

from fhir_adapters.delivery.answers import Answer, classify, retry_after_s
from fhir_adapters.delivery.parcel import Parcel, search_token
from fhir_adapters.delivery.result import Result
from fhir_adapters.delivery.target import Reply, Target
from fhir_adapters.outbox.outbox import utc_now

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """The current resource of a key at a target; ``resource`` None when there is none."""

    resource: Json | None
    server_id: str | None = None
    version_id: str | None = None


def find_subject(target: Target, parcel: Parcel) -> Found | Result:
    """The current resource of the key, or why it cannot be told."""
    if parcel.subject_id is not None:
        reply = target.get(f"{parcel.subject['resourceType']}/{parcel.subject_id}")
        if reply.status == 404:
            return Found(None)
        if reply.status != 200:
            return refusal(reply)
        return Found(reply.body, parcel.subject_id, reply.version_id)
    return _search_subject(target, parcel)


def _search_subject(target: Target, parcel: Parcel) -> Found | Result:
    reply = target.get(
        parcel.subject["resourceType"], {"identifier": search_token(parcel.prediction_identifier), "_count": "3"}
    )
    if reply.status != 200:
        return refusal(reply)
    matches = _resources(reply)
    if len(matches) > 1:
        return Result(Answer.SEVERAL, reply.status, why="the target has several resources for one prediction")
    if not matches:
        return Found(None)
    version = matches[0].get("meta", {}).get("versionId")
    return Found(matches[0], matches[0].get("id"), version)


def has_provenance(target: Target, parcel: Parcel, subject_id: str) -> bool | Result:
    """Whether the Provenance of this content is there."""
    if parcel.profile.client_ids:
        reply = target.get(f"Provenance/{parcel.provenance['id']}")
        return reply.status == 200 if reply.status in (200, 404) else refusal(reply)
    recorded = parcel.provenance["recorded"]
    reply = target.get("Provenance", {"target": f"DetectedIssue/{subject_id}", "recorded": recorded})
    return bool(_resources(reply)) if reply.status == 200 else refusal(reply)


def has_device(target: Target, parcel: Parcel) -> bool | Result:
    """Whether the Device is there, at targets that take our ids."""
    reply = target.get(f"Device/{parcel.device['id']}")
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


def _resources(reply: Reply) -> list[Json]:
    entries = [e for e in reply.body.get("entry", ()) if isinstance(e, dict)]
    found = [e["resource"] for e in entries if isinstance(e.get("resource"), dict)]
    return [r for r in found if r.get("resourceType") != "OperationOutcome"]
