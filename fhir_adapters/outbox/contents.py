"""What is kept of a content: its resources with their stand-ins, as one JSON text."""

from dataclasses import dataclass
from typing import Any, Self

from fhir_adapters.exact_json import dumps, loads

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Content:
    """The resource of a prediction, what it refers to, and its Provenance."""

    resource: Json
    supports: tuple[Json, ...]  # Device, Group: what a target must have first
    provenance: Json

    @classmethod
    def read(cls, payload: str) -> Self:
        """From the text."""
        found = loads(payload)
        return cls(found["resource"], tuple(found["supports"]), found["provenance"])

    @property
    def payload(self) -> str:
        """The text."""
        return dumps({"resource": self.resource, "supports": list(self.supports), "provenance": self.provenance})

    @property
    def resources(self) -> list[Json]:
        """In the order in which a target without transactions must receive them."""
        return [*self.supports, self.resource, self.provenance]
