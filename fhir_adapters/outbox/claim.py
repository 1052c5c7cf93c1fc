"""Takes the next item: leases with a fence, one writer per key, nothing late."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, and_, exists, select, update

from fhir_adapters.exact_json import loads
from fhir_adapters.outbox.items import Item, Job, KeyState
from fhir_adapters.outbox.schema import key_state, outbox
from fhir_adapters.outbox.states import IN_FLIGHT, UNSETTLED, WAITING, State


@dataclass(frozen=True, slots=True)
class Claimer:
    """Who takes items, for which target, for how long."""

    owner: str
    target: str
    lease: timedelta


def recover(connection: Connection, target: str, now: datetime) -> int:
    """Items whose holder is gone: nobody knows whether they were sent. Returns how many."""
    lost = (outbox.c.target == target) & outbox.c.state.in_(IN_FLIGHT) & (outbox.c.lease_until < now)
    values = {"state": State.UNKNOWN, "next_at": now, "lease_owner": None, "reason": "its lease ran out"}
    return connection.execute(update(outbox).where(lost).values(values)).rowcount


def expire(connection: Connection, target: str, as_of: datetime, now: datetime) -> int:
    """Items that are no longer true at ``as_of``: never delivered late. Returns how many."""
    late = (outbox.c.target == target) & outbox.c.state.in_(WAITING) & (outbox.c.not_after < as_of)
    values = {"state": State.EXPIRED, "reason": "its validity ended before it was sent", "settled_at": now}
    return connection.execute(update(outbox).where(late).values(values)).rowcount


def claim(connection: Connection, claimer: Claimer, now: datetime) -> Item | None:
    """Lease the next item that is due: doubts first, then retries, then what is new."""
    for state in (State.UNKNOWN, State.RETRY, State.PENDING):
        row = _next(connection, claimer.target, state, now)
        if row is None:
            continue
        job = Job.VERIFY if state is State.UNKNOWN else Job.SEND
        until = now + claimer.lease
        values = {
            "state": State.VERIFY if job is Job.VERIFY else State.LEASED, "lease_owner": claimer.owner,
            "lease_until": until, "fence": row.fence + 1, "attempts": row.attempts + 1,
        }  # fmt: skip
        same = (outbox.c.id == row.id) & (outbox.c.fence == row.fence) & (outbox.c.state == state)
        if connection.execute(update(outbox).where(same).values(values)).rowcount == 1:
            return _item(connection, row, job, until)
    return None


def next_due(connection: Connection, target: str) -> datetime | None:
    """When the first item that has to wait is due; None when none waits."""
    waiting = (outbox.c.target == target) & outbox.c.state.in_((*WAITING, State.UNKNOWN))
    return connection.execute(
        select(outbox.c.next_at).where(waiting).order_by(outbox.c.next_at).limit(1)
    ).scalar_one_or_none()


def _next(connection: Connection, target: str, state: State, now: datetime) -> Row | None:
    older = outbox.alias("older")
    unsettled = exists().where(
        and_(older.c.target == outbox.c.target, older.c.key == outbox.c.key, older.c.seq < outbox.c.seq,
             older.c.state.in_(UNSETTLED))
    )  # fmt: skip
    due = (outbox.c.target == target) & (outbox.c.state == state) & (outbox.c.next_at <= now) & ~unsettled
    return connection.execute(select(outbox).where(due).order_by(outbox.c.next_at, outbox.c.id).limit(1)).first()


def _item(connection: Connection, row: Row, job: Job, until: datetime) -> Item:
    payload = loads(row.payload)
    known = _known(connection, row.target, row.key)
    if known is not None and known.last_hash == row.payload_sha256:
        job = Job.VERIFY  # the target had this very content: look before writing it again
    return Item(
        id=row.id, target=row.target, key=row.key, seq=row.seq, person_id=row.person_id, subject=payload["subject"],
        device=payload["device"], provenance=payload["provenance"], sha256=row.payload_sha256,
        attempts=row.attempts + 1, fence=row.fence + 1, lease_until=until, job=job, known=known,
        device_known=_known(connection, row.target, f"Device/{row.model_device}"),
    )  # fmt: skip


def _known(connection: Connection, target: str, key: str) -> KeyState | None:
    where = (key_state.c.target == target) & (key_state.c.key == key)
    row = connection.execute(select(key_state).where(where)).first()
    return None if row is None else KeyState(row.server_id, row.version_id, row.last_acked_seq, row.last_hash)
