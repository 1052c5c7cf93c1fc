"""The invariants of Bundle, and what makes a transaction safe to send twice."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from fhir_adapters.rules.primitives import is_absolute
from fhir_adapters.rules.problem import Problem
from fhir_adapters.rules.references import literal_type
from fhir_adapters.rules.rule import Json, Rules

REQUESTS = {"batch", "transaction", "history"}
ANSWERS = {"batch-response", "transaction-response"}
RESPONSES = ANSWERS | {"history"}
COUNTED = {"searchset", "history"}
FIRST = {"document": ("bdl-11", "Composition"), "message": ("bdl-12", "MessageHeader")}


def bundle(resource: Json, path: str = "") -> Iterator[Problem]:
    """Problems of a Bundle as a whole and of its entries, which are judged on their own elsewhere."""
    for problem in _bundle(resource):
        yield problem.under(path)


def _bundle(resource: Json) -> Iterator[Problem]:
    kind, listed = str(resource.get("type")), resource.get("entry")
    entries = [e for e in listed if isinstance(e, dict)] if isinstance(listed, list) else []
    if "total" in resource and kind not in COUNTED:
        yield Problem("", "bdl-1", "total only in a searchset or a history")
    if kind == "document":
        yield from _document(resource)
    if kind in FIRST:
        yield from _first(entries, *FIRST[kind])
    for index, entry in enumerate(entries):
        for problem in _entry(entry, kind):
            yield problem.under(f".entry[{index}]")
    if kind != "history":
        yield from _repeated(entries)
    if kind == "transaction":
        yield from _transaction(entries)


def _document(resource: Json) -> Iterator[Problem]:
    identifier = resource.get("identifier")
    if not isinstance(identifier, dict) or not {"system", "value"} <= identifier.keys():
        yield Problem("", "bdl-9", "a document has an identifier with a system and a value")
    if "timestamp" not in resource:
        yield Problem("", "bdl-10", "a document has a date")


def _first(entries: list[Json], key: str, wanted: str) -> Iterator[Problem]:
    first = entries[0].get("resource") if entries else None
    if not isinstance(first, dict) or first.get("resourceType") != wanted:
        yield Problem("", key, f"the first resource is a {wanted}")


def _entry(entry: Json, kind: str) -> Iterator[Problem]:
    if "search" in entry and kind != "searchset":
        yield Problem("", "bdl-2", "entry.search only in a searchset")
    if ("request" in entry) != (kind in REQUESTS):
        yield Problem("", "bdl-3", "entry.request in a batch, a transaction or a history, and only there")
    if ("response" in entry) != (kind in RESPONSES):
        yield Problem("", "bdl-4", "entry.response in a response or a history, and only there")
    if not {"resource", "request", "response"} & entry.keys():
        yield Problem("", "bdl-5", "an entry without resource, request and response")
    full_url, content = entry.get("fullUrl"), entry.get("resource")
    if full_url is None and content is not None and kind not in ANSWERS:
        yield Problem("", "bdl-8", "strict R4 engines refuse an entry without fullUrl")
    elif isinstance(full_url, str):
        yield from _address(full_url, content if isinstance(content, dict) else {})


def _address(full_url: str, content: Json) -> Iterator[Problem]:
    if "/_history/" in full_url:
        yield Problem(".fullUrl", "bdl-8", "fullUrl names no version")
    if not is_absolute(full_url):
        yield Problem(".fullUrl", "full-url", "fullUrl is an absolute address or a URN")
    own = f"/{content.get('resourceType')}/{content.get('id')}"
    if "id" in content and literal_type(full_url) and not full_url.endswith(own):
        yield Problem(".fullUrl", "full-url", "fullUrl ends with the type and the id of the resource")


def _repeated(entries: list[Json]) -> Iterator[Problem]:
    full_urls = Counter((str(e.get("fullUrl")), str(_version(e))) for e in entries if "fullUrl" in e)
    if any(count > 1 for count in full_urls.values()):
        yield Problem("", "bdl-7", "two entries have the same fullUrl")


def _version(entry: Json) -> Any:
    resource = entry.get("resource")
    meta = resource.get("meta") if isinstance(resource, dict) else None
    return meta.get("versionId") if isinstance(meta, dict) else None


def _transaction(entries: list[Json]) -> Iterator[Problem]:
    targets: Counter[str] = Counter()
    for entry in entries:
        request = entry.get("request")
        if isinstance(request, dict):
            condition = request.get("ifNoneExist")
            targets[f"{request.get('url')}?{condition}" if condition else _identity(request)] += 1
    if any(count > 1 for target, count in targets.items() if target):
        # One server answers 200 with one entry for two such requests: the second is lost.
        yield Problem("", "same-target-twice", "two entries of the transaction write to one identity")
    known = {str(entry.get("fullUrl")) for entry in entries}
    if any(urn not in known for entry in entries for urn in _urns(entry.get("resource"))):
        yield Problem("", "urn-unknown", "a urn:uuid reference that no entry of the transaction has")


def _identity(request: Json) -> str:
    url = str(request.get("url"))
    return url if request.get("method") in ("PUT", "DELETE", "PATCH") else ""


def _urns(node: Any) -> Iterator[str]:
    """Every reference that stands for an entry of the transaction."""
    if isinstance(node, dict):
        reference = node.get("reference")
        if isinstance(reference, str) and reference.startswith("urn:uuid:"):
            yield reference
    for item in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        if isinstance(item, dict | list):
            yield from _urns(item)


BUNDLES: Rules = {"Bundle": (bundle,)}
