"""Faults on demand: what real servers, and what stands between them and a client, were seen to do."""

import random
from collections import Counter, deque
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from fhir_adapters.refused import Refused

Kind = Literal[
    "none",  # works: to reach a later request
    "400", "401", "409", "412", "429", "500", "502", "503", "504",  # nothing done; Retry-After with 429 and 503
    "reset",  # the connection closes, nothing done
    "timeout",  # waits, then the connection closes, nothing done
    "html",  # 200 and the page of a proxy, nothing done
    "echo",  # 422, and the whole request comes back in the OperationOutcome
    "slow",  # waits, then works: perhaps long after the client has given up
    "timeout-after-commit",  # works, then waits longer than any client
    "reset-after-commit",
    "500-after-commit",
    "cut-answer",  # works, and the connection closes in the middle of the answer
    "truncated-json",  # works, and half of the JSON is answered as if it were all
    "duplicate",  # a proxy sends the request twice
    "duplicate-later",  # and once more, after some newer requests
    "stale-search",  # works, and searches miss it for some requests
    "429-in-entry",  # 200 outside, 429 in every entry, nothing done
    "429-in-half",  # every second entry is done, the others are answered 429
    "half-applied",  # the first half of the entries is done, then 500 for everything
    "first-entry-only",  # a transaction that is silently run as a batch and fails after its first entry
    "drop-entry",  # works, and answers one entry too few
    "kill-before-commit",  # the process of the client ends here, by SIGKILL
    "kill-after-commit",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault."""

    kind: Kind
    seconds: float = 0.0  # of the slow ones, and of Retry-After
    on: Literal["write", "read"] = "write"
    requests: int = 2  # how much later a copy comes, or how long a search stays behind
    pid: int = 0  # of the client to kill


NO_FAULT = Fault("none")
_FACTS = {field.name for field in fields(Fault)}


class Faults:
    """Faults that wait for the next requests, in order; after them, those that chance sends."""

    def __init__(self, *, may_kill: bool = False) -> None:
        self.done: Counter[str] = Counter()
        self._may_kill = may_kill
        self._waiting: deque[Fault] = deque()
        self._by_chance: _ByChance | None = None

    def plan(self, wanted: Any) -> None:
        """Add faults.

        Args:
            wanted: ``[{"kind": "429", "seconds": 1, "times": 2, "on": "write"}]``, or by chance, until they are
                forgotten, ``{"seed": 7, "rate": 0.3, "kinds": ["429", "reset"], "seconds": 1}``.
        Raises:
            Refused: not understood.
        """
        try:
            if isinstance(wanted, dict):
                kinds, shared = wanted["kinds"], wanted.keys() & _FACTS
                faults = [self._fault({"kind": kind} | {name: wanted[name] for name in shared}) for kind in kinds]
                self._by_chance = _ByChance(random.Random(wanted["seed"]), float(wanted["rate"]), faults)
            else:
                self._waiting.extend([f for one in wanted for f in [self._fault(one)] * int(one.get("times", 1))])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Refused(400, "invalid", "a list of faults, or seed, rate and kinds") from error

    def _fault(self, one: dict[str, Any]) -> Fault:
        fault = Fault(**{name: value for name, value in one.items() if name != "times"})
        if fault.kind not in get_args(Kind):
            raise Refused(400, "invalid", f"the faults are: {', '.join(get_args(Kind))}")
        if fault.kind.startswith("kill") and not (self._may_kill and fault.pid > 1):
            raise Refused(403, "forbidden", "this sandbox kills only when it is started with may_kill, and needs a pid")
        return fault

    @property
    def waiting(self) -> int:
        """How many faults wait in line."""
        return len(self._waiting)

    def of_header(self, kind: str) -> Fault:
        """The fault that a request asks for itself."""
        return self._fault({"kind": kind})

    def take(self, *, write: bool) -> Fault:
        """The fault for this request: the next in line if it is meant for its kind, else by chance."""
        on = "write" if write else "read"
        if self._waiting:
            fault = self._waiting.popleft() if self._waiting[0].on == on else NO_FAULT
        else:
            fault = self._by_chance.take(on) if self._by_chance else NO_FAULT
        if fault.kind != "none":
            self.done[fault.kind] += 1
        return fault

    def clear(self) -> None:
        """No more faults."""
        self.done.clear()
        self._waiting.clear()
        self._by_chance = None


@dataclass(frozen=True, slots=True)
class _ByChance:
    """The same seed and the same requests give the same faults."""

    chance: random.Random
    rate: float
    faults: list[Fault]

    def take(self, on: str) -> Fault:
        mine = [fault for fault in self.faults if fault.on == on]
        return self.chance.choice(mine) if mine and self.chance.random() < self.rate else NO_FAULT
