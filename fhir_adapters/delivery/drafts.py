"""Several predictions in one Bundle: who owns which entry, and what the answer says about each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from fhir_adapters.bundle import bundle, path_of
from fhir_adapters.delivery.answers import Answer, classify, decisive
from fhir_adapters.delivery.parcel import Parcel
from fhir_adapters.delivery.result import Result, half_done
from fhir_adapters.delivery.target import Lost, NotSent, Reply, Target, id_in_location, version_of
from fhir_adapters.exact_json import dumps

Json = dict[str, Any]
Results = dict[int, Result]  # by position of the parcel


@dataclass(slots=True)
class Draft:
    """The resources of one Bundle, and whose each is."""

    kind: Literal["transaction", "batch"]
    resources: list[Json] = field(default_factory=list)
    owners: list[list[int]] = field(default_factory=list)  # positions of the parcels, by resource
    if_match: dict[str, str] = field(default_factory=dict)
    _places: dict[str, int] = field(default_factory=dict)

    def add(self, resource: Json, owner: int, version: str | None = None) -> None:
        """One entry; a Device that several parcels need is written once."""
        path = path_of(resource)
        if path in self._places:
            self.owners[self._places[path]].append(owner)
            return
        self._places[path] = len(self.resources)
        self.resources.append(resource)
        self.owners.append([owner])
        if version:
            self.if_match[path] = version

    @property
    def senders(self) -> list[int]:
        """Positions of the parcels that have an entry."""
        return sorted({owner for owners in self.owners for owner in owners})


def exchange(target: Target, parcels: Sequence[Parcel], draft: Draft) -> Results | Reply:
    """Send a draft; a result for each parcel in it, or the reply when the target refuses the Bundle as a whole."""
    content = bundle(target.base_url, draft.resources, draft.kind, draft.if_match)
    first = parcels[draft.senders[0]].item
    try:
        reply = target.send("POST", "", content, {"X-Request-Id": f"outbox-{first.id}-{first.attempts}"})
    except NotSent as error:
        return dict.fromkeys(draft.senders, Result(Answer.UNSENT, why=f"no connection: {error}"))
    except Lost as error:
        return dict.fromkeys(draft.senders, Result(Answer.DOUBT, why=f"no answer: {error}"))
    return _entries(reply, parcels, draft) if 200 <= reply.status < 300 else reply


def _entries(reply: Reply, parcels: Sequence[Parcel], draft: Draft) -> Results:
    entries = reply.body.get("entry")
    if not isinstance(entries, list) or len(entries) != len(draft.resources):
        # 200 proves nothing: a server was seen to answer one entry for two requests and lose the second.
        doubt = Result(Answer.DOUBT, reply.status, why="the answer has not one entry for each request")
        return dict.fromkeys(draft.senders, doubt)
    responses = [e.get("response", {}) if isinstance(e, dict) else {} for e in entries]
    mine: dict[int, list[int]] = {owner: [] for owner in draft.senders}
    for index, owners in enumerate(draft.owners):
        for owner in owners:
            mine[owner].append(index)
    return {owner: _result(reply.status, parcels[owner], draft, responses, found) for owner, found in mine.items()}


def _result(status: int, parcel: Parcel, draft: Draft, responses: list[Json], mine: list[int]) -> Result:
    statuses = {index: _status(responses[index]) for index in mine}
    answers = {index: _answer(code, draft, index) for index, code in statuses.items()}
    decided = next(index for index in mine if answers[index] is decisive(answers.values()))
    outcome = responses[decided].get("outcome")
    acked = answers[decided] is Answer.ACK
    written = [index for index in mine if draft.resources[index]["id"] == parcel.resource["id"]]
    result = Result(
        answers[decided],
        http_status=status,
        entry_status=statuses[decided],
        server_id=parcel.resource["id"],
        version_id=_version(responses[written[0]]) if written else None,
        outcome=dumps(outcome) if outcome and not acked else None,
        why="" if acked else f"HTTP {statuses[decided]} in an entry",
        support_ids={path_of(s): s["id"] for s in parcel.missing_supports} if acked else {},
    )
    return half_done(result) if any(answers[index] is Answer.ACK for index in written) else result


def _answer(status: int | None, draft: Draft, index: int) -> Answer:
    return (
        Answer.DOUBT if status is None else classify(status, if_match=path_of(draft.resources[index]) in draft.if_match)
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
