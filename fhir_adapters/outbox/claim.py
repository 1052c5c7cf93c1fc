"""Takes the next items: leases with a fence, one writer per key, nothing late."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, Select, and_, bindparam, exists, or_, select, update
from sqlalchemy.exc import IntegrityError

from fhir_adapters.bundle import path_of
from fhir_adapters.outbox.contents import Content
from fhir_adapters.outbox.items import Item, Job, KeyState
from fhir_adapters.outbox.owner import is_gone
from fhir_adapters.outbox.schema import key_state, outbox, prediction
from fhir_adapters.outbox.states import IN_FLIGHT, UNSETTLED, WAITING, Kind, State


@dataclass(frozen=True, slots=True)
class Claimer:
    """Who takes items, for which target, for how long."""

    owner: str
    target: str
    lease: timedelta


@dataclass(slots=True)
class Claimed:
    """The items, and what was closed on the way to them."""

    items: list[Item] = field(default_factory=list)
    expired: int = 0
    superseded: int = 0

    @property
    def closed(self) -> int:
        """How many were closed."""
        return self.expired + self.superseded

    def count(self, state: State) -> None:
        """One more that needs no sending."""
        if state is State.EXPIRED:
            self.expired += 1
        else:
            self.superseded += 1


def recover(connection: Connection, target: str, now: datetime) -> int:
    """Items whose holder is gone: nobody knows whether they were sent. Returns how many."""
    held = (outbox.c.target == target) & outbox.c.state.in_(IN_FLIGHT)
    owners = connection.execute(select(outbox.c.lease_owner).where(held).distinct()).scalars()
    gone = [owner for owner in owners if is_gone(owner)]
    lost = held & ((outbox.c.lease_until < now) | outbox.c.lease_owner.in_(gone))
    values = {"state": State.UNKNOWN, "next_at": now, "lease_owner": None, "reason": "its lease ran out"}
    return connection.execute(update(outbox).where(lost).values(values)).rowcount


def expire(connection: Connection, target: str, as_of: datetime, now: datetime) -> int:
    """Items that are no longer true at ``as_of``: never delivered late. Returns how many."""
    late = (outbox.c.target == target) & outbox.c.state.in_(WAITING) & (outbox.c.not_after < as_of)
    values = {"state": State.EXPIRED, "reason": "its validity ended before it was sent", "settled_at": now}
    return connection.execute(update(outbox).where(late).values(values)).rowcount


def claim(connection: Connection, claimer: Claimer, now: datetime, as_of: datetime, limit: int = 1) -> Claimed:
    """Lease the next items that are due, each of another key: doubts first, then retries, then what is new."""
    claimed = Claimed()
    leased: list[Row] = []
    for state in (State.UNKNOWN, State.RETRY, State.PENDING):
        while len(leased) < limit and (rows := _due(connection, claimer.target, state, now, limit - len(leased))):
            known = _known(connection, claimer.target, [row.key for row in rows])
            closed = claimed.closed
            taken = _take(connection, claimer, rows, known, state, now, as_of, claimed)
            leased += taken
            if not taken and claimed.closed == closed:
                break  # another worker was faster for all of them
    claimed.items = _items(connection, claimer, leased, now)
    return claimed


def _take(
    connection: Connection, claimer: Claimer, rows: Sequence[Row], known: dict[str, KeyState], state: State,
    now: datetime, as_of: datetime, claimed: Claimed,
) -> list[Row]:  # fmt: skip
    """Lease the rows that are to be sent; close the others."""
    wanted = []
    for row in rows:
        closed = None if state is State.UNKNOWN else _closed(row, known.get(row.key), as_of)
        if closed is None:
            wanted.append(row)
            continue
        values = {"state": closed, "reason": "found when its turn came", "settled_at": now}
        connection.execute(update(outbox).where(outbox.c.id == row.id).values(values))
        claimed.count(closed)
    try:
        with connection.begin_nested():
            return _lease(connection, claimer, wanted, state, now)
    except IntegrityError:  # a key among them has a writer: one by one
        return [row for row in wanted if _lease_alone(connection, claimer, row, state, now)]


def _lease_alone(connection: Connection, claimer: Claimer, row: Row, state: State, now: datetime) -> bool:
    try:
        with connection.begin_nested():
            return bool(_lease(connection, claimer, [row], state, now))
    except IntegrityError:
        return False


def _closed(row: Row, known: KeyState | None, as_of: datetime) -> State | None:
    if row.not_after is not None and row.not_after < as_of:
        return State.EXPIRED
    return State.SUPERSEDED if known is not None and row.seq < known.last_acked_seq else None


def _lease(connection: Connection, claimer: Claimer, rows: Sequence[Row], state: State, now: datetime) -> list[Row]:
    """Those of the rows that no other worker was faster for."""
    values = {
        "state": State.VERIFY if state is State.UNKNOWN else State.LEASED, "lease_owner": claimer.owner,
        "lease_until": now + claimer.lease, "fence": outbox.c.fence + 1, "attempts": outbox.c.attempts + 1,
    }  # fmt: skip
    same = outbox.c.id.in_([row.id for row in rows]) & (outbox.c.state == state)
    leased = update(outbox).where(same).values(values).returning(outbox.c.id, outbox.c.fence)
    fences = {row.id: row.fence for row in connection.execute(leased)} if rows else {}
    return [row for row in rows if fences.get(row.id) == row.fence + 1]


def next_due(connection: Connection, target: str) -> datetime | None:
    """When the first item that has to wait is due; None when none waits."""
    waiting = (outbox.c.target == target) & outbox.c.state.in_((*WAITING, State.UNKNOWN))
    return connection.execute(
        select(outbox.c.next_at).where(waiting).order_by(outbox.c.next_at).limit(1)
    ).scalar_one_or_none()


def _due(connection: Connection, target: str, state: State, now: datetime, limit: int) -> Sequence[Row]:
    """The first rows that are due, the oldest of each key only."""
    given = {"target_name": target, "of_state": str(state), "not_before": now, "how_many": limit}
    return connection.execute(_due_rows(), given).all()


@lru_cache(maxsize=1)
def _due_rows() -> Select[Any]:
    """The statement, made once: it is asked some times for each Bundle."""
    older = outbox.alias("older")
    state: BindParameter[str] = bindparam("of_state")
    unsettled = exists().where(
        and_(older.c.target == outbox.c.target, older.c.key == outbox.c.key, older.c.seq < outbox.c.seq,
             or_(*(older.c.state == held for held in UNSETTLED), older.c.state == state))
    )  # fmt: skip
    due = (outbox.c.target == bindparam("target_name")) & (outbox.c.state == state)
    due &= (outbox.c.next_at <= bindparam("not_before", type_=outbox.c.next_at.type)) & ~unsettled
    return select(outbox).where(due).order_by(outbox.c.next_at, outbox.c.id).limit(bindparam("how_many"))


def _items(connection: Connection, claimer: Claimer, rows: Sequence[Row], now: datetime) -> list[Item]:
    ids = [row.prediction for row in rows]
    columns = (prediction.c.id, prediction.c.payload, prediction.c.person_id)
    predicted = {p.id: p for p in connection.execute(select(*columns).where(prediction.c.id.in_(ids)))}
    payloads = {row.id: row.payload or predicted[row.prediction].payload for row in rows}
    contents = {id_: Content.read(payload) for id_, payload in payloads.items()}
    supports = {path_of(s) for content in contents.values() for s in content.supports}
    known = _known(connection, claimer.target, [*(row.key for row in rows), *supports])
    return [
        Item(
            id=row.id, target=row.target, key=row.key, seq=row.seq, kind=Kind(row.kind),
            person_id=predicted[row.prediction].person_id, content=contents[row.id], sha256=row.payload_sha256,
            size=len(payloads[row.id]),
            attempts=row.attempts + 1, fence=row.fence + 1, lease_until=now + claimer.lease,
            job=_job(row, known.get(row.key)), known=known.get(row.key),
            supports_known={p: known[p] for s in contents[row.id].supports if (p := path_of(s)) in known},
        )
        for row in rows
    ]  # fmt: skip


def _job(row: Row, known: KeyState | None) -> Job:
    # The target had this very content when we last looked: look again before writing it again.
    had_it = known is not None and known.last_hash == row.payload_sha256 and row.attempts == 0
    return Job.VERIFY if had_it or row.state == State.UNKNOWN else Job.SEND


def _known(connection: Connection, target: str, keys: Iterable[str]) -> dict[str, KeyState]:
    where = (key_state.c.target == target) & key_state.c.key.in_(list(keys))
    rows = connection.execute(select(key_state).where(where))
    return {row.key: KeyState(row.server_id, row.version_id, row.last_acked_seq, row.last_hash) for row in rows}
