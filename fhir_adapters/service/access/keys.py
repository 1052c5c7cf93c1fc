"""The public keys of an issuer, from where its declaration says they are."""

from __future__ import annotations

import json
import threading
import time
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import jwt

from fhir_adapters.service.access.registry import Issuer
from passerelle.errors import UsageError

KINDS = {"ES384": "EC", "RS384": "RSA"}
RSA_BITS = 2048
FRESH_S = 600.0  # how long a set that was fetched is used
AGAIN_S = 30.0  # an unknown key id has the set fetched anew, but not more often than this
TIMEOUT_S = 5.0
MOST_BYTES = 100_000


class _Key:
    """One key of a set; read when it is first needed."""

    def __init__(self, jwk: dict[str, Any]) -> None:
        self._jwk = jwk

    def of(self, algorithm: str) -> Any:
        """The key for an algorithm; None when it is not one for it."""
        fits = self._jwk.get("kty") == KINDS[algorithm] and self._jwk.get("alg", algorithm) == algorithm
        return self._read if fits else None

    @cached_property
    def _read(self) -> Any:
        kind = next(algorithm for algorithm, kty in KINDS.items() if kty == self._jwk["kty"])
        try:
            key = jwt.PyJWK(self._jwk, kind).key
        except jwt.PyJWTError:
            return None
        return key if kind == "ES384" or key.key_size >= RSA_BITS else None


class KeySource:
    """The key set of one issuer. Only its own declared address is ever called."""

    def __init__(self, issuer: Issuer, folder: Path) -> None:
        self.url = issuer.keys.url
        self._lock, self._fetched = threading.Lock(), float("-inf")
        self._keys: dict[str, _Key] = {}
        if issuer.keys.file is not None:
            self._keys = _by_id(_read(folder / issuer.keys.file))
        elif issuer.keys.jwks is not None:
            self._keys = _by_id(issuer.keys.jwks)

    def find(self, kid: str, algorithm: str) -> Any:
        """The key of an id, if it is one for the algorithm; None when there is none."""
        if self.url is not None:
            self._refresh(kid)
        keys = self._keys
        return keys[kid].of(algorithm) if kid in keys else None

    def _refresh(self, kid: str) -> None:
        with self._lock:
            age = time.monotonic() - self._fetched
            if age > FRESH_S or (kid not in self._keys and age > AGAIN_S):
                self._fetched = time.monotonic()
                self._keys = self._fetch() or self._keys

    def _fetch(self) -> dict[str, _Key] | None:
        try:
            reply = httpx.get(str(self.url), timeout=TIMEOUT_S, follow_redirects=False, trust_env=False)
            reply.raise_for_status()
            return _by_id(json.loads(reply.content[:MOST_BYTES]))
        except (httpx.HTTPError, ValueError):
            return None


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError("a key set cannot be read", looked=str(path), do="give a JSON Web Key Set") from error


def _by_id(jwks: Any) -> dict[str, _Key]:
    keys = jwks.get("keys", ()) if isinstance(jwks, dict) else ()
    return {str(key["kid"]): _Key(key) for key in keys if isinstance(key, dict) and "kid" in key}
