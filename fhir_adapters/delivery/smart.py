"""SMART Backend Services: a signed statement for a short-lived token, renewed before it ends.

Source: SMART App Launch 2.2, Backend Services and asymmetric client authentication.
"""

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from passerelle.errors import UsageError

Algorithm = Literal["ES384", "RS384"]
Clock = Callable[[], float]
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
STATEMENT_S = 240  # of a signed statement: five minutes at most, less what clocks may differ
EARLY_S = 30.0  # a token is renewed so long before it ends
RSA_BITS = 3072


class TokenRefused(Exception):
    """The authorization server gave no token: nothing was sent to the target."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, and the name under which its public half is published."""

    private: Any
    algorithm: Algorithm

    @classmethod
    def read(cls, path: Path) -> "SigningKey":
        """From a PEM file.

        Raises: UsageError: the file holds no key of P-384 or RSA.
        """
        try:
            private = load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise UsageError(
                f"no private key can be read: {type(error).__name__}",
                looked=str(path),
                do="make one: passerelle fhir new-key FILE",
            ) from error
        if isinstance(private, rsa.RSAPrivateKey):
            return cls(private, "RS384")
        if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name == "secp384r1":
            return cls(private, "ES384")
        raise UsageError("the key is neither RSA nor P-384", looked=str(path), do="SMART servers take RS384 and ES384")

    @classmethod
    def new(cls, path: Path, algorithm: Algorithm) -> "SigningKey":
        """A new key, in a file that only its owner may read."""
        private = (
            ec.generate_private_key(ec.SECP384R1())
            if algorithm == "ES384"
            else rsa.generate_private_key(65537, RSA_BITS)
        )
        path.touch(mode=0o600, exist_ok=False)
        path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return cls(private, algorithm)

    @property
    def public(self) -> dict[str, Any]:
        """The public half as a JSON Web Key; ``kid`` is its thumbprint (RFC 7638)."""
        kind = jwt.algorithms.ECAlgorithm if self.algorithm == "ES384" else jwt.algorithms.RSAAlgorithm
        key = kind.to_jwk(self.private.public_key(), as_dict=True)
        needed = {name: key[name] for name in ("crv", "e", "kty", "n", "x", "y") if name in key}
        digest = hashlib.sha256(json.dumps(needed, separators=(",", ":"), sort_keys=True).encode()).digest()
        kid = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return needed | {"kid": kid, "alg": self.algorithm, "use": "sig", "key_ops": ["verify"]}


def key_set(keys: Sequence[SigningKey]) -> dict[str, Any]:
    """The JSON Web Key Set to publish. While keys rotate, the former one stays in it."""
    return {"keys": [key.public for key in keys]}


class BackendServices(httpx.Auth):
    """Gives each request a token; asks for one when there is none, when it is about to end, and once after a 401."""

    requires_response_body = True

    def __init__(
        self, base_url: str, client_id: str, key: SigningKey, *, token_url: str | None, scopes: str,
        clock: Clock = time.time,
    ) -> None:  # fmt: skip
        self._base_url, self._client_id, self._key = base_url.rstrip("/"), client_id, key
        self._token_url, self._scopes, self._clock = token_url, scopes, clock
        self._token, self._until = "", 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """The request with a token, and what is needed to get one."""
        fresh = self._clock() >= self._until
        if fresh:
            yield from self._renew()
        request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        if response.status_code == 401 and not fresh:
            yield from self._renew()
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request

    def _renew(self) -> Generator[httpx.Request, httpx.Response, None]:
        if self._token_url is None:
            configuration = yield httpx.Request("GET", f"{self._base_url}/.well-known/smart-configuration")
            self._token_url = str(_answer(configuration, "token_endpoint"))
        response = yield self._token_request(self._token_url)
        self._token = str(_answer(response, "access_token"))
        lifetime = float(response.json().get("expires_in", 300))
        self._until = self._clock() + max(lifetime - EARLY_S, lifetime / 2)

    def _token_request(self, url: str) -> httpx.Request:
        form = {
            "grant_type": "client_credentials",
            "scope": self._scopes,
            "client_assertion_type": ASSERTION,
            "client_assertion": self._statement(url),
        }
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        return httpx.Request("POST", url, content=urlencode(form), headers=headers)

    def _statement(self, url: str) -> str:
        now = int(self._clock())
        claims = {
            "iss": self._client_id, "sub": self._client_id, "aud": url, "jti": str(uuid.uuid4()),
            "exp": now + STATEMENT_S,
        }  # fmt: skip
        headers = {"kid": self._key.public["kid"], "typ": "JWT"}
        return jwt.encode(claims, self._key.private, algorithm=self._key.algorithm, headers=headers)


def _answer(response: httpx.Response, name: str) -> Any:
    try:
        found = response.json().get(name) if response.status_code == 200 else None
    except (ValueError, AttributeError):
        found = None
    if not found:
        raise TokenRefused(f"the authorization server answers {response.status_code} without {name}")
    return found
