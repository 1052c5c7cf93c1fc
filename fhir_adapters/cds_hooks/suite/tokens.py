"""The JWT of a CDS client, as the text wants it, and as an attacker would make it."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from passerelle.errors import UsageError

Json = dict[str, Any]
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

LIFETIME_S = 120
RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class Signer:
    """A client that signs each call with its private key."""

    key: PrivateKey
    algorithm: str
    issuer: str
    kid: str
    jku: str | None = None

    def token(self, audience: str | list[str], **changes: Any) -> str:
        """A JWT for one call.

        Args:
            audience: the address that is called.
            changes: claims that are to be otherwise; None leaves one out.
        """
        return jwt.encode(self._claims(audience, changes), self.key, self.algorithm, headers=self._header())

    def unsigned(self, audience: str) -> str:
        """The same with the algorithm ``none``."""
        return jwt.encode(self._claims(audience, {}), "", "none", headers=self._header())

    def symmetric(self, audience: str) -> str:
        """Signed with HS256 and, as secret, the public key: a service that takes any algorithm finds it right."""
        secret = self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        header = {"alg": "HS256", "typ": "JWT"} | self._header()
        parts = [_encoded(json.dumps(part).encode()) for part in (header, self._claims(audience, {}))]
        signature = hmac.new(secret, ".".join(parts).encode(), hashlib.sha256).digest()
        return ".".join([*parts, _encoded(signature)])

    def with_another_key(self) -> "Signer":
        """The same client by name, with a key that nobody registered."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            return replace(self, key=rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS))
        return replace(self, key=ec.generate_private_key(self.key.curve))

    def key_set(self) -> Json:
        """Its public key as a JWK Set."""
        public = self.key.public_key()
        jwk = (
            RSAAlgorithm.to_jwk(public, as_dict=True)
            if isinstance(public, rsa.RSAPublicKey)
            else ECAlgorithm.to_jwk(public, as_dict=True)
        )
        return {"keys": [jwk | {"kid": self.kid, "use": "sig", "alg": self.algorithm}]}

    def _header(self) -> Json:
        return {"kid": self.kid} | ({"jku": self.jku} if self.jku else {})

    def _claims(self, audience: str | list[str], changes: Json) -> Json:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": audience, "iat": now, "exp": now + LIFETIME_S, "jti": str(uuid.uuid4())}
        return {name: value for name, value in (claims | changes).items() if value is not None}


def load_signer(path: Path, *, algorithm: str, issuer: str, kid: str, jku: str | None = None) -> Signer:
    """A signer from a private key in PEM, without a passphrase.

    Raises:
        UsageError: the file holds no such key, or the key is not for this algorithm.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise UsageError(
            "the file holds no private key that can be read",
            looked=str(path),
            do="give a private key in PEM, without a passphrase",
        ) from error
    if not _fits(key, algorithm):
        raise UsageError(
            f"the key is not one for {algorithm}",
            looked=str(path),
            do="ES384 wants a key on the curve P-384, RS384 an RSA key",
        )
    assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    return Signer(key, algorithm, issuer, kid, jku)


def _fits(key: Any, algorithm: str) -> bool:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return algorithm == "ES384" and isinstance(key.curve, ec.SECP384R1)
    return algorithm == "RS384" and isinstance(key, rsa.RSAPrivateKey)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
