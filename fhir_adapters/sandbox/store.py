"""Resources and their versions, in memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Histories = dict[str, dict[str, tuple["Version", ...]]]  # type → id → versions, oldest first


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a resource; a deletion has no resource."""

    number: int
    updated: str
    resource: Json | None


class Store:
    """Versions of resources. A draft sees the store below it and keeps what is written: that is a transaction."""

    def __init__(self, below: "Store | None" = None) -> None:
        self._own: Histories = {}
        self._below = below

    def draft(self) -> "Store":
        """A layer to write into."""
        return Store(self)

    def take(self, draft: "Store") -> None:
        """Make everything written in a draft current, all at once."""
        for kind, resources in draft._own.items():
            self._own.setdefault(kind, {}).update(resources)

    def history(self, kind: str, id_: str) -> tuple[Version, ...]:
        """Versions of a resource; empty when there never was one."""
        own = self._own.get(kind, {}).get(id_)
        if own is not None:
            return own
        return self._below.history(kind, id_) if self._below else ()

    def add(self, kind: str, id_: str, version: Version) -> None:
        """One more version."""
        self._own.setdefault(kind, {})[id_] = (*self.history(kind, id_), version)

    def current(self, kind: str) -> Iterator[Json]:
        """The current resources of a type, in the order in which they came."""
        for id_ in self._ids(kind):
            last = self.history(kind, id_)[-1]
            if last.resource is not None:
                yield last.resource

    def _ids(self, kind: str) -> dict[str, None]:
        below = self._below._ids(kind) if self._below else {}
        return below | dict.fromkeys(self._own.get(kind, {}))

    def counts(self) -> dict[str, int]:
        """How many current resources of each type."""
        return {kind: sum(1 for _ in self.current(kind)) for kind in sorted(self._own)}

    def clear(self) -> None:
        """Forget everything."""
        self._own.clear()
