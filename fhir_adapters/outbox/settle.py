"""Writes down how an attempt ended. A worker whose lease was given to another is not believed."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from fhir_adapters.outbox.items import Attempt, Item
from fhir_adapters.outbox.schema import dead_letter, delivery_ledger, key_state, outbox
from fhir_adapters.outbox.states import IN_FLIGHT, State


def record(connection: Connection, item: Item, attempt: Attempt, now: datetime) -> None:
    """One line in the delivery ledger, whatever the attempt gave."""
    values = {
        "outbox_id": item.id, "attempt": item.attempts, "http_status": attempt.http_status,
        "entry_status": attempt.entry_status, "answer": attempt.answer, "server_id": attempt.server_id,
        "version_id": attempt.version_id, "etag": f'W/"{attempt.version_id}"' if attempt.version_id else None,
        "operation_outcome": attempt.operation_outcome, "t_send": attempt.sent_at, "t_ack": now,
    }  # fmt: skip
    connection.execute(insert(delivery_ledger).values(values))


def acked(connection: Connection, item: Item, server_id: str, version_id: str | None, now: datetime) -> bool:
    """The target holds the content. What is known of the key is kept even when the lease was lost."""
    known = item.known
    if known is None or item.seq >= known.last_acked_seq:
        know(connection, item.target, item.key, server_id, version_id, item.seq, item.sha256)
    return _settle(connection, item, now, state=State.ACKED, reason=None, settled_at=now)


def know(
    connection: Connection, target: str, key: str, server_id: str, version_id: str | None, seq: int, sha256: str
) -> None:
    """Remember what a target holds of a key."""
    values: dict[str, Any] = {
        "server_id": server_id, "version_id": version_id, "last_acked_seq": seq, "last_hash": sha256,
    }  # fmt: skip
    mine = (key_state.c.target == target) & (key_state.c.key == key)
    if connection.execute(update(key_state).where(mine).values(values)).rowcount == 0:
        try:
            with connection.begin_nested():
                connection.execute(insert(key_state).values({"target": target, "key": key} | values))
        except IntegrityError:  # another worker wrote the same line in between (the Device, most often)
            connection.execute(update(key_state).where(mine).values(values))


def retry(connection: Connection, item: Item, next_at: datetime, reason: str, now: datetime) -> bool:
    """Not delivered, to be tried again; unless a newer content is there, which goes instead."""
    if _has_newer(connection, item):
        replaced = "a newer content arrived before this one was accepted"
        return _settle(connection, item, now, state=State.SUPERSEDED, reason=replaced, settled_at=now)
    return _settle(connection, item, now, state=State.RETRY, reason=reason, next_at=next_at)


def unknown(connection: Connection, item: Item, next_at: datetime, reason: str, now: datetime) -> bool:
    """Sent, and nobody knows what became of it: to be verified before anything else is sent for the key."""
    return _settle(connection, item, now, state=State.UNKNOWN, reason=reason, next_at=next_at)


def dead(connection: Connection, item: Item, reason: str, outcome: str | None, now: datetime) -> bool:
    """The target will never take it as it is: someone must look."""
    settled = _settle(connection, item, now, state=State.DEAD, reason=reason, settled_at=now)
    if settled:
        letter = {"outbox_id": item.id, "reason": reason, "operation_outcome": outcome, "created_at": now}
        connection.execute(insert(dead_letter).values(letter))
    return settled


def cancelled(connection: Connection, item: Item, reason: str, now: datetime) -> bool:
    """Not to be delivered any more, and nothing is wrong."""
    return _settle(connection, item, now, state=State.CANCELLED, reason=reason, settled_at=now)


def _settle(connection: Connection, item: Item, now: datetime, **values: Any) -> bool:
    """True when the worker still held the item. A lease that ran out and was not taken is still its own."""
    held = (outbox.c.id == item.id) & (outbox.c.fence == item.fence) & outbox.c.state.in_((*IN_FLIGHT, State.UNKNOWN))
    freed = {"lease_owner": None, "lease_until": None} | values
    return connection.execute(update(outbox).where(held).values(freed)).rowcount == 1


def _has_newer(connection: Connection, item: Item) -> bool:
    newer = (outbox.c.target == item.target) & (outbox.c.key == item.key) & (outbox.c.seq > item.seq)
    return bool(connection.execute(select(exists().where(newer & (outbox.c.state != State.DEAD)))).scalar())
