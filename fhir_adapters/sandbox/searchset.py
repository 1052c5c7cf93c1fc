"""Search: the Bundle of what was found, page by page."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fhir_adapters.refused import Refused, operation_outcome
from fhir_adapters.rules.table import table
from fhir_adapters.sandbox.includes import INCLUDES, included, require_include
from fhir_adapters.sandbox.interaction import Answer, Interaction
from fhir_adapters.sandbox.pages import page_size
from fhir_adapters.sandbox.repository import Repository
from fhir_adapters.sandbox.search import Parameters, matches, require_known

Json = dict[str, Any]
_SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
_RESULT = {
    "_sort": {"_lastUpdated", "-_lastUpdated"},
    "_summary": {"count", "false"},
    "_total": {"none", "estimate", "accurate"},
    "_count": None,
    "_elements": None,
}


@dataclass(frozen=True, slots=True)
class _Found:
    """What a search found, and how it is to be shown."""

    repository: Repository
    kind: str
    resources: list[Json]
    used: Parameters
    ignored: list[str]

    def page(self, start: int) -> Json:
        """The Bundle from the n-th match on."""
        given, base_url = dict(self.used), self.repository.base_url
        size = 0 if given.get("_summary") == "count" else page_size(given)
        query = urlencode(self.used)
        links = [{"relation": "self", "url": f"{base_url}/{self.kind}" + (f"?{query}" if query else "")}]
        if size and start + size < len(self.resources):
            links.append(self.repository.pages.link(base_url, self.page, start + size))
        bundle: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(self.resources), "link": links}
        entries = self._entries(self.resources[start : start + size])
        return bundle | ({"entry": entries} if entries else {})

    def _entries(self, shown: list[Json]) -> list[Json]:
        names = [name for key, value in self.used if key == "_elements" for name in value.split(",")]
        base_url = self.repository.base_url
        others = included(self.repository, shown, [p for p in self.used if p[0] in INCLUDES])
        entries = [_entry(base_url, _subset(resource, names) if names else resource, "match") for resource in shown]
        entries += [_entry(base_url, resource, "include") for resource in others]
        if self.ignored:
            issue = {"severity": "warning", "code": "not-supported", "diagnostics": "some parameters were ignored"}
            entries.append({"resource": operation_outcome(issue), "search": {"mode": "outcome"}})
        return entries


def search(repository: Repository, kind: str, asked: Interaction) -> Answer:
    """Search a type.

    Raises:
        Refused: a parameter is not known here, and the client did not ask for leniency.
    """
    used, ignored = _understood(kind, asked)
    criteria = [(name, value) for name, value in used if name not in _RESULT and name not in INCLUDES]
    resources = matches(repository.seen_by_search(), kind, criteria)
    order = dict(used).get("_sort")
    if order:
        resources.sort(key=lambda r: str(r["meta"]["lastUpdated"]), reverse=order.startswith("-"))
    return Answer(200, _Found(repository, kind, resources, used, ignored).page(0))


def _understood(kind: str, asked: Interaction) -> tuple[Parameters, list[str]]:
    used: Parameters = []
    ignored: list[str] = []
    for name, value in asked.query:
        try:
            _require_understood(kind, name, value, asked)
        except Refused as refused:
            if refused.status != 400 or "handling=lenient" not in asked.prefer:
                raise
            ignored.append(name)
        else:
            used.append((name, value))
    return used, ignored


def _require_understood(kind: str, name: str, value: str, asked: Interaction) -> None:
    if name in INCLUDES:
        require_include(kind, name, value, asked)
    elif name not in _RESULT:
        require_known(kind, name)
    elif (allowed := _RESULT[name]) is not None and value not in allowed:
        raise Refused(400, "not-supported", f"{name} takes here: {', '.join(sorted(allowed))}")


def _entry(base_url: str, resource: Json, mode: str) -> Json:
    full_url = f"{base_url}/{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": full_url, "resource": resource, "search": {"mode": mode}}


def _subset(resource: Json, names: list[str]) -> Json:
    """The elements that were asked for and those that R4 requires, marked as a part of the whole."""
    known = table(resource["resourceType"])
    choices = known.required_choices if known else ()
    required = (known.required if known else frozenset()) | {name for _, group in choices for name in group}
    kept = {name: value for name, value in resource.items() if name in {"resourceType", "id", *names, *required}}
    return kept | {"meta": resource["meta"] | {"tag": [*resource["meta"].get("tag", ()), _SUBSETTED]}}
