"""Valid requests, and what the text lets a service answer to them."""

from typing import Any

import httpx

from fhir_adapters.cds_hooks.messages import source_of
from fhir_adapters.cds_hooks.suite.server import Service, answer
from fhir_adapters.cds_hooks.suite.verdict import Check, Failed, Skipped

Json = dict[str, Any]

ERROR_OUTCOME = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "timeout", "diagnostics": "the query took too long"}],
}


def _valid(service: Service) -> str:
    replies = [service.call(request) for request in service.requests()]
    cards = sum(len(answer(reply)["cards"]) for reply in replies)
    slowest = max(reply.elapsed.total_seconds() for reply in replies)
    return f"200, {cards} cards; slowest answer {slowest * 1000:.0f} ms"


def _twice(service: Service) -> str:
    """A client may repeat a call whose answer it lost; and the cards of one call stay recognisable."""
    service.cards()
    request = service.request()
    first, second = (answer(service.call(request)) for _ in range(2))
    named = [[card.get("uuid") for card in body["cards"]] for body in (first, second)]
    return "the same answer twice" if named[0] == named[1] else "answered twice; the cards have other uuids"


def _extensions(service: Service) -> str:
    service.cards()
    request = service.request()
    request["extension"] = {"com.example.ward": {"bed": 12, "note": None}}
    request["context"] |= {"extension": {"com.example.shift": "night"}}
    answer(service.call(request))
    return "200"


def _without_prefetch(service: Service) -> str:
    request = service.request()
    request.pop("prefetch", None)
    return _answered_or_412(service, request)


def _without_data(service: Service) -> str:
    return _prefetched(service, None)


def _with_errors(service: Service) -> str:
    return _prefetched(service, ERROR_OUTCOME)


def _prefetched(service: Service, value: Json | None) -> str:
    keys = service.entry.get("prefetch", {})
    if not keys:
        raise Skipped("the service asks for nothing to be prefetched")
    return _answered_or_412(service, service.request() | {"prefetch": dict.fromkeys(keys, value)})


def _answered_or_412(service: Service, request: Json) -> str:
    """Which keys a service cannot do without is its own affair: cards, or the one status that says so."""
    service.cards()
    for name in ("fhirServer", "fhirAuthorization"):
        request.pop(name, None)  # else it could ask for the data itself
    reply = service.call(request)
    if reply.status_code == httpx.codes.PRECONDITION_FAILED:
        return "412"
    if reply.status_code != httpx.codes.OK:
        raise Failed(f"{reply.status_code} where 412, or 200 with cards, is expected")
    answer(reply)
    return "200: it can do without"


CALL_CHECKS: tuple[Check[Service], ...] = (
    Check("valid-request", source_of("http-response:message"), "200 with cards that keep every rule", _valid),
    Check("same-instance-twice", source_of("http-request_1:hookInstance"), "a repeated call is answered", _twice),
    Check("extensions", source_of("extensions:tolerated"), "extensions of the client do no harm", _extensions),
    Check("no-prefetch", source_of("prefetch-template:412"), "nothing prefetched: cards, or 412", _without_prefetch),
    Check("null-prefetch", source_of("prefetch-template:null"), "no such data: cards, or 412", _without_data),
    Check("prefetch-errors", source_of("prefetch-template:error"), "an OperationOutcome: cards, or 412", _with_errors),
)
