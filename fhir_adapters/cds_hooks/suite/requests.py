"""Valid hook requests about an invented patient, in French and R4: what a record system sends to a service."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs

from fhir_adapters.cds_hooks.messages.prefetch import TOKEN
from fhir_adapters.cds_hooks.messages.shapes import HOOKS
from fhir_adapters.exact_json import loads

Json = dict[str, Any]

SERVER = "https://dpi.chu-demo.example/fhir"
PATIENT, ENCOUNTER, USER = "exemple-patiente", "exemple-sejour", "Practitioner/exemple-medecin"
_DAYS_AGO = re.compile(r"@-(\d+)")  # record.json: a result of last week is of last week on every day


def invented(service: Json) -> Json | None:
    """A request for a service, with everything that it wants prefetched; None for a hook that is not built in.

    Args:
        service: its entry in the discovery.
    """
    hook = service["hook"]
    if hook not in HOOKS:
        return None
    context: Json = {"userId": USER, "patientId": PATIENT, "encounterId": ENCOUNTER}
    drafts = _record()["drafts"]
    if hook == "order-select":
        context["selections"] = [f"{order['resourceType']}/{order['id']}" for order in drafts[:1]]
    if hook != "patient-view":
        context["draftOrders"] = _bundle("collection", drafts)
    request: Json = {"hook": hook, "context": context}
    prefetch = {key: fetched(template, context) for key, template in service.get("prefetch", {}).items()}
    return request | ({"prefetch": prefetch} if prefetch else {})


def fetched(template: str, context: Json) -> Json | None:
    """What the invented record has for a prefetch template; None, as the text wants it, where it has nothing."""
    query = TOKEN.sub(lambda token: _value(token[1], context), template)
    kind, slash, id_ = query.partition("/")
    if slash and "?" not in query:
        found = [r for r in _of_type(kind) if r["id"] == id_]
        return found[0] if found else None
    kind, _, parameters = query.partition("?")
    codes = {code.rpartition("|")[2] for value in parse_qs(parameters).get("code", []) for code in value.split(",")}
    found = [r for r in _of_type(kind) if not codes or codes & set(_codes(r))]
    return _bundle("searchset", found) if found else None


def _value(token: str, context: Json) -> str:
    if token.startswith("context."):
        return str(context.get(token.removeprefix("context."), ""))
    kind, _, id_ = USER.partition("/")
    return id_ if token == f"user{kind}Id" else ""


def _codes(resource: Json) -> Iterator[str]:
    for coding in resource.get("code", {}).get("coding", ()):
        yield coding["code"]


def _of_type(kind: str) -> list[Json]:
    return [resource for resource in _record()["record"] if resource["resourceType"] == kind]


def _bundle(kind: str, resources: list[Json]) -> Json:
    entries: list[Json] = [{"fullUrl": f"{SERVER}/{r['resourceType']}/{r['id']}", "resource": r} for r in resources]
    if kind != "searchset":
        return {"resourceType": "Bundle", "type": kind, "entry": entries}
    found = [entry | {"search": {"mode": "match"}} for entry in entries]
    return {"resourceType": "Bundle", "type": kind, "total": len(found), "entry": found}


def _record() -> Json:
    return _record_of(datetime.now(UTC).date().isoformat())


@lru_cache(maxsize=2)
def _record_of(today: str) -> Json:
    text = files("fhir_adapters.cds_hooks.suite").joinpath("record.json").read_text("utf-8")
    day = datetime.fromisoformat(today)
    record: Json = loads(_DAYS_AGO.sub(lambda ago: (day - timedelta(int(ago[1]))).date().isoformat(), text))
    return record
