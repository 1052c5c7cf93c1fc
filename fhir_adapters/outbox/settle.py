"""Writes down how an attempt ended. A worker whose lease was given to another is not believed."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, exists, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from fhir_adapters.outbox.items import Attempt, Item, KeyState
from fhir_adapters.outbox.schema import dead_letter, delivery_ledger, key_state, outbox
from fhir_adapters.outbox.states import IN_FLIGHT, State

HELD = (*IN_FLIGHT, State.UNKNOWN)


def record(connection: Connection, attempts: Sequence[tuple[Item, Attempt]], now: datetime) -> None:
    """One line each in the delivery ledger, whatever the attempt gave."""
    lines = [
        {
            "outbox_id": item.id, "attempt": item.attempts, "http_status": attempt.http_status,
            "entry_status": attempt.entry_status, "answer": attempt.answer, "server_id": attempt.server_id,
            "version_id": attempt.version_id, "etag": f'W/"{attempt.version_id}"' if attempt.version_id else None,
            "operation_outcome": attempt.operation_outcome, "t_send": attempt.sent_at, "t_ack": now,
        }
        for item, attempt in attempts
    ]  # fmt: skip
    if lines:
        connection.execute(insert(delivery_ledger), lines)


def acked(connection: Connection, written: Sequence[tuple[Item, str, str | None]], now: datetime) -> None:
    """The target holds these contents, with this id and version. What is known of a key outlives a lost lease."""
    known = [
        (item.key, KeyState(server_id, version_id, item.seq, item.sha256))
        for item, server_id, version_id in written
        if item.known is None or item.seq >= item.known.last_acked_seq
    ]
    if written:
        know(connection, written[0][0].target, known)
        values = {"state": State.ACKED, "reason": None, "settled_at": now, "lease_owner": None, "lease_until": None}
        held = (outbox.c.id == bindparam("item")) & (outbox.c.fence == bindparam("held"))
        settled = update(outbox).where(held & or_(*(outbox.c.state == state for state in HELD))).values(values)
        connection.execute(settled, [{"item": item.id, "held": item.fence} for item, _, _ in written])


def know(connection: Connection, target: str, states: Sequence[tuple[str, KeyState]]) -> None:
    """Remember what a target holds of some keys, instead of what was known of them."""
    rows = [{"target": target, "key": key, **asdict(state)} for key, state in states]
    if rows:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        written = dialect.insert(key_state)
        new = {name: written.excluded[name] for name in ("server_id", "version_id", "last_acked_seq", "last_hash")}
        connection.execute(written.on_conflict_do_update(index_elements=["target", "key"], set_=new), rows)


def retry(connection: Connection, item: Item, next_at: datetime, reason: str, now: datetime) -> bool:
    """Not delivered, to be tried again; unless a newer content is there, which goes instead."""
    if _has_newer(connection, item):
        replaced = "a newer content arrived before this one was accepted"
        return _settle(connection, item, state=State.SUPERSEDED, reason=replaced, settled_at=now)
    return _settle(connection, item, state=State.RETRY, reason=reason, next_at=next_at)


def unknown(connection: Connection, item: Item, next_at: datetime, reason: str, now: datetime) -> bool:
    """Sent, and nobody knows what became of it: to be verified before anything else is sent for the key."""
    return _settle(connection, item, state=State.UNKNOWN, reason=reason, next_at=next_at)


def dead(connection: Connection, item: Item, reason: str, outcome: str | None, now: datetime) -> bool:
    """The target will never take it as it is: someone must look."""
    settled = _settle(connection, item, state=State.DEAD, reason=reason, settled_at=now)
    if settled:
        letter = {"outbox_id": item.id, "reason": reason, "operation_outcome": outcome, "created_at": now}
        connection.execute(insert(dead_letter).values(letter))
    return settled


def cancelled(connection: Connection, item: Item, reason: str, now: datetime) -> bool:
    """Not to be delivered any more, and nothing is wrong."""
    return _settle(connection, item, state=State.CANCELLED, reason=reason, settled_at=now)


def _settle(connection: Connection, item: Item, **values: Any) -> bool:
    """True when the worker still held the item. A lease that ran out and was not taken is still its own."""
    held = (outbox.c.id == item.id) & (outbox.c.fence == item.fence) & outbox.c.state.in_(HELD)
    freed = {"lease_owner": None, "lease_until": None} | values
    return connection.execute(update(outbox).where(held).values(freed)).rowcount == 1


def _has_newer(connection: Connection, item: Item) -> bool:
    newer = (outbox.c.target == item.target) & (outbox.c.key == item.key) & (outbox.c.seq > item.seq)
    return bool(connection.execute(select(exists().where(newer & (outbox.c.state != State.DEAD)))).scalar())
