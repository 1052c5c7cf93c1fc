"""HTTP with one target: JSON out, JSON in, and the difference between "not sent" and "nobody knows"."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from fhir_adapters.delivery.smart import TokenRefused
from fhir_adapters.exact_json import dumps, loads
from passerelle.errors import TargetBusy

Json = dict[str, Any]

FHIR_JSON = "application/fhir+json"
PAGE = 200  # resources in one answer to a search
# The connection was never there, so the target has done nothing.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class NotSent(Exception):
    """The request never left."""


class Lost(Exception):
    """The request left and no answer came back: the target may have done it."""


class Foreign(Lost):
    """An answer came back that no FHIR server gave: a proxy's page, half a text. The target may have done it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the target."""

    status: int
    headers: httpx.Headers
    body: Json

    @property
    def version_id(self) -> str | None:
        """From the ETag, else from the resource."""
        return version_of(self.headers.get("etag")) or _text(self.meta.get("versionId"))

    @property
    def meta(self) -> Json:
        """Of the resource in the answer, if there is one."""
        meta = self.body.get("meta")
        return meta if isinstance(meta, dict) else {}

    @property
    def location_id(self) -> str | None:
        """Logical id in the Location header."""
        return id_in_location(self.headers.get("location"))

    @property
    def resources(self) -> list[Json]:
        """Of a searchset: what was found, without the messages of the server."""
        listed = self.body.get("entry")
        entries = [e for e in listed if isinstance(e, dict)] if isinstance(listed, list) else []
        found = [e["resource"] for e in entries if isinstance(e.get("resource"), dict)]
        return [r for r in found if r.get("resourceType") != "OperationOutcome"]

    @property
    def next_page(self) -> str | None:
        """Of a searchset: the address of what follows."""
        links = self.body.get("link")
        listed = [x for x in links if isinstance(x, dict)] if isinstance(links, list) else []
        return next((_text(x.get("url")) for x in listed if x.get("relation") == "next"), None)

    @property
    def outcome(self) -> str | None:
        """The OperationOutcome as text, or the beginning of what came instead."""
        if self.body.get("resourceType") == "OperationOutcome":
            return dumps(self.body)
        return None


class Target:
    """One FHIR server. Nothing in a URL identifies a patient: URLs end up in logs."""

    def __init__(
        self, base_url: str, *, timeout_s: float, auth: httpx.Auth | None = None,
        tls: ssl.SSLContext | None = None, transport: httpx.BaseTransport | None = None,
    ) -> None:  # fmt: skip
        self.base_url = base_url.rstrip("/")
        self.requests = 0
        # trust_env off: a proxy of the machine must not see resources on their way to the record system.
        # Without TLS there is no certificate to load, which takes longer than many deliveries.
        self._client = httpx.Client(
            timeout=timeout_s, auth=auth, transport=transport, trust_env=False,
            verify=tls or self.base_url.startswith("https"),
            headers={"Accept": FHIR_JSON, "User-Agent": "passerelle"},
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, path: str, params: dict[str, str] | None = None) -> Reply:
        """Read or search."""
        return self._request("GET", path, params=params)

    def follow(self, url: str) -> Reply:
        """The next page of a searchset, as the target gave its address; only at the target itself."""
        base = httpx.URL(self.base_url)
        following = base.join(url)
        if (following.host, following.port, following.scheme) != (base.host, base.port, base.scheme):
            raise Lost("the next page is at another server")
        return self._request("GET", str(following))

    def everything(self, resource_type: str, params: dict[str, str]) -> Iterator[Json]:
        """Every resource that a search finds, page by page.

        Raises: TargetBusy: the target answers otherwise than it should.
        """
        reply = self.get(resource_type, params | {"_count": str(PAGE)})
        while True:
            if reply.status != 200:
                raise busy(self.base_url, reply)
            yield from reply.resources
            if reply.next_page is None:
                return
            reply = self.follow(reply.next_page)

    def search_in_body(self, resource_type: str, params: dict[str, str]) -> Reply:
        """``POST [type]/_search``: for parameters that identify a patient."""
        return self._request("POST", f"{resource_type}/_search", data=params)

    def send(self, method: str, path: str, body: Json, headers: dict[str, str] | None = None) -> Reply:
        """Create, update or transaction."""
        asked = {"Content-Type": FHIR_JSON, "Prefer": "return=minimal"} | (headers or {})
        return self._request(method, path, content=dumps(body).encode(), headers=asked)

    def delete(self, path: str) -> Reply:
        """Delete what we wrote ourselves to try a target."""
        return self._request("DELETE", path)

    def _request(self, method: str, path: str, **arguments: Any) -> Reply:
        self.requests += 1
        try:
            url = path if path.startswith(("http://", "https://")) else f"{self.base_url}/{path}".rstrip("/")
            response = self._client.request(method, url, **arguments)
        except TokenRefused as error:
            raise NotSent(str(error)) from error
        except _NOT_SENT as error:
            raise NotSent(type(error).__name__) from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise Lost(type(error).__name__) from error
        return Reply(response.status_code, response.headers, _body(response))


def busy(base_url: str, reply: Reply) -> TargetBusy:
    """The error of a read that gave something else than what was read for."""
    return TargetBusy(f"the FHIR server answers {reply.status} to a read", looked=base_url, do="try later")


def version_of(etag: str | None) -> str | None:
    """``W/"3"`` → ``3``. A version is opaque: compared for equality only."""
    return etag.removeprefix("W/").strip('"') or None if etag else None


def id_in_location(location: str | None) -> str | None:
    """``https://x/fhir/Device/12/_history/1`` → ``12``."""
    if not location:
        return None
    parts = location.rstrip("/").split("/")
    if "_history" in parts:
        parts = parts[: parts.index("_history")]
    return parts[-1] or None


def _body(response: httpx.Response) -> Json:
    """The JSON object that was answered; of a refusal the status is what counts, whatever comes with it."""
    content = response.content
    try:
        parsed = loads(content) if content else {}
    except (ValueError, RecursionError):
        parsed = None
    if isinstance(parsed, dict):
        return parsed
    if response.is_success:
        raise Foreign("the answer is no JSON of a FHIR server")
    return {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
