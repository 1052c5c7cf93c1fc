"""What a hospital decides about one target."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal


@dataclass(frozen=True, slots=True)
class DeliveryOptions:
    """Durations are in seconds. The defaults suit a record system in another building."""

    timeout_s: float = 15.0  # of one request
    lease_s: float = 120.0  # longer than every request of one item together
    backoff_base_s: float = 0.5
    backoff_cap_s: float = 300.0
    verify_after_s: float = 0.5  # a server may still be committing when its answer is lost
    wait_s: float = 30.0  # how long one delivery may wait for items and targets to become ready, in all
    breaker_after: int = 5  # failures in a row
    breaker_pause_s: float = 5.0
    max_attempts: int = 12  # of one item that gets an answer and never a good one
    write: Literal["auto", "client_id", "conditional"] = "auto"  # statements lie: a site may know better
    transactions: bool = True
    provenance: bool = True
    mark_ai: bool = True  # off for receivers whose terminology lacks AIAST
    extensions: bool = True  # off for receivers that refuse what they do not know

    @property
    def lease(self) -> timedelta:
        """How long an item belongs to its worker."""
        return timedelta(seconds=self.lease_s)
