"""Searchsets and histories."""

from collections.abc import Sequence
from typing import Any

from fhir_adapters.french import exact_instant
from fhir_adapters.service.rest.shelf import FIRST, Item

Json = dict[str, Any]


def searchset(items: Sequence[Item], base: str, links: dict[str, str], total: int | None) -> Json:
    """A page of a search."""
    entries = [_entry(item, base) | {"search": {"mode": "match"}} for item in items]
    return _bundle("searchset", entries, links, total)


def history(items: Sequence[Item], base: str, links: dict[str, str]) -> Json:
    """A page of a history, the newest first."""
    entries = []
    for item in items:
        created = item.version == FIRST
        path = f"{item.resource['resourceType']}/{item.resource['id']}"
        entries.append(
            _entry(item, base)
            | {
                "request": {"method": "POST" if created else "PUT", "url": path.partition("/")[0] if created else path},
                "response": {
                    "status": "201" if created else "200",
                    "etag": etag(item),
                    "lastModified": exact_instant(item.updated),
                },
            }
        )
    return _bundle("history", entries, links, None)


def etag(item: Item) -> str:
    """Its version, for ``ETag`` and ``If-None-Match``."""
    return f'W/"{item.version}"'


def _entry(item: Item, base: str) -> Json:
    return {"fullUrl": f"{base}/{item.resource['resourceType']}/{item.resource['id']}", "resource": item.resource}


def _bundle(kind: str, entries: list[Json], links: dict[str, str], total: int | None) -> Json:
    found: Json = {"resourceType": "Bundle", "type": kind}
    if total is not None:
        found["total"] = total
    found["link"] = [{"relation": relation, "url": url} for relation, url in links.items()]
    return found | ({"entry": entries} if entries else {})
