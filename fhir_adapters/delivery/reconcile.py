"""The daily reconciliation: what a target acknowledged against what it holds, both ways, and the repair."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from fhir_adapters.delivery.adapt import form_of
from fhir_adapters.delivery.courier import DEFAULT_OPTIONS
from fhir_adapters.delivery.options import DeliveryOptions
from fhir_adapters.delivery.probe import RESULTS, probe
from fhir_adapters.delivery.readback import Held, ReadBack, held, read_back
from fhir_adapters.delivery.replaced import closed
from fhir_adapters.delivery.target import Target
from fhir_adapters.outbox import Kind, Outbox, State
from fhir_adapters.outbox.schema import key_state, outbox, prediction
from fhir_adapters.site import Site

Json = dict[str, Any]


def verify(box: Outbox, server: Target, *, target: str, options: DeliveryOptions = DEFAULT_OPTIONS) -> ReadBack:
    """Read back what a target acknowledged; nothing is written anywhere."""
    with box.transaction() as connection:
        rows = held(connection, target)
    return read_back(server, target, rows, forms_of(server, options))


def reconcile(
    box: Outbox, server: Target, site: Site, *, target: str, options: DeliveryOptions = DEFAULT_OPTIONS,
    repair: bool = False,
) -> ReadBack:  # fmt: skip
    """Read back, and look for what we do not know of.

    Args:
        repair: put back in the outbox what is missing or another content, and close documents that were replaced.
            What is extra is only told: it may be of a workspace that we do not know.
    """
    forms = forms_of(server, options)
    with box.transaction() as connection:
        rows, known = held(connection, target), _known_ids(connection, target)
    report = read_back(server, target, rows, forms)
    for kind in sorted({forms[row.resource_type] for row in rows}):
        for theirs in server.everything(kind, {"identifier": f"{site.prediction_system}|"}):
            _look(report, theirs, rows, known, site)
    if repair:
        report.repaired = _send_again(box, target, [*report.missing, *report.drifted, *report.not_withdrawn])
        report.repaired += sum(_close(server, id_) for id_ in report.doubled)
    return report


def forms_of(server: Target, options: DeliveryOptions) -> dict[str, str]:
    """Type of a result → type in which the target holds it."""
    profile = probe(server, options)
    return {kind: form_of(kind, profile, options) or kind for kind in RESULTS}


def _look(report: ReadBack, theirs: Json, rows: Sequence[Held], known: set[str], site: Site) -> None:
    """One resource of the target that bears an identifier of ours."""
    id_ = str(theirs.get("id"))
    ours = {i.get("value") for i in theirs.get("identifier", ()) if i.get("system") == site.prediction_system}
    newest = {row.known.server_id for row in rows if row.prediction_id in ours and row.kind is not Kind.RETRACT}
    # Of a document there may be earlier contents, under ids that the target chose.
    earlier = theirs.get("resourceType") == "DocumentReference" and bool(newest)
    if id_ not in known and not earlier:
        report.extra.append(f"{theirs.get('resourceType')}/{id_}")
    elif _is_replaced(theirs, newest):
        report.doubled.append(id_)


def _is_replaced(theirs: Json, newest: set[str]) -> bool:
    """A document that is still current although a newer one took its place."""
    current = theirs.get("resourceType") == "DocumentReference" and theirs.get("status") == "current"
    return current and bool(newest) and str(theirs.get("id")) not in newest


def _known_ids(connection: Connection, target: str) -> set[str]:
    """Ids under which the target may hold something of ours."""
    acked = select(key_state.c.server_id).where(key_state.c.target == target)
    ours = select(prediction.c.resource_id).join(outbox, outbox.c.prediction == prediction.c.id)
    tried = ours.where(outbox.c.target == target, outbox.c.attempts > 0)
    return {str(id_) for query in (acked, tried) for id_ in connection.execute(query).scalars()}


def _send_again(box: Outbox, target: str, keys: Sequence[str]) -> int:
    """Put the last content of each key back; what people wrote meanwhile is kept, as the known version is stale."""
    with box.transaction() as connection:
        return sum(_again(connection, target, key, box.clock()) for key in dict.fromkeys(keys))


def _again(connection: Connection, target: str, key: str, now: datetime) -> int:
    mine = (key_state.c.target == target) & (key_state.c.key == key)
    seq = connection.execute(select(key_state.c.last_acked_seq).where(mine)).scalar_one()
    connection.execute(update(key_state).where(mine).values(last_hash=""))
    item = (outbox.c.target == target) & (outbox.c.key == key) & (outbox.c.seq == seq)
    values = {"state": State.PENDING, "attempts": 0, "next_at": now, "reason": "reconciled", "settled_at": None}
    again = item & (outbox.c.state == State.ACKED)
    return connection.execute(update(outbox).where(again).values(values | {"not_after": None})).rowcount


def _close(server: Target, id_: str) -> bool:
    reply = server.get(f"DocumentReference/{id_}")
    if reply.status != 200 or reply.body.get("status") != "current":
        return False
    headers = {"If-Match": f'W/"{reply.version_id}"'} if reply.version_id else {}
    return server.send("PUT", f"DocumentReference/{id_}", closed(reply), headers).status == 200
