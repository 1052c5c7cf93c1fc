"""The checks of a token: signed by a key that is registered, for this address, for minutes, once.

Source: CDS Hooks 2.0, "Trusting CDS Clients"; RFC 8725.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from fhir_adapters.service.access.keys import KINDS, KeySource

Claims = dict[str, Any]
LONGEST_S = 300  # from iat to exp
LEEWAY_S = 10  # what clocks may differ
MOST_NONCES = 500_000
NEEDED = ["aud", "exp", "iat", "iss", "jti"]


class NotLetIn(Exception):
    """Why a token was refused; without anything of the token."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """Checks the tokens of some issuers."""

    keys: Mapping[str, KeySource]  # by issuer

    def claims(self, token: str, audience: str) -> Claims:
        """The claims of a token for an audience.

        Raises:
            NotLetIn: it breaks a rule.
        """
        try:
            header = jwt.get_unverified_header(token)
            issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise NotLetIn("the token is no JWT") from error
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in KINDS:
            raise NotLetIn("the algorithm is neither ES384 nor RS384")
        source = self.keys.get(issuer) if isinstance(issuer, str) else None
        if source is None:
            raise NotLetIn("the issuer is not registered")
        if header.get("jku") is not None and header["jku"] != source.url:
            raise NotLetIn("the address of the keys (jku) is not that of the issuer")
        key = source.find(kid, algorithm) if isinstance(kid, str) else None
        if key is None:
            raise NotLetIn("the key id is not registered")
        return _verified(token, key, algorithm, audience)


class Nonces:
    """Ids of tokens that were used, each kept until its token has expired.

    What was used before this service began is not known, so a token older than it is refused.
    """

    def __init__(self) -> None:
        self._began, self._lock = int(time.time()), threading.Lock()
        self._until: dict[tuple[str, str], float] = {}

    def use(self, claims: Claims) -> None:
        """Use a token.

        Raises:
            NotLetIn: it was used before.
        """
        now, key = time.time(), (str(claims["iss"]), str(claims["jti"]))
        if claims["iat"] < self._began:
            raise NotLetIn("the token was made before this service began: make another one")
        with self._lock:
            if self._until.get(key, 0.0) > now:
                raise NotLetIn("the token was used before")
            if len(self._until) >= MOST_NONCES:
                self._until = {known: until for known, until in self._until.items() if until > now}
            self._until[key] = claims["exp"] + LEEWAY_S


def _verified(token: str, key: Any, algorithm: str, audience: str) -> Claims:
    try:
        claims: Claims = jwt.decode(
            token, key, algorithms=[algorithm], audience=audience, leeway=LEEWAY_S, options={"require": NEEDED}
        )
    except jwt.PyJWTError as error:
        raise NotLetIn(f"the token is refused: {type(error).__name__}") from error
    made, ends = claims["iat"], claims["exp"]
    if not isinstance(made, int | float) or not isinstance(ends, int | float) or not str(claims["jti"]).strip():
        raise NotLetIn("iat and exp are numbers of seconds, jti says something")
    if ends - made > LONGEST_S or ends > time.time() + LONGEST_S + LEEWAY_S:
        raise NotLetIn("the token lives longer than five minutes")
    return claims
