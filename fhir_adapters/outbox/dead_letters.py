"""Dead letters: what someone must look at, may correct, and puts back."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select, update

from fhir_adapters.exact_json import sha256
from fhir_adapters.fingerprint import with_fingerprint
from fhir_adapters.outbox.contents import Content
from fhir_adapters.outbox.schema import dead_letter, outbox, prediction
from fhir_adapters.outbox.states import State
from fhir_adapters.rules import errors
from fhir_adapters.site import Site
from passerelle.errors import UsageError

Json = dict[str, Any]


def letters(connection: Connection) -> list[Row]:
    """Oldest first; no patient's identity in it."""
    columns = (outbox.c.id, outbox.c.target, outbox.c.key, outbox.c.seq, dead_letter.c.reason,
               dead_letter.c.operation_outcome, dead_letter.c.created_at)  # fmt: skip
    open_letters = select(*columns).join(dead_letter, dead_letter.c.outbox_id == outbox.c.id).where(
        outbox.c.state == State.DEAD, dead_letter.c.replayed_at.is_(None)
    )  # fmt: skip
    return list(connection.execute(open_letters.order_by(dead_letter.c.id)))


def requeue(connection: Connection, ids: Iterable[int] | None, now: datetime) -> int:
    """Put dead items back as they are, once their cause is gone. Returns how many."""
    chosen = (outbox.c.state == State.DEAD) & (outbox.c.reason != "rules") & ~_has_newer()
    if ids is not None:
        chosen &= outbox.c.id.in_(list(ids))
    found = list(connection.execute(select(outbox.c.id).where(chosen)).scalars())
    _put_back(connection, found, {}, now)
    return len(found)


def content_of(connection: Connection, item_id: int) -> Content:
    """What a dead item would send, with stand-ins, to be corrected.

    Raises: UsageError: no dead item has this id.
    """
    p = prediction.c.payload
    row = connection.execute(
        select(outbox.c.payload, p.label("predicted")).join(prediction, prediction.c.id == outbox.c.prediction)
        .where(outbox.c.id == item_id, outbox.c.state == State.DEAD)
    ).first()  # fmt: skip
    if row is None:
        raise UsageError(
            f"no dead letter has the id {item_id}",
            looked="the outbox",
            do="list them: passerelle fhir dead-letters",
        )
    return Content.read(row.payload or row.predicted)


def replace_content(connection: Connection, item_id: int, resource: Json, site: Site, now: datetime) -> None:
    """Put a dead item back with the resource as a person corrected it, for this target alone.

    Raises: UsageError: it is another resource, it breaks our rules, or a newer content is on its way.
    """
    content = content_of(connection, item_id)
    problems = [str(problem) for problem in errors(resource)]
    identity = ("resourceType", "id")
    if any(resource.get(name) != content.resource[name] for name in identity):
        problems.append("it must keep its resourceType and id")
    if connection.execute(select(outbox.c.id).where(outbox.c.id == item_id, _has_newer())).first():
        problems.append("a newer content of the same prediction is there")
    if problems:
        raise UsageError(
            f"the corrected resource of dead letter {item_id} cannot be sent",
            looked="; ".join(problems[:5]),
            do="correct it again; nothing was changed",
        )
    corrected = dict(resource)
    fingerprint = sha256(corrected)
    with_fingerprint(corrected, fingerprint, site)
    payload = Content(corrected, content.supports, content.provenance).payload
    _put_back(connection, [item_id], {"payload": payload, "payload_sha256": fingerprint}, now)


def _put_back(connection: Connection, ids: list[int], changes: Json, now: datetime) -> None:
    values = {"state": State.PENDING, "attempts": 0, "next_at": now, "reason": None, "settled_at": None} | changes
    connection.execute(update(outbox).where(outbox.c.id.in_(ids)).values(values))
    connection.execute(update(dead_letter).where(dead_letter.c.outbox_id.in_(ids)).values(replayed_at=now))


def _has_newer() -> ColumnElement[bool]:
    newer = outbox.alias("newer")
    return (
        select(newer.c.id)
        .where(newer.c.target == outbox.c.target, newer.c.key == outbox.c.key, newer.c.seq > outbox.c.seq)
        .exists()
    )
