"""``check_request``: what a client posts to a service when a hook fires."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from fhir_adapters.cds_hooks.messages.prefetch import given
from fhir_adapters.cds_hooks.messages.resources import received, type_of
from fhir_adapters.cds_hooks.messages.shapes import HOOKS
from fhir_adapters.cds_hooks.messages.values import is_web_address
from fhir_adapters.cds_hooks.messages.walk import objects, walk
from fhir_adapters.rules.problem import Problem
from fhir_adapters.rules.references import literal_type

Json = dict[str, Any]

_TYPED_ID = re.compile(r"(\w+)/[A-Za-z0-9.\-]{1,64}")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def check_request(body: Any, service: Json | None = None, *, resources: bool = True) -> list[Problem]:
    """Every problem of a hook request; only those of severity ``error`` are a reason to refuse it.

    Args:
        service: its entry in the discovery; its hook and its prefetch keys are then compared.
        resources: False leaves out what only warns about the FHIR resources inside, where time counts.
    """
    problems = list(walk("request", body))
    if not isinstance(body, dict):
        return problems
    problems += _hook(body, service)
    problems += _authorization(body)
    problems += _context(body, in_full=resources)
    return problems + list(given(body, service, in_full=resources))


def _hook(body: Json, service: Json | None) -> Iterator[Problem]:
    if service is not None and isinstance(body.get("hook"), str) and body["hook"] != service["hook"]:
        yield Problem("hook", "http-request_1:hook", "the service is for another hook")


def _authorization(body: Json) -> Iterator[Problem]:
    server, authorization = body.get("fhirServer"), body.get("fhirAuthorization")
    if isinstance(server, str) and is_web_address(server) and _is_open(server):
        yield Problem("fhirServer", "http-request_1:https", "data of patients travels over https", "warning")
    if authorization is not None and server is None:
        yield Problem("fhirServer", "cds-r-1", "fhirAuthorization without fhirServer")
    granted = authorization if isinstance(authorization, dict) else {}
    if "patient/" in str(granted.get("scope")) and "patient" not in granted:
        yield Problem("fhirAuthorization.patient", "cds-r-2", "scopes of a patient, and no patient", "warning")


def _is_open(server: str) -> bool:
    parts = urlsplit(server)
    return parts.scheme != "https" and parts.hostname not in LOOPBACK


def _context(body: Json, *, in_full: bool) -> Iterator[Problem]:
    hook, context = body.get("hook"), body.get("context")
    if not isinstance(hook, str) or hook not in HOOKS or not isinstance(context, dict) or not context:
        return
    yield from walk(hook, context, "context")
    yield from _user(context, hook)
    if "draftOrders" in context:
        yield from _orders(context, hook, in_full=in_full)


def _user(context: Json, hook: str) -> Iterator[Problem]:
    user = context.get("userId")
    found = _TYPED_ID.fullmatch(user) if isinstance(user, str) else None
    if isinstance(user, str) and user.strip() and found is None:
        yield Problem("context.userId", f"{hook}:user", "a user is given as Type/id")
    elif found and found[1] not in HOOKS[hook]:
        yield Problem("context.userId", f"{hook}:user", f"expected: {', '.join(HOOKS[hook])}", "warning")


def _orders(context: Json, hook: str, *, in_full: bool) -> Iterator[Problem]:
    drafts, at = context["draftOrders"], "context.draftOrders"
    if not isinstance(drafts, dict):
        return  # the walk said so
    if type_of(drafts) != "Bundle":
        yield Problem(at, f"{hook}:bundle", "a Bundle of the orders that are not signed yet is expected")
        return
    yield from received(drafts, at, hook, in_full=in_full)
    present = set()
    for index, entry in objects(drafts, "entry"):
        order, where = entry.get("resource"), f"{at}.entry[{index}].resource"
        if type_of(order) is None:
            yield from received(order, where, hook, in_full=False)
            continue
        assert isinstance(order, dict)
        present.add(f"{order['resourceType']}/{order.get('id')}")
        if _is_for_another(order, context.get("patientId")):
            yield Problem(where, f"{hook}:patient", "the order is for another patient than the context")
    yield from _selections(context, present)


def _is_for_another(order: Json, patient_id: Any) -> bool:
    subject = order.get("subject") or order.get("patient")
    reference = subject.get("reference") if isinstance(subject, dict) else None
    if not isinstance(patient_id, str) or not isinstance(reference, str) or literal_type(reference) != "Patient":
        return False
    return reference.partition("/_history/")[0].rpartition("/")[2] != patient_id


def _selections(context: Json, present: set[str]) -> Iterator[Problem]:
    selections = context.get("selections")
    for index, selected in enumerate(selections if isinstance(selections, list) else ()):
        at = f"context.selections[{index}]"
        if not isinstance(selected, str):
            continue  # the walk said so
        if not _TYPED_ID.fullmatch(selected):
            yield Problem(at, "ord-1", "a selection is given as Type/id")
        elif selected not in present:
            yield Problem(at, "order-select:selections", "no draft order has this id")
