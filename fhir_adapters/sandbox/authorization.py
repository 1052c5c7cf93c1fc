"""The sandbox as the OAuth 2 server of its own clients: SMART Backend Services, for the tests of ours."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from starlette.requests import Request

from fhir_adapters.refused import Refused
from fhir_adapters.sandbox.scopes import covers, is_scope
from fhir_adapters.sandbox.token_refused import TokenRefused

Json = dict[str, Any]
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_ASSERTION_S = 300
_ALGORITHMS = {"RSA": "RS384", "EC": "ES384"}  # by type of key: a key never serves another algorithm
_CLAIMS = ["iss", "sub", "aud", "exp", "jti"]


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """A client whose public keys were given to the server beforehand."""

    client_id: str
    jwks: Json  # {"keys": […]}, each with its kid
    scopes: frozenset[str]


class Authorization:
    """Gives short-lived tokens, and knows what each allows."""

    def __init__(self, token_url: str, clients: Sequence[RegisteredClient], token_seconds: float) -> None:
        self.token_url, self._token_seconds = token_url, token_seconds
        self._clients = {client.client_id: client for client in clients}
        self._tokens: dict[str, tuple[float, frozenset[str]]] = {}
        self._seen: dict[tuple[str, str], float] = {}  # jti of a client → until when it would be accepted again

    def token(self, form: dict[str, str]) -> Json:
        """A token for a signed assertion.

        Raises:
            TokenRefused: the assertion or the scopes are not acceptable.
        """
        if form.get("grant_type") != "client_credentials":
            raise TokenRefused("unsupported_grant_type", "only client_credentials")
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise TokenRefused("invalid_client", "client_assertion_type is jwt-bearer")
        client = self._client(form.get("client_assertion", ""))
        granted = [s for s in form.get("scope", "").split() if is_scope(s) and covers(client.scopes, s)]
        if not granted:
            raise TokenRefused("invalid_scope", "none of the scopes is granted to this client")
        token = secrets.token_urlsafe(32)
        self._tokens[token] = time.time() + self._token_seconds, frozenset(granted)
        expires_in = int(self._token_seconds)
        return {"access_token": token, "token_type": "bearer", "expires_in": expires_in, "scope": " ".join(granted)}

    def _client(self, assertion: str) -> RegisteredClient:
        try:
            header = jwt.get_unverified_header(assertion)
            issuer = jwt.decode(assertion, options={"verify_signature": False})["iss"]
            client = self._clients[issuer]
            keys = {key["kid"]: key for key in client.jwks["keys"]}
            key = keys[header["kid"]]
            algorithm = _ALGORITHMS[key["kty"]]
            claims = jwt.decode(
                assertion, jwt.PyJWK.from_dict(key, algorithm).key, algorithms=[algorithm], audience=self.token_url,
                issuer=client.client_id, subject=client.client_id, options={"require": _CLAIMS},
            )  # fmt: skip
        except (jwt.PyJWTError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise TokenRefused("invalid_client", f"the assertion is refused: {type(error).__name__}") from error
        self._require_fresh(client, claims)
        return client

    def _require_fresh(self, client: RegisteredClient, claims: Json) -> None:
        now, until = time.time(), float(claims["exp"])
        if until - now > LONGEST_ASSERTION_S:
            raise TokenRefused("invalid_client", "an assertion lives at most five minutes")
        self._seen = {known: end for known, end in self._seen.items() if end > now}
        used = client.client_id, str(claims["jti"])
        if used in self._seen:
            raise TokenRefused("invalid_client", "this assertion was used before")
        self._seen[used] = until

    def scopes(self, request: Request) -> frozenset[str]:
        """What the token of a request allows.

        Raises:
            Refused: 401, no token or one that no longer holds.
        """
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            raise Refused(401, "login", "a token is needed", headers={"WWW-Authenticate": "Bearer"})
        until, scopes = self._tokens.get(token.strip(), (0.0, frozenset()))
        if until <= time.time():
            self._tokens.pop(token.strip(), None)
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            raise Refused(401, "expired", "the token does not hold", headers=challenge)
        return scopes

    def configuration(self) -> Json:
        """``.well-known/smart-configuration``."""
        return {
            "token_endpoint": self.token_url,
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": sorted(_ALGORITHMS.values()),
            "scopes_supported": sorted({scope for client in self._clients.values() for scope in client.scopes}),
            "code_challenge_methods_supported": ["S256"],
            "capabilities": ["client-confidential-asymmetric", "permission-v2"],
        }
