"""AuditEvents: who asked for what about whom, one JSON line each. The patient is a pseudonym."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from fhir_adapters.exact_json import dumps
from fhir_adapters.french import exact_instant
from fhir_adapters.service.background import Background
from fhir_adapters.service.patients import PSEUDONYM

Json = dict[str, Any]
_log = structlog.get_logger(__name__)

EVENT_TYPE = "http://terminology.hl7.org/CodeSystem/audit-event-type"
INTERACTION = "http://hl7.org/fhir/restful-interaction"
ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
ACTIONS = {"read": "R", "vread": "R", "history-instance": "R", "search-type": "E", "operation": "E"}
PERSON, SYSTEM_OBJECT = "1", "2"


@dataclass(frozen=True, slots=True)
class Access:
    """One access.

    Args:
        interaction: code of R4's restful-interaction; a hook is an operation.
        what: the type of resource, or the id of the service.
    """

    at: datetime
    client: str
    address: str
    interaction: str
    what: str
    status: int
    person_id: int | None = None


def audit_event(access: Access) -> Json:
    """The AuditEvent of an access."""
    failed = access.status >= 400
    entities = [{"type": {"system": ENTITY_TYPE, "code": SYSTEM_OBJECT}, "name": access.what}]
    if access.person_id is not None:
        entities.insert(0, _patient(access.person_id))
    return {
        "resourceType": "AuditEvent",
        "type": {"system": EVENT_TYPE, "code": "rest"},
        "subtype": [{"system": INTERACTION, "code": access.interaction}],
        "action": ACTIONS[access.interaction],
        "recorded": exact_instant(access.at),
        "outcome": ("8" if access.status >= 500 else "4") if failed else "0",
        "outcomeDesc": str(access.status),
        "agent": [_agent(access)],
        "source": {"observer": {"display": "Passerelle"}},
        "entity": entities,
    }


class Audit:
    """Appends to a file that only its owner reads."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        self._path = path
        self.background: Background[Access] = Background("audit", self._write)

    def put(self, access: Access) -> None:
        """Write this soon."""
        self.background.put(access)

    def _write(self, accesses: Sequence[Access]) -> None:
        lines = "".join(dumps(audit_event(access)) + "\n" for access in accesses)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        for one in accesses:
            _log.info("served", client=one.client, interaction=one.interaction, what=one.what, status=one.status)


def _agent(access: Access) -> Json:
    network = {"network": {"address": access.address, "type": "2"}} if access.address else {}
    return {"name": access.client, "requestor": True} | network


def _patient(person_id: int) -> Json:
    return {
        "what": {"type": "Patient", "identifier": {"system": PSEUDONYM, "value": str(person_id)}},
        "type": {"system": ENTITY_TYPE, "code": PERSON},
        "role": {"system": ROLE, "code": "1"},
    }
