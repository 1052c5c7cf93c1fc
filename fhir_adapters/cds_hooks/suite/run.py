"""Runs every check against a server."""

import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import httpx

from fhir_adapters.cds_hooks.messages import check_request, errors
from fhir_adapters.cds_hooks.suite.authentication import AUTHENTICATION_CHECKS
from fhir_adapters.cds_hooks.suite.broken import BROKEN_CHECKS
from fhir_adapters.cds_hooks.suite.calls import CALL_CHECKS
from fhir_adapters.cds_hooks.suite.discovery import SERVER_CHECKS
from fhir_adapters.cds_hooks.suite.feedbacks import FEEDBACK_CHECKS
from fhir_adapters.cds_hooks.suite.server import Server, Service
from fhir_adapters.cds_hooks.suite.tokens import Signer
from fhir_adapters.cds_hooks.suite.verdict import Verdict, judge
from passerelle.errors import SourceUnreachable, UsageError

Json = dict[str, Any]

TIMEOUT_S = 20.0
SERVICE_CHECKS = (*CALL_CHECKS, *BROKEN_CHECKS, *FEEDBACK_CHECKS, *AUTHENTICATION_CHECKS)


@dataclass(frozen=True, slots=True)
class Report:
    """What the suite found."""

    url: str
    verdicts: tuple[Verdict, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Number of verdicts by status."""
        counted = Counter(verdict.status for verdict in self.verdicts)
        return {"pass": counted["pass"], "fail": counted["fail"], "skipped": counted["skipped"]}

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.counts["fail"]

    def as_json(self) -> Json:
        """For machines."""
        return {"url": self.url, "ok": self.ok, **self.counts, "checks": [asdict(v) for v in self.verdicts]}


def run_suite(
    url: str,
    *,
    hooks: Sequence[str] = (),
    requests: Sequence[Json] = (),
    signer: Signer | None = None,
    origin: str | None = None,
    report: Callable[[str], None] = lambda text: None,
) -> Report:
    """Judge the CDS services of a server.

    Feedback is sent about the cards that come back, so the server should be one for tests.

    Args:
        url: base URL; ``/cds-services`` at its end may be there or not.
        hooks: only services of these hooks; every service when empty.
        requests: used instead of the invented patient for services of the same hook.
        signer: the client's key; without it nobody's token is tried.
        origin: of a browser that the server should let in.
        report: told what is being done.
    Raises:
        UsageError: a request breaks the text itself, or no service is left to judge.
        SourceUnreachable: nothing answers at the address.
    """
    _check_own(requests)
    with _client(url) as http:
        server = Server(url.rstrip("/").removesuffix("/cds-services").rstrip("/"), http, signer, origin)
        services = _services(server, hooks, requests)
        report(f"{server.discovery_url}: {len(services)} services")
        verdicts = [judge(check, server) for check in SERVER_CHECKS]
        for service in services:
            report(service.name)
            verdicts += [judge(check, service, service.name) for check in SERVICE_CHECKS]
    return Report(server.discovery_url, tuple(verdicts))


def _client(url: str) -> httpx.Client:
    """A client that trusts what the machine trusts: the hospital's own authority is in no list of a library."""
    trust = ssl.create_default_context() if url.startswith("https") else False
    return httpx.Client(timeout=TIMEOUT_S, trust_env=False, verify=trust)


def _check_own(requests: Sequence[Json]) -> None:
    for request in requests:
        problems = errors(check_request(request))
        if problems:
            raise UsageError(
                f"a request of --request is none of CDS Hooks 2.0: {problems[0].path}: {problems[0].message}",
                looked=f"rule {problems[0].rule}",
                do="correct the file; a service must not be judged by a request that it may refuse",
            )


def _services(server: Server, hooks: Sequence[str], requests: Sequence[Json]) -> list[Service]:
    try:
        reply = server.discover()
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise SourceUnreachable(
            f"nothing answers at the address: {type(error).__name__}",
            looked=server.discovery_url,
            do="give the base URL of a running service: {base}/cds-services must answer",
        ) from error
    entries = _entries(reply)
    offered = {e["hook"] for e in entries}
    missing = ({*hooks} | {request["hook"] for request in requests}) - offered if entries else set()
    if missing:
        raise UsageError(
            f"no service for the hook {', '.join(sorted(missing))}",
            looked=f"{server.discovery_url}: {', '.join(sorted(offered))}",
            do="name hooks that the server offers, or none for all",
        )
    return [
        Service(
            server,
            entry,
            own=tuple(request for request in requests if request["hook"] == entry["hook"]),
            hooks=frozenset(e["hook"] for e in entries if e["id"] == entry["id"]),
        )
        for entry in entries
        if not hooks or entry["hook"] in hooks
    ]


def _entries(reply: httpx.Response) -> list[Json]:
    """The services that can be called; what is wrong with the others is told by the checks of the discovery."""
    try:
        body = reply.json()
    except (ValueError, RecursionError):
        return []
    listed = body.get("services") if isinstance(body, dict) else None
    entries = [e for e in listed if isinstance(e, dict)] if isinstance(listed, list) else []
    named = [e for e in entries if isinstance(e.get("id"), str) and isinstance(e.get("hook"), str)]
    return [entry | {"prefetch": _templates(entry.get("prefetch"))} for entry in named]


def _templates(prefetch: Any) -> dict[str, str]:
    given = prefetch if isinstance(prefetch, dict) else {}
    return {key: template for key, template in given.items() if isinstance(template, str)}
