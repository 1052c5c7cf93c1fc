"""Writes the resources of one prediction in sequence, for targets without transactions or without our ids.

Each step looks first when it may have been done before, so that a sequence cut in the middle is completed
and not repeated.
"""

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from fhir_adapters.bundle import path_of
from fhir_adapters.delivery.answers import Answer
from fhir_adapters.delivery.parcel import Parcel
from fhir_adapters.delivery.replaced import closed, read_older, with_replaces
from fhir_adapters.delivery.result import Result, half_done
from fhir_adapters.delivery.search import token
from fhir_adapters.delivery.target import NotSent, Reply, Target
from fhir_adapters.delivery.verify import Found, find_resource, has_provenance, is_there, refusal

Json = dict[str, Any]


def write(target: Target, parcel: Parcel) -> Result:
    """What the resource refers to, then the resource, then the Provenance that names them."""
    ready = _with_supports(target, parcel)
    if isinstance(ready, Result):
        return ready
    written = _resource(target, ready)
    if written.answer is Answer.ACK and written.server_id is not None:
        try:
            done = complete(target, ready, written.server_id)
        except NotSent as error:
            done = Result(Answer.UNSENT, why=f"no connection: {error}")
        written = written if done.answer is Answer.ACK else half_done(done)
    return replace(written, support_ids=ready.support_ids)


def complete(target: Target, parcel: Parcel, resource_id: str) -> Result:
    """Close the document that was replaced, and write the Provenance, where that is missing; ACK when nothing is."""
    if parcel.replaces is not None and parcel.replaces != resource_id:
        done = _close_older(target, parcel.replaces)
        if done.answer is not Answer.ACK:
            return done
    if not parcel.profile.provenance:
        return Result(Answer.ACK)
    there = has_provenance(target, parcel, resource_id)
    if isinstance(there, Result):
        return there
    return Result(Answer.ACK) if there else _provenance(target, parcel, resource_id)


def _close_older(target: Target, id_: str) -> Result:
    older = read_older(target, id_)
    if older is None:
        return Result(Answer.ACK)
    if isinstance(older, Result):
        return older
    headers = {"If-Match": f'W/"{older.version_id}"'} if older.version_id else {}
    return _result(target.send("PUT", f"DocumentReference/{id_}", closed(older), headers), if_match=bool(headers))


def _provenance(target: Target, parcel: Parcel, resource_id: str) -> Result:
    ready = _with_supports(target, parcel)
    if isinstance(ready, Result):
        return ready
    reference = f"{parcel.kind}/{resource_id}"
    about = ready.provenance | {"target": [{"reference": reference, "type": parcel.kind}]}
    if parcel.profile.client_ids:
        return _result(target.send("PUT", path_of(about), about))
    about.pop("id")
    condition = urlencode({"target": reference, "recorded": about["recorded"]})
    headers = {"If-None-Exist": condition} if parcel.profile.create == "if_none_exist" else {}
    return _result(target.send("POST", "Provenance", about, headers))


def _with_supports(target: Target, parcel: Parcel) -> Parcel | Result:
    """The parcel, once the target has the Device and the Group that it refers to."""
    ids = dict(parcel.support_ids)
    for support in parcel.missing_supports:
        made = _support(target, parcel, support)
        if made.answer is not Answer.ACK or made.server_id is None:
            return made
        ids[path_of(support)] = made.server_id
    return parcel.with_supports(ids)


def _support(target: Target, parcel: Parcel, support: Json) -> Result:
    if not parcel.profile.client_ids:
        return _create(target, parcel, support, support["identifier"][0])
    there = is_there(target, support)
    if isinstance(there, Result):
        return there
    if there:
        return Result(Answer.ACK, server_id=support["id"])
    return _result(target.send("PUT", path_of(support), support), support["id"])


def _resource(target: Target, parcel: Parcel) -> Result:
    if parcel.item.attempts > 1:
        found = find_resource(target, parcel)
        if isinstance(found, Result):
            return found
        if found.resource is not None and parcel.holds_our_content(found.resource):
            return Result(Answer.ACK, server_id=found.server_id, version_id=found.version_id)
    if parcel.resource_id is None:
        return _first(target, parcel)
    return _put(target, parcel, parcel.resource_id, parcel.version_id)


def _put(target: Target, parcel: Parcel, id_: str, version_id: str | None) -> Result:
    headers = {"If-Match": f'W/"{version_id}"'} if version_id else {}
    reply = target.send("PUT", f"{parcel.kind}/{id_}", with_replaces(parcel) | {"id": id_}, headers)
    return _result(reply, id_, if_match=bool(headers))


def _first(target: Target, parcel: Parcel) -> Result:
    """The first version of a resource whose id the target chooses."""
    created = _create(target, parcel, with_replaces(parcel), parcel.identifier)
    if created.answer is not Answer.ACK or created.http_status == 201:
        return created
    found: Found | Result = find_resource(target, parcel)  # 200: it was there already, with which content?
    if isinstance(found, Result):
        return found
    if found.resource is not None and parcel.holds_our_content(found.resource):
        return replace(created, server_id=found.server_id, version_id=found.version_id)
    if parcel.replaces is not None and found.server_id is not None:
        return _put(target, parcel, found.server_id, found.version_id)  # an earlier reading that holds again
    return Result(Answer.STALE, 200, server_id=found.server_id, version_id=found.version_id)


def _create(target: Target, parcel: Parcel, resource: Json, identifier: Json) -> Result:
    """Create unless a resource with the same identifier is there, by whichever means the target has."""
    search = {"identifier": token(identifier)}
    body = {name: value for name, value in resource.items() if name != "id"}
    kind = resource["resourceType"]
    if parcel.profile.create == "conditional_update":
        reply = target.send("PUT", f"{kind}?{urlencode(search)}", body)
    elif parcel.profile.create == "if_none_exist":
        reply = target.send("POST", kind, body, {"If-None-Exist": urlencode(search)})
    else:
        reply = target.get(kind, search | {"_count": "3"})
        if reply.status != 200:
            return refusal(reply)
        if reply.resources:
            return _there(reply)
        reply = target.send("POST", kind, body)
    result = _result(reply, reply.location_id or reply.body.get("id"))
    if result.answer is Answer.ACK and result.server_id is None:
        return replace(result, answer=Answer.DOUBT, why="the target does not say which id it gave")
    return result


def _there(reply: Reply) -> Result:
    """What a search found, as a conditional create would tell it."""
    if len(reply.resources) > 1:
        return Result(Answer.SEVERAL, 200, why="the target has several resources for one prediction")
    return Result(Answer.ACK, 200, server_id=str(reply.resources[0].get("id")))


def _result(reply: Reply, server_id: str | None = None, *, if_match: bool = False) -> Result:
    if not 200 <= reply.status < 300:
        return refusal(reply, if_match=if_match)
    return Result(Answer.ACK, reply.status, server_id=server_id, version_id=reply.version_id)
