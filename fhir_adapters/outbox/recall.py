"""Recall: every output of a model version is withdrawn, here and at every target that shows it or may show it."""

import getpass
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, insert, select, update

from fhir_adapters.device import organization
from fhir_adapters.exact_json import sha256
from fhir_adapters.fingerprint import with_fingerprint
from fhir_adapters.outbox import revisions
from fhir_adapters.outbox.contents import Content
from fhir_adapters.outbox.revisions import Revision
from fhir_adapters.outbox.schema import outbox, prediction, recall
from fhir_adapters.outbox.states import OPEN, WAITING, Kind, State
from fhir_adapters.provenance import provenance_of_people
from fhir_adapters.retraction import retracted
from fhir_adapters.site import Site

CHUNK = 200  # predictions in one query
CLOSED = (State.CANCELLED, State.SUPERSEDED, State.EXPIRED, State.DEAD)  # never sent, unless there was an attempt


@dataclass(slots=True)
class Recalled:
    """What a recall did to the outbox."""

    predictions: int = 0  # of the version
    retractions: int = 0  # items that will withdraw them: one a resource and target
    cancelled: int = 0  # items that waited and will not be sent


def recall_version(
    connection: Connection, model: str, version: str, reason: str, site: Site, now: datetime
) -> Recalled:
    """Withdraw what a model version said, and refuse what it still says. Again: adds only what is not yet withdrawn.

    Where a later version has written over a result, or is about to, that one stays.

    Args:
        reason: French, shown at the target in the place of the result; without the patient.
    """
    done = Recalled(cancelled=_cancel(connection, model, version, now))
    _remember(connection, model, version, reason, now)
    ids = sorted(connection.execute(select(prediction.c.prediction_id).where(_of(model, version)).distinct()).scalars())
    done.predictions = len(ids)
    for start in range(0, len(ids), CHUNK):
        live = _live(connection, ids[start : start + CHUNK], model, version)
        done.retractions += _retract(connection, live, reason, site, now)
    return done


def withdrawn(connection: Connection, model: str, version: str) -> list[Row]:
    """Target, key, state, type and id of every resource of a version that is withdrawn or about to be."""
    columns = (outbox.c.target, outbox.c.key, outbox.c.state, prediction.c.resource_type, prediction.c.resource_id)
    rows = select(*columns).join(prediction, prediction.c.id == outbox.c.prediction)
    mine = (prediction.c.model == model) & (prediction.c.model_version == version)
    return list(connection.execute(rows.where(mine & (outbox.c.kind == Kind.RETRACT)).order_by(outbox.c.id)))


def _of(model: str, version: str) -> ColumnElement[bool]:
    p = prediction.c
    return (p.model == model) & (p.model_version == version) & (p.kind != Kind.RETRACT)


def _cancel(connection: Connection, model: str, version: str, now: datetime) -> int:
    """What waits is not sent at all."""
    waiting = outbox.c.state.in_(WAITING) & outbox.c.prediction.in_(select(prediction.c.id).where(_of(model, version)))
    values = {"state": State.CANCELLED, "reason": "its model version was recalled", "settled_at": now}
    return connection.execute(update(outbox).where(waiting).values(values)).rowcount


def _remember(connection: Connection, model: str, version: str, reason: str, now: datetime) -> None:
    mine = (recall.c.model == model) & (recall.c.model_version == version)
    if connection.execute(select(recall.c.id).where(mine)).first() is None:
        values = {"model": model, "model_version": version, "reason": reason, "created_at": now}
        connection.execute(insert(recall).values(values | {"requested_by": getpass.getuser()}))


def _live(connection: Connection, ids: Sequence[str], model: str, version: str) -> dict[int, list[str]]:
    """Row of the content → targets that show it, or may; none where only those who read here can have seen it."""
    found = _shown(connection, ids, model, version)
    p = prediction.c
    columns = (p.id, p.prediction_id, p.resource_type, p.resource_id, p.kind, p.model, p.model_version)
    resources: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in connection.execute(select(*columns).where(p.prediction_id.in_(ids)).order_by(p.id)):
        resources[row.resource_type, row.resource_id].append(row)
    for rows in resources.values():
        newest = rows[-1]
        is_ours = (newest.model, newest.model_version) == (model, version) and newest.kind != Kind.RETRACT
        if is_ours and not any(row.id in found for row in rows):
            found[newest.id] = []
    return found


def _shown(connection: Connection, ids: Sequence[str], model: str, version: str) -> dict[int, list[str]]:
    """Row of the content → targets that show it, or may."""
    columns = (outbox.c.target, outbox.c.seq, outbox.c.state, outbox.c.attempts, outbox.c.kind, outbox.c.prediction)
    of = (prediction.c.resource_type, prediction.c.resource_id, prediction.c.model, prediction.c.model_version)
    rows = select(*columns, *of).join(prediction, prediction.c.id == outbox.c.prediction)
    histories: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in connection.execute(rows.where(prediction.c.prediction_id.in_(ids)).order_by(outbox.c.seq)):
        histories[row.target, row.resource_type, row.resource_id].append(row)
    found: dict[int, list[str]] = defaultdict(list)
    for (target, _, _), history in histories.items():
        last = _last_shown(history)
        if last is not None and (last.model, last.model_version) == (model, version):
            found[last.prediction].append(target)
    return found


def _last_shown(history: Sequence[Row]) -> Row | None:
    """The content of a resource that a target shows, unless it is withdrawn or about to be written over."""
    reached = [row for row in history if row.state not in CLOSED or row.attempts]
    if not reached or reached[-1].kind == Kind.RETRACT:
        return None
    later = [row for row in history if row.seq > reached[-1].seq]
    replaced = any(row.state in OPEN or row.kind == Kind.RETRACT for row in later)
    return None if replaced else reached[-1]


def _retract(connection: Connection, live: dict[int, list[str]], reason: str, site: Site, now: datetime) -> int:
    rows = list(connection.execute(select(prediction).where(prediction.c.id.in_(live)).order_by(prediction.c.id)))
    newest = revisions.latest(connection, [row.prediction_id for row in rows])
    number = {id_: row.revision for id_, row in newest.items()}
    ones = []
    for row in rows:  # of a document there may be several: the contents of one prediction are resources of their own
        number[row.prediction_id] += 1
        key = row.prediction_id if row.id == newest[row.prediction_id].id else row.resource_id
        ones.append(_retraction(row, key, reason, number[row.prediction_id], site, now))
    by_target: dict[str, list[tuple[int, Revision]]] = defaultdict(list)
    for row, id_, one in zip(rows, revisions.keep(connection, ones, now) if ones else (), ones, strict=True):
        for target in live[row.id]:
            by_target[target].append((id_, one))
    for target, pairs in by_target.items():
        revisions.send(connection, target, pairs, now)
    return sum(map(len, by_target.values()))


def _retraction(row: Row, key: str, reason: str, revision: int, site: Site, now: datetime) -> Revision:
    content = Content.read(row.payload)
    resource = retracted(content.resource, reason)
    fingerprint = sha256(resource)
    with_fingerprint(resource, fingerprint, site)
    about = provenance_of_people(
        row.prediction_id, resource, device_reference(content), site, agent=organization(site), operation="NULLIFY",
        why=reason, content_sha256=fingerprint, recorded=now, revision=revision,
    )  # fmt: skip
    return Revision(
        key=key, prediction_id=row.prediction_id, revision=revision, kind=Kind.RETRACT, model=row.model,
        model_version=row.model_version, model_device=row.model_device, person_id=row.person_id,
        visit_occurrence_id=row.visit_occurrence_id, said=None, content_sha256=row.content_sha256,
        content=Content(resource, content.supports, about), payload_sha256=fingerprint, not_after=None,
    )  # fmt: skip


def device_reference(content: Content) -> dict[str, str]:
    """Literal reference to the Device of a content."""
    device = content.supports[0]
    return {"reference": f"Device/{device['id']}", "type": "Device", "display": device["deviceName"][0]["name"]}


def remember_proof(connection: Connection, model: str, version: str, proof: dict[str, Any], now: datetime) -> None:
    """Keep what the targets were seen to hold; the time only when nothing of the version is live anywhere."""
    mine = (recall.c.model == model) & (recall.c.model_version == version)
    proved = {"proved_at": now} if all(one["ok"] for one in proof.values()) else {}
    connection.execute(update(recall).where(mine).values({"proof": json.dumps(proof)} | proved))


def recalls(connection: Connection) -> list[Row]:
    """Every recall, oldest first."""
    return list(connection.execute(select(recall).order_by(recall.c.id)))
