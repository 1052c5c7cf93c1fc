"""One request and its answer, whether they come by HTTP or as an entry of a Bundle."""

from dataclasses import dataclass, field
from typing import Any

from fhir_adapters.sandbox.store import Version

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Interaction:
    """What is asked for."""

    method: str
    path: tuple[str, ...]  # below the base: ("DetectedIssue", "1")
    query: list[tuple[str, str]] = field(default_factory=list)
    resource: Any = None
    if_match: str | None = None
    if_none_match: str | None = None
    if_none_exist: str | None = None
    prefer: frozenset[str] = frozenset()  # return=…, handling=…
    scopes: frozenset[str] | None = None  # of the access token; None: this server asks for none

    @property
    def is_write(self) -> bool:
        """True when it may change something."""
        return self.method in ("POST", "PUT", "DELETE", "PATCH") and self.path[-1:] != ("_search",)


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back. The version gives ETag, Last-Modified and Location, or their like in an entry."""

    status: int
    resource: Json | None = None
    version: Version | None = None
    headers: dict[str, str] = field(default_factory=dict)
