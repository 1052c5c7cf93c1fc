"""What a delivery did."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class DeliveryReport:
    """Counts of items; an item that was retried and acknowledged in one delivery is counted in both."""

    target: str
    software: str = ""
    mode: str = ""
    acked: int = 0
    already_there: int = 0  # of the acknowledged: found at the target, not written again
    retried: int = 0
    unknown: int = 0
    dead: int = 0
    cancelled: int = 0  # closed by a person at the target
    expired: int = 0
    superseded: int = 0
    recovered: int = 0  # leases of workers that are gone
    remaining: int = 0  # still to be delivered when we stopped
    requests: int = 0
    seconds: float = 0.0
    waited_s: float = 0.0
    stopped: str | None = None  # why, when it was not because everything is done
    dead_reasons: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Nothing is left and nothing died."""
        return self.remaining == 0 and self.dead == 0 and self.stopped is None

    def as_json(self) -> dict[str, Any]:
        """The same for machines."""
        return asdict(self) | {"ok": self.ok}
