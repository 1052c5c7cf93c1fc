"""The invariants of Bundle, and what makes a transaction safe to send twice."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from fhir_adapters.rules.problem import Problem

Json = dict[str, Any]

REQUESTS = {"batch", "transaction", "history"}
RESPONSES = {"batch-response", "transaction-response", "history"}
COUNTED = {"searchset", "history"}


def bundle(resource: Json, path: str) -> Iterator[Problem]:
    """Problems of a Bundle as a whole and of its entries."""
    kind, listed = str(resource.get("type")), resource.get("entry")
    entries = [e for e in listed if isinstance(e, dict)] if isinstance(listed, list) else []
    if "total" in resource and kind not in COUNTED:
        yield Problem(path, "bdl-1", "total only in a searchset or a history")
    if kind == "document" and not {"identifier", "timestamp"} <= resource.keys():
        yield Problem(path, "bdl-9", "a document has an identifier and a date")
    for index, entry in enumerate(entries):
        yield from _entry(entry, kind, f"{path}.entry[{index}]")
    yield from _repeated(entries, path)
    if kind == "transaction":
        yield from _transaction(entries, path)


def _entry(entry: Json, kind: str, path: str) -> Iterator[Problem]:
    if "search" in entry and kind != "searchset":
        yield Problem(path, "bdl-2", "entry.search only in a searchset")
    if ("request" in entry) != (kind in REQUESTS):
        yield Problem(path, "bdl-3", "entry.request in a batch, a transaction or a history, and only there")
    if ("response" in entry) != (kind in RESPONSES):
        yield Problem(path, "bdl-4", "entry.response in a response or a history, and only there")
    if not {"resource", "request", "response"} & entry.keys():
        yield Problem(path, "bdl-5", "an entry without resource, request and response")
    full_url = entry.get("fullUrl")
    if full_url is None and "resource" in entry and "response" not in entry:
        yield Problem(path, "bdl-8", "strict R4 engines refuse an entry without fullUrl")
    elif isinstance(full_url, str) and "/_history/" in full_url:
        yield Problem(f"{path}.fullUrl", "bdl-8", "fullUrl names no version")


def _repeated(entries: list[Json], path: str) -> Iterator[Problem]:
    full_urls = Counter((str(e.get("fullUrl")), str(_version(e))) for e in entries if "fullUrl" in e)
    if any(count > 1 for count in full_urls.values()):
        yield Problem(path, "bdl-7", "two entries have the same fullUrl")


def _version(entry: Json) -> Any:
    resource = entry.get("resource")
    meta = resource.get("meta") if isinstance(resource, dict) else None
    return meta.get("versionId") if isinstance(meta, dict) else None


def _transaction(entries: list[Json], path: str) -> Iterator[Problem]:
    targets: Counter[str] = Counter()
    for entry in entries:
        request = entry.get("request")
        if isinstance(request, dict):
            condition = request.get("ifNoneExist")
            targets[f"{request.get('url')}?{condition}" if condition else _identity(request)] += 1
    if any(count > 1 for target, count in targets.items() if target):
        # One server answers 200 with one entry for two such requests: the second is lost.
        yield Problem(path, "same-target-twice", "two entries of the transaction write to one identity")
    known = {str(entry.get("fullUrl")) for entry in entries}
    missing = {urn for entry in entries for urn in _urns(entry.get("resource"))} - known
    if missing:
        yield Problem(path, "urn-unknown", "a urn:uuid reference that no entry of the transaction has")


def _identity(request: Json) -> str:
    url = str(request.get("url"))
    return url if request.get("method") in ("PUT", "DELETE", "PATCH") else ""


def _urns(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _urns(item)
    elif isinstance(node, dict):
        for name, value in node.items():
            if name == "reference" and isinstance(value, str) and value.startswith("urn:uuid:"):
                yield value
            else:
                yield from _urns(value)
