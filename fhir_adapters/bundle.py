"""Bundle: what is written together, all or nothing, or each entry for itself."""

from collections.abc import Sequence
from typing import Any, Literal

Json = dict[str, Any]


def transaction(base_url: str, resources: Sequence[Json], *, if_match: dict[str, str] | None = None) -> Json:
    """A transaction that puts each resource at the id it bears.

    Args:
        base_url: of the target; each entry gets its fullUrl from it, which strict R4 engines require.
        resources: each with an id, never two with the same.
        if_match: known version of a resource by ``Type/id``; the target refuses when it has another one.
    """
    return bundle(base_url, resources, "transaction", if_match or {})


def bundle(
    base_url: str, resources: Sequence[Json], kind: Literal["transaction", "batch"], if_match: dict[str, str]
) -> Json:
    """The same for a batch too."""
    entries = [_entry(base_url, resource, if_match.get(path_of(resource))) for resource in resources]
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def path_of(resource: Json) -> str:
    """``DetectedIssue/<id>``."""
    return f"{resource['resourceType']}/{resource['id']}"


def _entry(base_url: str, resource: Json, version: str | None) -> Json:
    request: Json = {"method": "PUT", "url": path_of(resource)}
    if version is not None:
        request["ifMatch"] = f'W/"{version}"'
    return {"fullUrl": f"{base_url.rstrip('/')}/{path_of(resource)}", "resource": resource, "request": request}
