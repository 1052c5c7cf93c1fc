"""One item, ready for one target."""

from dataclasses import dataclass, replace
from typing import Any, Self

from fhir_adapters.bundle import path_of
from fhir_adapters.delivery.adapt import with_ids
from fhir_adapters.delivery.probe import TargetProfile
from fhir_adapters.fingerprint import fingerprint_of
from fhir_adapters.outbox import Item, KeyState
from fhir_adapters.outbox.contents import Content
from fhir_adapters.outbox.states import Kind

Json = dict[str, Any]
SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Parcel:
    """The resources with their real references, and what is known of them at the target."""

    item: Item
    profile: TargetProfile
    content: Content
    known: KeyState | None
    support_ids: dict[str, str]  # ``Device/<ours>`` → its id at the target; those that it has

    @property
    def resource(self) -> Json:
        """What the clinician is to see."""
        return self.content.resource

    @property
    def provenance(self) -> Json:
        """Who made it."""
        return self.content.provenance

    @property
    def kind(self) -> str:
        """Type of the resource."""
        kind: str = self.resource["resourceType"]
        return kind

    @property
    def missing_supports(self) -> list[Json]:
        """Device and Group that the target may not have yet."""
        return [support for support in self.content.supports if path_of(support) not in self.support_ids]

    @property
    def identifier(self) -> Json:
        """What makes the resource itself: of a document the master identifier, else that of the prediction."""
        own: Json = self.resource.get("masterIdentifier") or self.resource["identifier"][0]
        return own

    @property
    def replaces(self) -> str | None:
        """Id at the target of the document that this one takes the place of."""
        if "masterIdentifier" not in self.resource or self.item.kind is Kind.RETRACT or self.known is None:
            return None
        return self.known.server_id if self.known.last_hash != self.item.sha256 else None

    @property
    def resource_id(self) -> str | None:
        """Logical id at the target, when it is known."""
        if self.profile.client_ids:
            id_: str = self.resource["id"]
            return id_
        return None if self.known is None or self.replaces else self.known.server_id

    @property
    def version_id(self) -> str | None:
        """Version that the target was last known to hold."""
        return self.known.version_id if self.known and self.profile.versioned and not self.replaces else None

    def holds_our_content(self, theirs: Json) -> bool:
        """True when a resource of the target has the content of this item."""
        ours, other = fingerprint_of(self.resource), fingerprint_of(theirs)
        if ours is None or other is None or theirs.get("status") == SUPERSEDED:
            return False
        return bool((ours["system"], ours["value"]) == (other.get("system"), other.get("value")))

    def with_supports(self, ids: dict[str, str]) -> Self:
        """The parcel once the target has what it refers to; references name it as the target does."""
        changed = {path: id_ for path, id_ in ids.items() if not path.endswith(f"/{id_}")}
        content = self.content
        if changed:
            content = Content(
                with_ids(content.resource, changed), content.supports, with_ids(content.provenance, changed)
            )
        return replace(self, content=content, support_ids=self.support_ids | ids)
