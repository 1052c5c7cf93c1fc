"""``check_discovery``: the answer of ``GET {base}/cds-services``."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from fhir_adapters.cds_hooks.messages.prefetch import templates
from fhir_adapters.cds_hooks.messages.walk import objects, walk
from fhir_adapters.rules.problem import Problem

Json = dict[str, Any]

_SEGMENT = re.compile(r"[A-Za-z0-9._~\-]+")  # what a path of a URL holds without escaping


def check_discovery(body: Any) -> list[Problem]:
    """Every problem of a discovery answer."""
    return [*walk("discovery", body), *_services(body)]


def _services(body: Any) -> Iterator[Problem]:
    services = objects(body, "services")
    for index, service in services:
        path = f"services[{index}]"
        if "title" not in service:
            yield Problem(f"{path}.title", "response:title", "a name for people is recommended", "warning")
        if isinstance(service.get("id"), str) and not _SEGMENT.fullmatch(service["id"]):
            yield Problem(f"{path}.id", "response:id", "the id is a part of the service's address")
        yield from templates(service, path)
    named = Counter((str(service.get("id")), str(service.get("hook"))) for _, service in services)
    if any(count > 1 for count in named.values()):
        # One id may serve several hooks; twice the same hook says twice what to prefetch.
        yield Problem("services", "response:repeated", "two services have the same id and the same hook")
