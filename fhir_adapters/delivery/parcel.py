"""One item, ready for one target."""

from dataclasses import dataclass
from typing import Any

from fhir_adapters.delivery.probe import TargetProfile
from fhir_adapters.outbox import Item, KeyState

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Parcel:
    """The resources with their real references, and what is known of them at the target."""

    item: Item
    profile: TargetProfile
    subject: Json
    device: Json
    provenance: Json
    known: KeyState | None
    device_id: str | None  # None: the target may not have the Device yet

    @property
    def prediction_identifier(self) -> Json:
        """The identifier that makes the prediction itself."""
        return self.subject["identifier"][0]

    @property
    def subject_id(self) -> str | None:
        """Logical id at the target, when it is known."""
        return self.subject["id"] if self.profile.client_ids else (self.known.server_id if self.known else None)

    @property
    def version_id(self) -> str | None:
        """Version that the target was last known to hold."""
        return self.known.version_id if self.known and self.profile.versioned else None

    def holds_our_content(self, theirs: Json) -> bool:
        """True when a resource of the target has the content of this item."""
        ours = next(i for i in self.subject["identifier"] if i.get("use") == "secondary")
        return any(
            i.get("system") == ours["system"] and i.get("value") == ours["value"]
            for i in theirs.get("identifier", ())
            if isinstance(i, dict)
        )


def search_token(identifier: Json) -> str:
    """``system|value`` of a search."""
    return f"{identifier['system']}|{identifier['value']}"
