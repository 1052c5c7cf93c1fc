"""What a target is seen to do: statements lie. Writes a Device of ours, for a test server or by agreement only."""

import uuid
from dataclasses import asdict, dataclass
from typing import Any

from fhir_adapters.bundle import transaction
from fhir_adapters.delivery.options import DeliveryOptions
from fhir_adapters.delivery.pace import remember_target, remember_trial, trial_of
from fhir_adapters.delivery.probe import TargetProfile, probe
from fhir_adapters.delivery.target import Target
from fhir_adapters.french import narrative
from fhir_adapters.marking import meta
from fhir_adapters.outbox import Outbox

Json = dict[str, Any]
SYSTEM = "urn:passerelle:trial"


@dataclass(frozen=True, slots=True)
class Trial:
    """What was seen; it decides over what the target says."""

    client_ids: bool  # PUT to an id of ours created a resource
    versioned: bool  # a stale If-Match was refused
    atomic: bool  # of a transaction meant to fail nothing was left

    def as_json(self) -> dict[str, bool]:
        """For the table of targets."""
        return asdict(self)


def probe_target(
    outbox: Outbox, server: Target, target: str, options: DeliveryOptions, *, write: bool
) -> TargetProfile:
    """How a target will be written to; kept in the outbox.

    Args:
        write: try it, and let what is seen decide over what its statement says, from now on.
    """
    if write:
        seen = try_writing(server).as_json()
        with outbox.transaction() as connection:
            remember_trial(connection, target, server.base_url, seen, outbox.clock())
    with outbox.transaction() as connection:
        trial = trial_of(connection, target, server.base_url)
    profile = probe(server, options, trial)
    with outbox.transaction() as connection:
        remember_target(connection, target, server.base_url, profile, outbox.clock())
    return profile


def try_writing(target: Target) -> Trial:
    """Three writes of a Device that says what it is, and is deleted at the end.

    Raises:
        NotSent, Lost: the target did not answer.
    """
    ids = [str(uuid.uuid4()) for _ in range(2)]
    try:
        client_ids = target.send("PUT", f"Device/{ids[0]}", _device(ids[0])).status in (200, 201)
        if not client_ids:
            return Trial(client_ids=False, versioned=True, atomic=False)
        stale = target.send("PUT", f"Device/{ids[0]}", _device(ids[0]), {"If-Match": 'W/"no-such-version"'})
        return Trial(client_ids=True, versioned=stale.status in (400, 409, 412), atomic=_atomic(target, *ids))
    finally:
        for id_ in ids:
            target.delete(f"Device/{id_}")


def _atomic(target: Target, known: str, new: str) -> bool:
    """The second entry must fail: nothing of the first may be left."""
    meant_to_fail = transaction(
        target.base_url, [_device(new), _device(known)], if_match={f"Device/{known}": "no-such-version"}
    )
    reply = target.send("POST", "", meant_to_fail)
    return reply.status >= 400 and target.get(f"Device/{new}").status in (404, 410)


def _device(id_: str) -> Json:
    what = "Essai d'écriture de Passerelle : à ignorer ; cette ressource est supprimée aussitôt."
    return {
        "resourceType": "Device", "id": id_, "meta": {"security": meta("Device")["security"]},
        "text": narrative([what], []), "identifier": [{"system": SYSTEM, "value": id_}], "status": "inactive",
    }  # fmt: skip
