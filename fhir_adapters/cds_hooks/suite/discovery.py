"""Checks of a server as a whole: its discovery, unknown addresses, browsers of another origin."""

import uuid

import httpx

from fhir_adapters.cds_hooks.messages import check_discovery, errors, source_of
from fhir_adapters.cds_hooks.suite.server import Server, parsed, refuse
from fhir_adapters.cds_hooks.suite.verdict import Check, Failed, Skipped

FOREIGN_ORIGIN = "https://foreign.example"
CORS = source_of("cross-origin-resource-sharing:preflight")


def _answers(server: Server) -> str:
    parsed(server.discover())
    return "200, JSON"


def _is_right(server: Server) -> str:
    body = parsed(server.discover())
    refuse(errors(check_discovery(body)))
    warnings = [str(problem.path) for problem in check_discovery(body)]
    return f"{len(body['services'])} services" + (f"; worth a look: {', '.join(warnings)}" if warnings else "")


def _unknown_service(server: Server) -> str:
    reply = server.send(f"no-such-service-{uuid.uuid4()}", {"hook": "patient-view"})
    if reply.status_code != httpx.codes.NOT_FOUND:
        raise Failed(f"{reply.status_code} where 404 is expected")
    return "404"


def _preflight(server: Server) -> str:
    """A preflight carries no token, so it must not be asked for one."""
    reply = _options(server, server.origin or FOREIGN_ORIGIN)
    if reply.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise Failed(f"{reply.status_code}: the server broke down")
    granted = reply.headers.get("access-control-allow-origin")
    if server.origin is None and granted is None:
        raise Skipped("a foreign origin is not let in; name one that should be with --origin")
    if granted not in ("*", server.origin or FOREIGN_ORIGIN) or not reply.is_success:
        raise Failed(f"{reply.status_code}, and the origin is not let in")
    methods = _listed(reply, "access-control-allow-methods")
    headers = _listed(reply, "access-control-allow-headers")
    missing = [m for m in ("post",) if not {m, "*"} & methods]
    missing += [h for h in ("content-type",) if not {h, "*"} & headers]
    missing += [h for h in ("authorization",) if h not in headers]  # the wildcard does not cover it
    if missing:
        raise Failed(f"let in, but not with {', '.join(missing)}")
    return f"{reply.status_code}, POST with content-type and authorization"


def _credentials(server: Server) -> str:
    reply = _options(server, FOREIGN_ORIGIN)
    granted = reply.headers.get("access-control-allow-origin")
    if granted in ("*", FOREIGN_ORIGIN) and reply.headers.get("access-control-allow-credentials", "") == "true":
        raise Failed("any web page may call it with the credentials of whoever opens the page")
    return "a foreign origin gets no credentials"


def _options(server: Server, origin: str) -> httpx.Response:
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    return server.http.options(f"{server.discovery_url}/any", headers=headers)


def _listed(reply: httpx.Response, header: str) -> set[str]:
    return {item.strip().lower() for item in reply.headers.get(header, "").split(",")}


SERVER_CHECKS: tuple[Check[Server], ...] = (
    Check("discovery", source_of("http-request:address"), "GET {base}/cds-services answers 200 with JSON", _answers),
    Check("discovery-message", source_of("response:message"), "the list of services keeps every rule", _is_right),
    Check(
        "unknown-service", source_of("http-request_1:address"), "a service that is not there is 404", _unknown_service
    ),
    Check("cors-preflight", CORS, "a browser of another origin may ask whether it may post", _preflight),
    Check("cors-credentials", CORS, "an origin that nobody named gets no credentials", _credentials),
)
