"""The service under test over HTTP: every call is signed where a key was given, as a CDS client does."""

import copy
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from fhir_adapters.cds_hooks.messages import Problem, check_response, errors
from fhir_adapters.cds_hooks.suite.requests import invented
from fhir_adapters.cds_hooks.suite.tokens import Signer
from fhir_adapters.cds_hooks.suite.verdict import Failed, Skipped
from fhir_adapters.exact_json import dumps

Json = dict[str, Any]
Authorize = Callable[[str], str | None]

JSON_TYPE = "application/json"
SHOWN_PROBLEMS = 3
TRIES, LONGEST_WAIT_S = 4, 30.0  # a rate limit is no fault


@dataclass
class Server:
    """A server of CDS services at ``{base}/cds-services``."""

    base_url: str
    http: httpx.Client
    signer: Signer | None = None
    origin: str | None = None  # of a browser that it should let in

    @property
    def discovery_url(self) -> str:
        """Where its services are listed."""
        return f"{self.base_url}/cds-services"

    def discover(self) -> httpx.Response:
        """Ask for its services."""
        return self._send("GET", self.discovery_url, b"", "", self._own_token)

    def send(
        self,
        path: str,
        body: Any,
        *,
        method: str = "POST",
        content_type: str = JSON_TYPE,
        authorize: Authorize | None = None,
    ) -> httpx.Response:
        """Send a message below the discovery address.

        Args:
            body: bytes as they are, anything else as JSON.
            authorize: gives the token for an address, or none; the client's own when not given.
        """
        content = body if isinstance(body, bytes) else dumps(body).encode()
        return self._send(method, f"{self.discovery_url}/{path}", content, content_type, authorize or self._own_token)

    def _own_token(self, url: str) -> str | None:
        return None if self.signer is None else self.signer.token(url)

    def _send(self, method: str, url: str, content: bytes, content_type: str, authorize: Authorize) -> httpx.Response:
        for _ in range(TRIES):
            token = authorize(url)
            headers = {"content-type": content_type} if content_type else {}
            headers |= {"authorization": f"Bearer {token}"} if token is not None else {}
            reply = self.http.request(method, url, content=content, headers=headers)
            if reply.status_code != httpx.codes.TOO_MANY_REQUESTS:
                break
            time.sleep(_wait(reply.headers.get("retry-after", "")))
        return reply


def _wait(retry_after: str) -> float:
    return min(float(retry_after), LONGEST_WAIT_S) if retry_after.isdigit() else 1.0


@dataclass
class Service:
    """One entry of the discovery, and the requests with which it is tried."""

    server: Server
    entry: Json
    own: tuple[Json, ...] = ()  # requests of the caller for this hook, instead of the invented patient's
    hooks: frozenset[str] = frozenset()  # of every entry with the same id
    takes_feedback: bool = False  # known once it has taken some
    _cards: list[Json] | None = field(default=None, repr=False)

    @property
    def id(self) -> str:
        """The last part of its address."""
        return str(self.entry["id"])

    @property
    def name(self) -> str:
        """For people: id and hook."""
        return f"{self.id} ({self.entry['hook']})"

    def requests(self) -> list[Json]:
        """Valid requests, each with a hookInstance of its own.

        Raises:
            Skipped: the hook is not one of ours and the caller gave no request for it.
        """
        given = [copy.deepcopy(request) for request in self.own]
        made = given or [request for request in [invented(self.entry)] if request]
        if not made:
            raise Skipped(f"no request for the hook {self.entry['hook']} is built in; give one with --request")
        return [request | {"hookInstance": str(uuid.uuid4())} for request in made]

    def request(self) -> Json:
        """The first of them."""
        return self.requests()[0]

    def call(self, body: Any, **options: Any) -> httpx.Response:
        """Post a body to the service; the options are those of ``Server.send``."""
        return self.server.send(self.id, body, **options)

    def cards(self) -> list[Json]:
        """The cards of its answers to valid requests, asked once: what else is judged by them needs them to be right.

        Raises:
            Skipped: they are not; the check ``valid-request`` says why.
        """
        if self._cards is None:
            try:
                answers = [answer(self.call(request)) for request in self.requests()]
            except Failed as failed:
                raise Skipped("valid requests are not answered rightly (see valid-request)") from failed
            self._cards = [card for body in answers for card in body["cards"]]
        return self._cards


def answer(reply: httpx.Response) -> Json:
    """The body of a 200 answer that keeps every rule of the text.

    Raises:
        Failed: it does not.
    """
    body = parsed(reply)
    refuse(errors(check_response(body)))
    assert isinstance(body, dict)  # else it had problems
    return body


def parsed(reply: httpx.Response) -> Any:
    """The JSON of a 200 answer that says it is JSON."""
    if reply.status_code in (401, 403):
        raise Failed(f"{reply.status_code}: the client is not let in (see --token-key)")
    if reply.status_code != httpx.codes.OK:
        raise Failed(f"{reply.status_code} where 200 is expected")
    stated = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if stated != JSON_TYPE:
        raise Failed(f"the content type is {stated or 'absent'}, not {JSON_TYPE}")
    try:
        return reply.json()
    except (ValueError, RecursionError) as error:
        raise Failed("the body is no JSON") from error


def refuse(problems: list[Problem]) -> None:
    """Fail with the first problems, if there are any."""
    if problems:
        more = f" and {len(problems) - SHOWN_PROBLEMS} more" if len(problems) > SHOWN_PROBLEMS else ""
        raise Failed("; ".join(f"{p.path}: {p.message} ({p.rule})" for p in problems[:SHOWN_PROBLEMS]) + more)
