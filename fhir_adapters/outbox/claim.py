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


@dataclass(slots=True)
class Claimed:
    """The item, if there is one, and what was closed on the way to it."""

    item: Item | None = None
    expired: int = 0
    superseded: int = 0

    def count(self, state: State) -> None:
        """One more that needs no sending."""
        if state is State.EXPIRED:
            self.expired += 1
        else:
            self.superseded += 1


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


def claim(connection: Connection, claimer: Claimer, now: datetime, as_of: datetime) -> Claimed:
    """Lease the next item that is due: doubts first, then retries, then what is new."""
    claimed = Claimed()
    for state in (State.UNKNOWN, State.RETRY, State.PENDING):
        while (row := _next(connection, claimer.target, state, now)) is not None:
            known = _known(connection, row.target, row.key)
            closed = None if state is State.UNKNOWN else _closed(row, known, as_of)
            if closed is not None:
                values = {"state": closed, "reason": "found when its turn came", "settled_at": now}
                connection.execute(update(outbox).where(outbox.c.id == row.id).values(values))
                claimed.count(closed)
            elif _lease(connection, claimer, row, state, now):
                claimed.item = _item(connection, row, known, now + claimer.lease)
                return claimed
    return claimed


def _closed(row: Row, known: KeyState | None, as_of: datetime) -> State | None:
    if row.not_after is not None and row.not_after < as_of:
        return State.EXPIRED
    return State.SUPERSEDED if known is not None and row.seq < known.last_acked_seq else None


def _lease(connection: Connection, claimer: Claimer, row: Row, state: State, now: datetime) -> bool:
    """False when another worker was faster."""
    values = {
        "state": State.VERIFY if state is State.UNKNOWN else State.LEASED, "lease_owner": claimer.owner,
        "lease_until": now + claimer.lease, "fence": row.fence + 1, "attempts": row.attempts + 1,
    }  # fmt: skip
    same = (outbox.c.id == row.id) & (outbox.c.fence == row.fence) & (outbox.c.state == state)
    return connection.execute(update(outbox).where(same).values(values)).rowcount == 1


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


def _item(connection: Connection, row: Row, known: KeyState | None, until: datetime) -> Item:
    payload = loads(row.payload)
    # The target had this very content when we last looked: look again before writing it again.
    had_it = known is not None and known.last_hash == row.payload_sha256 and row.attempts == 0
    return Item(
        id=row.id, target=row.target, key=row.key, seq=row.seq, person_id=row.person_id, subject=payload["subject"],
        device=payload["device"], provenance=payload["provenance"], sha256=row.payload_sha256,
        attempts=row.attempts + 1, fence=row.fence + 1, lease_until=until,
        job=Job.VERIFY if had_it or row.state == State.UNKNOWN else Job.SEND, known=known,
        device_known=_known(connection, row.target, f"Device/{row.model_device}"),
    )  # fmt: skip


def _known(connection: Connection, target: str, key: str) -> KeyState | None:
    where = (key_state.c.target == target) & (key_state.c.key == key)
    row = connection.execute(select(key_state).where(where)).first()
    return None if row is None else KeyState(row.server_id, row.version_id, row.last_acked_seq, row.last_hash)
