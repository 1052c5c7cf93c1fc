"""Who is let in: a client's own token, and none of those that an attacker could make."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from fhir_adapters.cds_hooks.messages import source_of
from fhir_adapters.cds_hooks.suite.feedbacks import NOT_OFFERED
from fhir_adapters.cds_hooks.suite.server import Service, answer
from fhir_adapters.cds_hooks.suite.tokens import Signer
from fhir_adapters.cds_hooks.suite.verdict import Check, Failed, Skipped

NOT_LET_IN = (401, 403)
HOUR_S = 3600
Forge = Callable[[Signer, str], str | None]


def _signer(service: Service) -> Signer:
    if service.server.signer is None:
        raise Skipped("no key was given (--token-key)")
    return service.server.signer


def _url(service: Service) -> str:
    return f"{service.server.discovery_url}/{service.id}"


def _call(service: Service, token: str | None) -> httpx.Response:
    return service.call(service.request(), authorize=lambda url: token)


def _refused(reply: httpx.Response) -> str:
    if reply.status_code not in NOT_LET_IN:
        raise Failed(f"{reply.status_code} where 401 or 403 is expected")
    return str(reply.status_code)


def _own_token(service: Service) -> str:
    """The audience may be one address or a list of them."""
    signer, url = _signer(service), _url(service)
    for audience in (url, [url]):
        answer(_call(service, signer.token(audience)))
    return "200, with one audience and with a list"


def _replayed(service: Service) -> str:
    token = _signer(service).token(_url(service))
    answer(_call(service, token))
    return _refused(_call(service, token))


def _forged(forge: Forge, service: Service) -> str:
    return _refused(_call(service, forge(_signer(service), _url(service))))


def _feedback_without_token(service: Service) -> str:
    _signer(service)
    reply = service.server.send(f"{service.id}/feedback", {"feedback": []}, authorize=lambda url: None)
    if reply.status_code in NOT_OFFERED:
        raise Skipped(f"{reply.status_code}: the service has no feedback endpoint, which the text allows")
    return _refused(reply)


def _foreign_keys(service: Service) -> str:
    """Keys at an address of the attacker's, on this machine: it must be neither believed nor even visited."""
    stranger = replace(_signer(service).with_another_key(), kid="foreign")
    with _published(stranger) as site:
        token = replace(stranger, jku=site.url).token(_url(service))
        refused = _refused(_call(service, token))
    if site.visits:
        raise Failed("refused, but it fetched keys from an address that nobody allowed")
    return refused


@dataclass
class _Site:
    url: str
    visits: list[str] = field(default_factory=list)


@contextlib.contextmanager
def _published(signer: Signer) -> Iterator[_Site]:
    """The key set of a client over HTTP on loopback, for as long as the block lasts."""
    site = _Site("")

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.visits.append(self.path)
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(signer.key_set()).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Keys) as server:
        site.url = f"http://127.0.0.1:{server.server_address[1]}/keys.json"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield site
        finally:
            server.shutdown()


_FORGERIES: tuple[tuple[str, str, Forge], ...] = (
    ("none", "no token", lambda signer, url: None),
    ("nonsense", "a token that is no JWT", lambda signer, url: "nonsense"),
    ("expired", "a token of an hour ago",
     lambda s, url: s.token(url, iat=int(time.time()) - 2 * HOUR_S, exp=int(time.time()) - HOUR_S)),
    ("no-expiry", "a token that never expires", lambda signer, url: signer.token(url, exp=None)),
    ("no-nonce", "a token without jti", lambda signer, url: signer.token(url, jti=None)),
    ("audience", "a token for another service", lambda signer, url: signer.token(f"{url}-other")),
    ("no-audience", "a token for nobody", lambda signer, url: signer.token(url, aud=None)),
    ("issuer", "an issuer that nobody registered", lambda s, url: s.token(url, iss="https://stranger.example")),
    ("unsigned", "the algorithm none", lambda signer, url: signer.unsigned(url)),
    ("symmetric", "HS256 with the public key as secret", lambda signer, url: signer.symmetric(url)),
    ("unknown-key", "a key id that nobody registered", lambda s, url: replace(s, kid=f"{s.kid}-unknown").token(url)),
    ("forged", "another key under the client's name", lambda signer, url: signer.with_another_key().token(url)),
)  # fmt: skip

_TRUST = source_of("trusting-cds-clients:token")
_ALGORITHM = source_of("jwt-signing-algorithm:algorithm")
AUTHENTICATION_CHECKS: tuple[Check[Service], ...] = (
    Check("token-accepted", _TRUST, "the client's own token is let in", _own_token),
    Check("token-replayed", _TRUST, "refused: the same token a second time", _replayed),
    *(Check(f"token-{id_}", _ALGORITHM if id_ in ("unsigned", "symmetric") else _TRUST, f"refused: {what}",
            partial(_forged, forge)) for id_, what, forge in _FORGERIES),
    Check("token-foreign-keys", _TRUST, "refused: keys at an address (jku) that nobody allowed", _foreign_keys),
    Check("token-feedback", _TRUST, "refused: feedback without a token", _feedback_without_token),
)  # fmt: skip
