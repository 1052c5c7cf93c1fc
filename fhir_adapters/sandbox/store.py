"""Resources and their versions, in memory.

Everything happens in the one thread of the server's event loop, and nothing waits between two steps of a write:
that is why there is no lock here.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fhir_adapters.sandbox.index import Index

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a resource; a deletion has no resource."""

    type: str
    id: str
    version_id: str
    updated: str
    method: str  # the HTTP verb that made it
    resource: Json | None

    @property
    def path(self) -> str:
        """``DetectedIssue/<id>``."""
        return f"{self.type}/{self.id}"

    @property
    def etag(self) -> str:
        """Weak, as FHIR has it."""
        return f'W/"{self.version_id}"'


class Store:
    """Versions in the order in which they came, found by identity and by index."""

    def __init__(self) -> None:
        self.log: list[Version] = []  # the history of the whole system
        self.index = Index()
        self._versions: dict[tuple[str, str], list[int]] = {}  # places in the log, oldest first

    def history(self, kind: str, id_: str) -> list[Version]:
        """Versions of a resource, oldest first; empty when there never was one."""
        return [self.log[place] for place in self._versions.get((kind, id_), ())]

    def last(self, kind: str, id_: str) -> Version | None:
        """The newest version, which may be a deletion."""
        places = self._versions.get((kind, id_))
        return self.log[places[-1]] if places else None

    def current(self, kind: str, id_: str, horizon: int | None = None) -> Json | None:
        """The resource as it is, or as it was when the log had ``horizon`` versions; None when there is none."""
        places = self._versions.get((kind, id_), [])
        seen = places if horizon is None else [place for place in places if place < horizon]
        return self.log[seen[-1]].resource if seen else None

    def named(self, reference: str) -> Json | None:
        """The current resource of ``Type/id``."""
        kind, _, id_ = reference.partition("/")
        return self.current(kind, id_)

    def count(self, kind: str, id_: str) -> int:
        """How many versions a resource has had."""
        return len(self._versions.get((kind, id_), ()))

    def add(self, version: Version) -> None:
        """One more version."""
        self._versions.setdefault((version.type, version.id), []).append(len(self.log))
        self.log.append(version)
        self.index.put(version.type, version.id, version.resource)

    @contextlib.contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Whatever is added in the block is taken back when the block fails. The cost is that of what it added."""
        before = len(self.log)
        try:
            yield
        except BaseException:
            self._back_to(before)
            raise

    @contextlib.contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Whatever is added in the block is taken back in any case."""
        before = len(self.log)
        try:
            yield
        finally:
            self._back_to(before)

    def _back_to(self, length: int) -> None:
        while len(self.log) > length:
            self._take_back()

    def _take_back(self) -> None:
        undone = self.log.pop()
        places = self._versions[undone.type, undone.id]
        places.pop()
        if not places:
            del self._versions[undone.type, undone.id]
        self.index.put(undone.type, undone.id, self.current(undone.type, undone.id))

    def clear(self) -> None:
        """Forget everything."""
        self.log.clear()
        self.index.clear()
        self._versions.clear()
