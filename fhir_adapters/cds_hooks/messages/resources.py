"""The FHIR resources inside a message, judged by our R4 rules."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from fhir_adapters.rules import check
from fhir_adapters.rules.problem import Problem
from fhir_adapters.rules.table import resource_types

NO_RESOURCE = "a FHIR resource is expected: an object with a resourceType of R4"


def type_of(value: Any) -> str | None:
    """The resource type of R4 that a value states; None when it is no resource."""
    kind = value.get("resourceType") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) and kind in resource_types() else None


def said(resource: Any, path: str, section: str) -> Iterator[Problem]:
    """Problems of a resource that a service says: the client is to store it, so R4 holds in full."""
    kind = type_of(resource)
    if kind is None:
        yield Problem(path, f"{section}:resource", NO_RESOURCE)
        return
    for problem in check(resource):
        yield replace(problem, path=path + problem.path.removeprefix(kind), rule=f"r4:{problem.rule}")


def received(resource: Any, path: str, section: str, *, in_full: bool) -> Iterator[Problem]:
    """Problems of a resource that a client sent: to be a resource is asked, the rest is worth a warning.

    An order is not left unchecked because something in it breaks R4: the published examples of order-sign do
    (their Bundle has no type).

    Args:
        in_full: False spares the walk through the resource, which can only warn.
    """
    kind = type_of(resource)
    if kind is None:
        yield Problem(path, f"{section}:resource", NO_RESOURCE)
    elif in_full:
        for problem in said(resource, path, section):
            if problem.severity == "error":
                yield replace(problem, severity="warning")
