"""Reads a target back: whether it holds what it acknowledged, and what it holds beside that."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from fhir_adapters.delivery.parcel import SUPERSEDED
from fhir_adapters.delivery.target import Target, busy
from fhir_adapters.fingerprint import fingerprint_of
from fhir_adapters.outbox import KeyState, Kind, State
from fhir_adapters.outbox.schema import key_state, outbox, prediction
from fhir_adapters.people import WITHDRAWN

Json = dict[str, Any]
AT_ONCE = 50  # resources in one search: their ids make its URL


@dataclass(frozen=True, slots=True)
class Held:
    """What a target acknowledged to hold under a key."""

    item_id: int  # of the outbox
    key: str
    prediction_id: str
    kind: Kind
    resource_type: str  # as predicted; a lesser target may hold another
    known: KeyState


@dataclass(slots=True)
class ReadBack:
    """What reading back found; keys and ids, no patient."""

    target: str
    checked: int = 0
    same: int = 0
    judged: int = 0  # same content, and a person changed its status or added to it
    missing: list[str] = field(default_factory=list)  # keys that the target no longer has
    drifted: list[str] = field(default_factory=list)  # keys of which it holds another content
    not_withdrawn: list[str] = field(default_factory=list)  # recalled, and shown as live
    doubled: list[str] = field(default_factory=list)  # documents that a newer one replaced and that are still current
    extra: list[str] = field(
        default_factory=list
    )  # resources with an identifier of ours that we never had acknowledged
    repaired: int = 0

    @property
    def ok(self) -> bool:
        """The target holds what it should, and nothing else of ours."""
        return not (self.missing or self.drifted or self.not_withdrawn or self.doubled or self.extra)

    def as_json(self) -> Json:
        """The same for machines."""
        return asdict(self) | {"ok": self.ok}


def held(connection: Connection, target: str) -> list[Held]:
    """What the target acknowledged last, of every key."""
    p, k = prediction.c, key_state.c
    columns = (outbox.c.id, outbox.c.key, outbox.c.kind, p.prediction_id, p.resource_type, k.server_id, k.version_id,
               k.last_acked_seq, k.last_hash)  # fmt: skip
    same = (k.target == outbox.c.target) & (k.key == outbox.c.key) & (k.last_acked_seq == outbox.c.seq)
    rows = select(*columns).join(prediction, p.id == outbox.c.prediction).join(key_state, same)
    acked = rows.where(outbox.c.target == target, outbox.c.state == State.ACKED).order_by(outbox.c.id)
    return [
        Held(row.id, row.key, row.prediction_id, Kind(row.kind), row.resource_type,
             KeyState(row.server_id, row.version_id, row.last_acked_seq, row.last_hash))
        for row in connection.execute(acked)
    ]  # fmt: skip


def read_back(target: Target, name: str, rows: Sequence[Held], forms: dict[str, str]) -> ReadBack:
    """Read every resource that was acknowledged.

    Args:
        forms: the type in which the target holds results of a type (``RiskAssessment`` as ``DocumentReference``).
    Raises:
        TargetBusy: the target does not answer.
    """
    report = ReadBack(name)
    for kind in sorted({forms.get(row.resource_type, row.resource_type) for row in rows}):
        mine = [row for row in rows if forms.get(row.resource_type, row.resource_type) == kind]
        for start in range(0, len(mine), AT_ONCE):
            some = mine[start : start + AT_ONCE]
            theirs = _by_id(target, kind, [row.known.server_id for row in some])
            for row in some:
                _compare(report, row, theirs.get(row.known.server_id))
    return report


def _compare(report: ReadBack, row: Held, theirs: Json | None) -> None:
    report.checked += 1
    fingerprint = fingerprint_of(theirs or {}) or {}
    if theirs is None:
        report.missing.append(row.key)
    elif row.kind is Kind.RETRACT and theirs.get("status") != WITHDRAWN:
        report.not_withdrawn.append(row.key)
    elif fingerprint.get("value") != row.known.last_hash or theirs.get("status") == SUPERSEDED:
        report.drifted.append(row.key)
    elif row.known.version_id is not None and theirs.get("meta", {}).get("versionId") != row.known.version_id:
        report.judged += 1
    else:
        report.same += 1


def _by_id(target: Target, kind: str, ids: Iterable[str]) -> dict[str, Json]:
    """Resources by id; one by one where the target does not search by id."""
    wanted = list(ids)
    reply = target.get(kind, {"_id": ",".join(wanted), "_count": str(len(wanted))})
    if reply.status == 200 and reply.body.get("type") == "searchset":
        found = {str(resource.get("id")): resource for resource in reply.resources}
        lacking = [id_ for id_ in wanted if id_ not in found]
        return found | {id_: body for id_ in lacking if (body := _read(target, kind, id_)) is not None}
    return {id_: body for id_ in wanted if (body := _read(target, kind, id_)) is not None}


def _read(target: Target, kind: str, id_: str) -> Json | None:
    reply = target.get(f"{kind}/{id_}")
    if reply.status in (404, 410):
        return None
    if reply.status != 200:
        raise busy(target.base_url, reply)
    return reply.body
