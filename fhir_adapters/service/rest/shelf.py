"""Contents of the outbox as resources: with real references, a version and a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from fhir_adapters.french import exact_instant
from fhir_adapters.identities import Identities, Named, identity_of, patient_named
from fhir_adapters.outbox.reading import SUPERSEDED, OutboxReader, Stored
from fhir_adapters.reidentifier import IdentityNotFound, Reidentifier
from fhir_adapters.service.access.scopes import NOBODY
from fhir_adapters.service.patients import PSEUDONYM
from fhir_adapters.service.rest.kinds import RESULTS, SUPPORTS
from fhir_adapters.service.rest.parameters import Search

Json = dict[str, Any]
FIRST = "1"  # version of what never changes
Place = tuple[datetime, int]  # in the order of a search


@dataclass(frozen=True, slots=True)
class Item:
    """One resource as it is served."""

    resource: Json
    version: str
    updated: datetime
    place: Place
    person_id: int | None


@dataclass(frozen=True, slots=True)
class Shelf:
    """Finds and prepares resources."""

    reader: OutboxReader
    reidentifier: Reidentifier

    def find(self, search: Search, client: str, *, after: Place | None = None, limit: int | None = None) -> list[Item]:
        """The resources of a search, from a place on."""
        most = search.count if limit is None else limit
        if search.kind in SUPPORTS:
            return self._supports(search, client, after)[:most]
        found = self.reader.find(search.wanted, limit=most, after=after, newest_first=search.newest_first)
        return [self._item(search, stored, client) for stored in found]

    def count(self, search: Search) -> int:
        """How many a search finds."""
        return len(self._supports(search, "", None)) if search.kind in SUPPORTS else self.reader.count(search.wanted)

    def _item(self, search: Search, stored: Stored, client: str) -> Item:
        if search.kind in RESULTS:
            resource, version = stored.content.resource, str(stored.revision)
            if stored.replaced and not search.wanted.every_revision:
                resource = resource | {"status": SUPERSEDED}
        else:
            resource = stored.content.provenance | {"id": f"{stored.prediction_id}.{stored.revision}"}
            version = FIRST
        real = self._with_identities(resource, f"serve {search.kind} to {client}")
        return _item(real, version, stored.created_at, stored.row_id, stored.person_id)

    def _with_identities(self, resource: Json, reason: str) -> Json:
        found: Json = Identities(self.reidentifier, partial(self._patient, reason)).put_into(resource, set())
        return found

    def _patient(self, reason: str, person_id: int) -> Named:
        """Whom the crosswalk does not know stays a pseudonym."""
        try:
            identity = identity_of(self.reidentifier, person_id, reason=reason, looked="the FHIR API")
        except IdentityNotFound:
            return Named({"type": "Patient", "identifier": {"system": PSEUDONYM, "value": str(person_id)}})
        return patient_named(identity, identity.reference)

    def _supports(self, search: Search, client: str, after: Place | None) -> list[Item]:
        """Devices and Groups: one a model version or cohort, so few that they are looked through."""
        if search.wanted.person_id is not None and search.kind == "Group":
            return []  # cohorts are not a patient's
        rows = self.reader.devices() if search.kind == "Device" else self.reader.of_cohorts()
        found: dict[str, Item] = {}
        for stored in rows:
            for resource in stored.content.supports:
                if resource["resourceType"] == search.kind and resource["id"] not in found:
                    real = self._with_identities(resource, f"serve {search.kind} to {client}")
                    found[resource["id"]] = _item(real, FIRST, stored.created_at, stored.row_id, None)
        items = sorted(found.values(), key=lambda item: item.place, reverse=search.newest_first)
        return [item for item in items if _matches(item, search) and _is_after(item, after, search)]


def _item(resource: Json, version: str, updated: datetime, row_id: int, person_id: int | None) -> Item:
    meta = {"versionId": version, "lastUpdated": exact_instant(updated)} | resource.get("meta", {})
    return Item(resource | {"meta": meta}, version, updated, (updated, row_id), person_id)


def _matches(item: Item, search: Search) -> bool:
    wanted = search.wanted
    if wanted.resource_ids is not None and item.resource["id"] not in wanted.resource_ids:
        return False
    if not all(item.updated < at if sign == "<" else item.updated >= at for sign, at in wanted.bounds):
        return False
    return search.named is None or any(
        system in (None, identifier.get("system")) and value in (None, identifier.get("value"))
        for system, value in search.named
        for identifier in item.resource.get("identifier", ())
    )


def _is_after(item: Item, after: Place | None, search: Search) -> bool:
    if after is None:
        return True
    return item.place < after if search.newest_first else item.place > after


def people_of(items: Sequence[Item]) -> int | None:
    """The person of all items, where it is one; for the audit."""
    found = {item.person_id for item in items} - {None, NOBODY}
    return found.pop() if len(found) == 1 else None
