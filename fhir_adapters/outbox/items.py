"""What a worker takes out of the outbox."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from fhir_adapters.outbox.contents import Content
from fhir_adapters.outbox.states import Kind

Json = dict[str, Any]


class Job(StrEnum):
    """What to do with an item first."""

    SEND = "send"
    VERIFY = "verify"  # look whether the target has it already


@dataclass(frozen=True, slots=True)
class KeyState:
    """What a target is known to hold of one key."""

    server_id: str
    version_id: str | None
    last_acked_seq: int
    last_hash: str


@dataclass(frozen=True, slots=True)
class Item:
    """A leased row: the worker may act on it until ``lease_until``, and settles it with its ``fence``."""

    id: int
    target: str
    key: str
    seq: int
    kind: Kind
    person_id: int | None
    content: Content
    sha256: str
    size: int  # of the content as text, in characters
    attempts: int  # this one included
    fence: int
    lease_until: datetime
    job: Job
    known: KeyState | None  # of the key at this target
    supports_known: Mapping[str, KeyState]  # ``Device/<id>`` → what the target has of it


@dataclass(frozen=True, slots=True)
class Attempt:
    """One line of the delivery ledger."""

    answer: str
    sent_at: datetime
    http_status: int | None = None
    entry_status: int | None = None
    server_id: str | None = None
    version_id: str | None = None
    operation_outcome: str | None = None
