"""Faults on demand: what real servers were seen to do, in tests."""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Any, Literal, get_args

from fhir_adapters.sandbox.errors import Refused

Kind = Literal[
    "429",  # nothing done, Retry-After
    "500",  # nothing done
    "503",
    "reset",  # the connection closes, nothing done
    "slow",  # waits, then works
    "timeout-after-commit",  # works, then waits longer than any client
    "reset-after-commit",
    "500-after-commit",
    "duplicate",  # a proxy sends the request twice
    "429-in-entry",  # 200 outside, 429 in every entry, nothing done
    "drop-entry",  # works, and answers one entry too few
    "first-entry-only",  # a transaction that is silently run as a batch and fails after its first entry
    "echo",  # 422, and the whole request comes back in the OperationOutcome
    "401",
]
BEFORE = {"429", "500", "503", "401"}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. Seconds for the slow ones, and for Retry-After."""

    kind: Kind
    seconds: float = 0.0
    on: Literal["write", "read"] = "write"


class Faults:
    """Faults that wait for the next requests, in order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Fault] = deque()

    def plan(self, wanted: Any) -> int:
        """Add ``[{"kind": "429", "seconds": 1, "times": 2, "on": "write"}]``. Returns how many wait."""
        added = [fault for one in wanted for fault in [_fault(one)] * int(one.get("times", 1))]
        with self._lock:
            self._waiting.extend(added)
            return len(self._waiting)

    def clear(self) -> None:
        """No more faults."""
        with self._lock:
            self._waiting.clear()

    def take(self, *, write: bool) -> Fault | None:
        """The fault for this request, if the next one in line is meant for its kind."""
        with self._lock:
            wanted = "write" if write else "read"
            return self._waiting.popleft() if self._waiting and self._waiting[0].on == wanted else None


def _fault(one: dict[str, Any]) -> Fault:
    if one.get("kind") not in get_args(Kind):
        raise Refused(400, "invalid", f"the faults are: {', '.join(get_args(Kind))}")
    return Fault(one["kind"], float(one.get("seconds", 0.0)), one.get("on", "write"))
