"""The proof of a recall: each target is read back, and asked for what it has of the model version beside that."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from fhir_adapters.delivery.courier import DEFAULT_OPTIONS
from fhir_adapters.delivery.options import DeliveryOptions
from fhir_adapters.delivery.readback import held, read_back
from fhir_adapters.delivery.reconcile import forms_of
from fhir_adapters.delivery.target import Target
from fhir_adapters.outbox import Kind, Outbox, State
from fhir_adapters.outbox.recall import withdrawn
from fhir_adapters.outbox.schema import key_state, prediction
from fhir_adapters.people import WITHDRAWN

Json = dict[str, Any]
NOTHING_LEFT = {State.ACKED, State.CANCELLED, State.SUPERSEDED}


@dataclass(slots=True)
class RecallProof:
    """What one target was seen to hold of a recalled model version."""

    target: str
    withdrawn: int = 0  # read back as withdrawn
    waiting: int = 0  # retractions that are not delivered yet
    dead: int = 0  # retractions that the target refuses: someone must look
    still_shown: list[str] = field(default_factory=list)  # resources of the version that are live at the target

    @property
    def ok(self) -> bool:
        """Nothing of the version is live."""
        return not (self.waiting or self.dead or self.still_shown)

    def as_json(self) -> Json:
        """The same for machines."""
        return asdict(self) | {"ok": self.ok}


def prove_recall(
    box: Outbox, server: Target, model: str, version: str, *, target: str, options: DeliveryOptions = DEFAULT_OPTIONS
) -> RecallProof:
    """Read back every retraction, then every resource that a Provenance of the version's Device names.

    Raises: TargetBusy: the target does not answer.
    """
    proof = RecallProof(target)
    with box.transaction() as connection:
        retractions = [row for row in withdrawn(connection, model, version) if row.target == target]
        rows = [row for row in held(connection, target) if row.key in {r.key for r in retractions}]
        devices = _devices(connection, target, model, version)
    proof.waiting = sum(row.state not in NOTHING_LEFT and row.state != State.DEAD for row in retractions)
    proof.dead = sum(row.state == State.DEAD for row in retractions)
    ours = [row for row in rows if row.kind is Kind.RETRACT]
    report = read_back(server, target, ours, forms_of(server, options))
    proof.withdrawn = report.checked - len(report.not_withdrawn) - len(report.missing)
    proof.still_shown = [*report.not_withdrawn]
    known = {row.known.server_id for row in ours}
    for device in devices:
        proof.still_shown += _live(server, device, known)
    return proof


def _devices(connection: Connection, target: str, model: str, version: str) -> list[str]:
    """Ids at the target of the Devices of a version: the weights may have differed."""
    mine = (prediction.c.model == model) & (prediction.c.model_version == version)
    ours = connection.execute(select(prediction.c.model_device).where(mine).distinct()).scalars()
    keys = [f"Device/{id_}" for id_ in ours]
    known = (key_state.c.target == target) & key_state.c.key.in_(keys)
    return sorted(connection.execute(select(key_state.c.server_id).where(known)).scalars())


def _live(server: Target, device: str, known: set[str]) -> Iterator[str]:
    """Resources that a Provenance of the Device names, that we did not withdraw and that are live and still its own."""
    named: set[str] = set()
    for about in server.everything("Provenance", {"agent": f"Device/{device}"}):
        named.update(str(target.get("reference")) for target in about.get("target", ()))
    for reference in sorted(named):
        kind, _, id_ = reference.partition("/")
        if id_ in known or "/" in id_:
            continue
        reply = server.get(f"{kind}/{id_}")
        if reply.status == 200 and reply.body.get("status") != WITHDRAWN and _author_is(reply.body, device):
            yield reference


def _author_is(resource: Json, device: str) -> bool:
    authors = [resource.get(name) for name in ("author", "performer", "device")]
    listed = [a for one in authors for a in (one if isinstance(one, list) else [one])]
    return any(isinstance(a, dict) and a.get("reference") == f"Device/{device}" for a in listed)
