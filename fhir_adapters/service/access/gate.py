"""A request → who asks; or 401, 403, 429."""

from pathlib import Path

from starlette.requests import Request

from fhir_adapters.refused import Refused
from fhir_adapters.service.access.allowance import Allowance
from fhir_adapters.service.access.keys import KeySource
from fhir_adapters.service.access.registry import Registry
from fhir_adapters.service.access.scopes import Reader
from fhir_adapters.service.access.tokens import Claims, Nonces, NotLetIn, Verifier
from fhir_adapters.service.options import ServiceOptions
from fhir_adapters.service.patients import Patients

DEMO = "demo"


class Gate:
    """Lets in clients of the registry; in a demo, anybody on this machine."""

    def __init__(self, registry: Registry, folder: Path, options: ServiceOptions, patients: Patients) -> None:
        server = registry.authorization_server
        self._options, self._patients, self._nonces = options, patients, Nonces()
        self._names = {client.issuer: client.name for client in registry.clients}
        self._clients = Verifier({client.issuer: KeySource(client, folder) for client in registry.clients})
        self._server = Verifier({} if server is None else {server.issuer: KeySource(server, folder)})
        self._allowance = Allowance(options.requests_a_minute)

    def hook_client(self, request: Request) -> str:
        """The name of the client that calls a hook, with a token for this very address, used once.

        Raises:
            Refused: 401, or 429.
        """
        if self._options.demo:
            return self._within_limit(DEMO)
        try:
            claims = self._clients.claims(_bearer(request), self._options.base_url + request.url.path)
            self._nonces.use(claims)
        except NotLetIn as why:
            raise self._stranger(request, why) from why
        return self._within_limit(self._names[claims["iss"]])

    def reader(self, request: Request) -> Reader:
        """Who reads the FHIR API, with an access token of the hospital's authorization server.

        Raises:
            Refused: 401, or 429.
        """
        if self._options.demo:
            return Reader(self._within_limit(DEMO), None)
        try:
            claims = self._server.claims(_bearer(request), self._options.fhir_base)
        except NotLetIn as why:
            raise self._stranger(request, why) from why
        client = str(claims.get("client_id") or claims.get("azp") or claims.get("sub") or claims["iss"])
        return Reader(self._within_limit(client), str(claims.get("scope", "")).split(), self._patient(claims))

    def _patient(self, claims: Claims) -> int | None:
        patient = claims.get("patient")
        return self._patients.by_id(patient) if isinstance(patient, str) else None

    def _stranger(self, request: Request, why: NotLetIn) -> Refused:
        """Who is not let in is told why, and may not try for ever."""
        self._within_limit(f"address {request.client.host if request.client else ''}")
        said = {"WWW-Authenticate": f'Bearer realm="passerelle", error="invalid_token", error_description="{why}"'}
        return Refused(401, "login", str(why), headers=said)

    def _within_limit(self, client: str) -> str:
        if wait := self._allowance.wait_s(client):
            raise Refused(429, "throttled", "too many requests", headers={"Retry-After": str(wait)})
        return client


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotLetIn("no bearer token")
    return token.strip()
