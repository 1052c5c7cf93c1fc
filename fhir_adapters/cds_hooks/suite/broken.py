"""Requests that the text forbids.

It does not say that a service must refuse them. We ask for it: a service that takes a broken order for a good one
judges an order that it misread.
"""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx

from fhir_adapters.cds_hooks.messages import source_of
from fhir_adapters.cds_hooks.suite.server import Service
from fhir_adapters.cds_hooks.suite.verdict import Check, Failed, Skipped

Json = dict[str, Any]
Change = Callable[[Service, Json], Any]

DEPTH = 100_000
NOT_JUDGED = (401, 403, 429)
ANOTHER_HOOKS = ("patient-view", "order-sign", "order-select", "appointment-book")


def must_refuse(reply: httpx.Response) -> str:
    """The status of a refusal."""
    if reply.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise Failed(f"{reply.status_code}: the service broke down")
    if reply.status_code < httpx.codes.BAD_REQUEST:
        raise Failed(f"{reply.status_code} where a 4xx is expected")
    if reply.status_code in NOT_JUDGED:
        raise Failed(f"{reply.status_code}: the client is not let in, so the message was not judged")
    return str(reply.status_code)


def _without(*path: str) -> Change:
    def change(_: Service, request: Json) -> Json:
        inner = request
        for name in path[:-1]:
            inner = inner[name]
        if path[-1] not in inner:
            raise Skipped(f"the request has no {'.'.join(path)}")
        del inner[path[-1]]
        return request

    return change


def _with(path: tuple[str, ...], value: Any) -> Change:
    def change(_: Service, request: Json) -> Json:
        inner = request
        for name in path[:-1]:
            inner = inner[name]
        inner[path[-1]] = value
        return request

    return change


def _only_for(member: str, change: Change) -> Change:
    """For hooks whose context has the member."""

    def checked(service: Service, request: Json) -> Any:
        if member not in request["context"]:
            raise Skipped(f"the context of {request['hook']} has no {member}")
        return change(service, request)

    return checked


def _another_hook(service: Service, request: Json) -> Json:
    other = next(hook for hook in ANOTHER_HOOKS if hook not in service.hooks | {service.entry["hook"]})
    return request | {"hook": other}


def _raw(body: bytes) -> Change:
    return lambda _service, _request: body


_BODIES: tuple[tuple[str, str, str, Change], ...] = (
    ("not-json", "use-of-json:json", "no JSON", _raw(b"{hook: order-sign")),
    ("not-utf-8", "use-of-json:json", "bytes that are no UTF-8", _raw(b'{"hook": "\xff\xfe"}')),
    ("empty-body", "use-of-json:json", "an empty body", _raw(b"")),
    ("array-body", "http-request_1:type", "an array instead of an object", lambda _, request: [request]),
    ("deep-body", "use-of-json:json", "brackets nested 100,000 deep", _raw(b"[" * DEPTH + b"]" * DEPTH)),
    ("no-hook", "http-request_1:required", "no hook", _without("hook")),
    ("wrong-hook", "http-request_1:hook", "the hook of another service", _another_hook),
    ("no-hook-instance", "http-request_1:required", "no hookInstance", _without("hookInstance")),
    ("hook-instance", "http-request_1:type", "a hookInstance that is no UUID", _with(("hookInstance",), "12")),
    ("no-context", "http-request_1:required", "no context", _without("context")),
    ("context-type", "http-request_1:type", "a context that is no object", _with(("context",), "Patient/1")),
    ("no-patient", "order-sign:required", "no patientId", _without("context", "patientId")),
    ("no-user", "order-sign:required", "no userId", _without("context", "userId")),
    ("user-type", "order-sign:user", "a userId without its type", _with(("context", "userId"), "12")),
    ("null-member", "use-of-json:null", "a member that is null", _with(("context", "encounterId"), None)),
    ("empty-member", "use-of-json:empty", "a member that is empty", _with(("context", "patientId"), "")),
    ("no-draft-orders", "order-sign:required", "no draftOrders",
     _only_for("draftOrders", _without("context", "draftOrders"))),
    ("draft-orders", "order-sign:bundle", "draftOrders that is no Bundle",
     _only_for("draftOrders", _with(("context", "draftOrders"), {"resourceType": "MedicationRequest"}))),
    ("selections", "order-select:selections", "a selection that is no draft order",
     _only_for("selections", _with(("context", "selections"), ["MedicationRequest/no-such-order"]))),
    ("no-selections", "order-select:required", "no selections",
     _only_for("selections", _without("context", "selections"))),
    ("authorization-alone", "cds-r-1", "fhirAuthorization without fhirServer",
     lambda _, request: {name: value for name, value in request.items() if name != "fhirServer"} | {
         "fhirAuthorization": {"access_token": "opaque", "token_type": "Bearer", "expires_in": 300,
                               "scope": "user/Patient.read", "subject": "cds-service"}}),
    ("prefetch-type", "http-request_1:type", "a prefetch that is no object", _with(("prefetch",), ["Patient/1"])),
)  # fmt: skip


def _refuses(change: Change, service: Service) -> str:
    return must_refuse(service.call(change(service, copy.deepcopy(service.request()))))


def _content_type(service: Service) -> str:
    """A browser may post text/plain to anybody without asking first."""
    return must_refuse(service.call(service.request(), content_type="text/plain"))


def _method(service: Service) -> str:
    return must_refuse(service.call(service.request(), method="PUT"))


BROKEN_CHECKS: tuple[Check[Service], ...] = (
    *(Check(f"refuses-{id_}", source_of(rule), f"refused: {what}", partial(_refuses, change))
      for id_, rule, what, change in _BODIES),
    Check("refuses-text", source_of("use-of-json:json"), "refused: JSON that is sent as text/plain", _content_type),
    Check("refuses-put", source_of("http-request_1:address"), "refused: PUT instead of POST", _method),
)  # fmt: skip
