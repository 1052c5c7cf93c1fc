"""What a hospital decides about one target."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

Fallback = Literal["DocumentReference", "Observation"]


@dataclass(frozen=True, slots=True)
class DeliveryOptions:
    """Durations are in seconds. The defaults suit a record system in another building."""

    timeout_s: float = 15.0  # of one request
    lease_s: float = 120.0  # longer than every request of one claim together
    backoff_base_s: float = 0.5
    backoff_cap_s: float = 300.0
    verify_after_s: float = 0.5  # a server may still be committing when its answer is lost
    wait_s: float = 30.0  # how long one delivery may wait for items and targets to become ready, in all
    breaker_after: int = 5  # failed requests in a row
    breaker_pause_s: float = 5.0
    max_attempts: int = 12  # of one item that gets an answer and never a good one
    mode: Literal["auto", "transaction", "batch", "single"] = "auto"
    write: Literal["auto", "client_id", "conditional_create", "conditional_update"] = "auto"  # statements lie
    max_entries: int = 40  # of one Bundle; 1: one prediction a Bundle
    max_bytes: int = 1_000_000  # of one Bundle
    recreate_deleted: bool = False  # what someone deleted at the target stays deleted: a dead letter
    provenance: bool = True
    mark_ai: bool = True  # off for receivers whose terminology lacks AIAST
    extensions: bool = True  # off for receivers that refuse what they do not know
    profiles: bool = True  # off for receivers that refuse profiles they do not have
    fallback: tuple[Fallback, ...] = field(default=("DocumentReference", "Observation"))  # where a type is not taken

    @property
    def declared(self) -> bool:
        """The hospital says how to write: the statement of the target is not needed."""
        return self.mode != "auto" and self.write != "auto"

    @property
    def lease(self) -> timedelta:
        """How long an item belongs to its worker."""
        return timedelta(seconds=self.lease_s)
