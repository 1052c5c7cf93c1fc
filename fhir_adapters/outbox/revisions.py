"""Writes contents: one row a revision of a prediction, and one a target, in the transaction of the caller."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from fhir_adapters.outbox.contents import Content
from fhir_adapters.outbox.schema import dead_letter, outbox, prediction
from fhir_adapters.outbox.states import WAITING, Kind, State


@dataclass(frozen=True, slots=True)
class Revision:
    """One content of a prediction, ready to be written."""

    key: str  # of the outbox
    prediction_id: str
    revision: int
    kind: Kind
    model: str
    model_version: str
    model_device: str
    person_id: int | None
    visit_occurrence_id: int | None
    said: str | None  # the Prediction as JSON
    content_sha256: str  # of what the model said
    content: Content
    payload_sha256: str  # of the resource
    not_after: datetime | None
    problems: Sequence[str] = ()  # broken rules: kept as a dead letter, never sent


def write(connection: Connection, revisions: Sequence[Revision], targets: Sequence[str], now: datetime) -> int:
    """Write the revisions and an item of each for every target.

    Returns: how many older items will not be sent, because a newer content takes their place.
    """
    if not revisions:
        return 0
    pairs = list(zip(keep(connection, revisions, now), revisions, strict=True))
    superseded = sum(_supersede(connection, target, revisions, now) for target in targets)
    for target in targets:
        send(connection, target, pairs, now)
    return superseded


def keep(connection: Connection, revisions: Sequence[Revision], now: datetime) -> Sequence[int]:
    """Write the revisions; their ids, in the same order."""
    inserted = insert(prediction).returning(prediction.c.id, sort_by_parameter_order=True)
    return connection.execute(inserted, [_row(one, now) for one in revisions]).scalars().all()


def send(connection: Connection, target: str, pairs: Sequence[tuple[int, Revision]], now: datetime) -> None:
    """Add an item a revision for one target."""
    rows = [_item(target, id_, one, now) for id_, one in pairs]
    inserted = insert(outbox).returning(outbox.c.id, sort_by_parameter_order=True)
    ids = connection.execute(inserted, rows).scalars().all()
    letters = [
        {"outbox_id": id_, "reason": "rules", "operation_outcome": "\n".join(one.problems), "created_at": now}
        for id_, (_, one) in zip(ids, pairs, strict=True)
        if one.problems
    ]
    if letters:
        connection.execute(insert(dead_letter), letters)


def latest(connection: Connection, prediction_ids: Sequence[str]) -> dict[str, Row]:
    """The last revision of each prediction, without its payload."""
    p = prediction.c
    last = select(p.prediction_id, func.max(p.revision).label("revision")).where(p.prediction_id.in_(prediction_ids))
    newest = last.group_by(p.prediction_id).subquery()
    columns = [c for c in p if c.name not in ("payload", "content")]
    rows = select(*columns).join(
        newest, (p.prediction_id == newest.c.prediction_id) & (p.revision == newest.c.revision)
    )
    return {row.prediction_id: row for row in connection.execute(rows)}


def _supersede(connection: Connection, target: str, revisions: Sequence[Revision], now: datetime) -> int:
    keys = [one.key for one in revisions if not one.problems]
    waiting = (outbox.c.target == target) & outbox.c.key.in_(keys) & outbox.c.state.in_(WAITING)
    replaced = update(outbox).where(waiting).values(
        state=State.SUPERSEDED, reason="a newer content arrived before this one was sent", settled_at=now
    )  # fmt: skip
    return connection.execute(replaced).rowcount


def _row(one: Revision, now: datetime) -> dict[str, Any]:
    return {
        "prediction_id": one.prediction_id, "revision": one.revision, "kind": one.kind, "model": one.model,
        "model_version": one.model_version, "model_device": one.model_device, "person_id": one.person_id,
        "visit_occurrence_id": one.visit_occurrence_id, "content": one.said, "content_sha256": one.content_sha256,
        "resource_type": one.content.resource["resourceType"], "resource_id": one.content.resource["id"],
        "payload": one.content.payload, "payload_sha256": one.payload_sha256, "not_after": one.not_after,
        "created_at": now,
    }  # fmt: skip


def _item(target: str, id_: int, one: Revision, now: datetime) -> dict[str, Any]:
    return {
        "target": target, "key": one.key, "seq": one.revision, "kind": one.kind, "prediction": id_,
        "payload_sha256": one.payload_sha256, "model_device": one.model_device, "not_after": one.not_after,
        "state": State.DEAD if one.problems else State.PENDING, "reason": "rules" if one.problems else None,
        "attempts": 0, "fence": 0, "next_at": now, "created_at": now,
    }  # fmt: skip
