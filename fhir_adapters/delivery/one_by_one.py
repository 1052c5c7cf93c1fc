"""Writes the resources of one prediction in sequence, for targets without transactions or without our ids.

Each step looks first when it may have been done before, so that a sequence cut in the middle is completed
and not repeated.
"""

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from fhir_adapters.delivery.answers import Answer
from fhir_adapters.delivery.parcel import Parcel, search_token
from fhir_adapters.delivery.result import Result
from fhir_adapters.delivery.target import Reply, Target
from fhir_adapters.delivery.verify import Found, find_subject, has_device, has_provenance, refusal

Json = dict[str, Any]


def write(target: Target, parcel: Parcel) -> Result:
    """Device, then the resource that names it, then the Provenance that names both."""
    device = _device(target, parcel)
    if device.answer is not Answer.ACK or device.server_id is None:
        return device
    named = replace(_with_device(parcel, device.server_id), device_id=device.server_id)
    subject = _subject(target, named)
    if subject.answer is Answer.ACK and subject.server_id is not None:
        done = complete(target, named, subject.server_id)
        subject = subject if done.answer is Answer.ACK else done
    return replace(subject, device_id=device.server_id)


def complete(target: Target, parcel: Parcel, subject_id: str) -> Result:
    """Write the Provenance where it is missing; ACK when nothing is."""
    if not parcel.profile.provenance:
        return Result(Answer.ACK)
    there = has_provenance(target, parcel, subject_id)
    if isinstance(there, Result):
        return there
    if there:
        return Result(Answer.ACK)
    device = _device(target, parcel)
    if device.answer is not Answer.ACK or device.server_id is None:
        return device
    named = _with_device(parcel, device.server_id)
    about = named.provenance | {"target": [{"reference": f"DetectedIssue/{subject_id}", "type": "DetectedIssue"}]}
    if parcel.profile.client_ids:
        return _result(target.send("PUT", f"Provenance/{about['id']}", about))
    about.pop("id")
    condition = urlencode({"target": f"DetectedIssue/{subject_id}", "recorded": about["recorded"]})
    return _result(target.send("POST", "Provenance", about, {"If-None-Exist": condition}))


def _device(target: Target, parcel: Parcel) -> Result:
    if parcel.device_id is not None:
        return Result(Answer.ACK, server_id=parcel.device_id)
    if parcel.profile.client_ids:
        there = has_device(target, parcel)
        if isinstance(there, Result):
            return there
        if there:
            return Result(Answer.ACK, server_id=parcel.device["id"])
        return _result(target.send("PUT", f"Device/{parcel.device['id']}", parcel.device), parcel.device["id"])
    return _create(target, parcel.device)


def _subject(target: Target, parcel: Parcel) -> Result:
    if parcel.item.attempts > 1:
        found = find_subject(target, parcel)
        if isinstance(found, Result):
            return found
        if found.resource is not None and parcel.holds_our_content(found.resource):
            return Result(Answer.ACK, server_id=found.server_id, version_id=found.version_id)
    if parcel.subject_id is None:
        return _create_subject(target, parcel)
    headers = {"If-Match": f'W/"{parcel.version_id}"'} if parcel.version_id else {}
    body = parcel.subject | {"id": parcel.subject_id}
    reply = target.send("PUT", f"DetectedIssue/{parcel.subject_id}", body, headers)
    return _result(reply, parcel.subject_id, if_match=bool(headers))


def _create_subject(target: Target, parcel: Parcel) -> Result:
    created = _create(target, parcel.subject)
    if created.answer is not Answer.ACK or created.http_status == 201:
        return created
    found: Found | Result = find_subject(target, parcel)  # 200: it was there already, with which content?
    if isinstance(found, Result):
        return found
    if found.resource is not None and parcel.holds_our_content(found.resource):
        return replace(created, server_id=found.server_id, version_id=found.version_id)
    return Result(Answer.STALE, 200, server_id=found.server_id, version_id=found.version_id)


def _create(target: Target, resource: Json) -> Result:
    """Create unless a resource with the same identifier is there."""
    condition = urlencode({"identifier": search_token(resource["identifier"][0])})
    body = {name: value for name, value in resource.items() if name != "id"}
    reply = target.send("POST", resource["resourceType"], body, {"If-None-Exist": condition})
    result = _result(reply, reply.location_id or reply.body.get("id"))
    if result.answer is Answer.ACK and result.server_id is None:
        return replace(result, answer=Answer.DOUBT, why="the target does not say which id it gave")
    return result


def _with_device(parcel: Parcel, device_id: str) -> Parcel:
    reference = f"Device/{device_id}"
    subject = parcel.subject | {"author": parcel.subject["author"] | {"reference": reference}}
    agents = [a | {"who": a["who"] | {"reference": reference}} for a in parcel.provenance["agent"]]
    return replace(parcel, subject=subject, provenance=parcel.provenance | {"agent": agents})


def _result(reply: Reply, server_id: str | None = None, *, if_match: bool = False) -> Result:
    if not 200 <= reply.status < 300:
        return refusal(reply, if_match=if_match)
    return Result(Answer.ACK, reply.status, server_id=server_id, version_id=reply.version_id)
