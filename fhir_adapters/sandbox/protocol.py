"""HTTP to interaction, and answer to HTTP: formats, encodings, preferences."""

import re
import zlib
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from fhir_adapters.exact_json import dumps, loads
from fhir_adapters.refused import Refused, operation_outcome
from fhir_adapters.sandbox.interaction import Answer, Interaction

FHIR_JSON = "application/fhir+json"
FORM = "application/x-www-form-urlencoded"
LARGEST_BODY = 64 * 1024 * 1024
_JSON = {FHIR_JSON, "application/json", "text/json", "json"}
_READABLE = _JSON | {"*/*", "application/*", ""}
_R4 = {"4.0", "4.0.1"}


def interaction(request: Request, path: str, body: bytes, scopes: frozenset[str] | None, limit: int) -> Interaction:
    """What a request asks for.

    Raises:
        Refused: 406, 413 or 415, or a body that is not JSON.
    """
    headers = dict(request.headers)
    # R4: a parameter without a value is as if it were absent.
    query = [
        (name, value) for name, value in parse_qsl(request.scope["query_string"].decode("latin-1")) if name != "_pretty"
    ]
    formats = [value for name, value in query if name == "_format"]
    _require_readable(formats[-1] if formats else headers.get("accept", ""))
    query = [pair for pair in query if pair[0] != "_format"]
    body = _decoded(body, headers.get("content-encoding", "identity"), limit)
    is_search = path.endswith("_search")
    if body:
        _require_type(headers.get("content-type", ""), {FORM} if is_search else _JSON)
    if is_search:
        query += parse_qsl(body.decode("utf-8", "replace"))
    return Interaction(
        method="GET" if request.method == "HEAD" else request.method,
        path=tuple(part for part in path.split("/") if part),
        query=query,
        resource=_parsed(body) if body and not is_search else None,
        if_match=headers.get("if-match"),
        if_none_match=headers.get("if-none-match"),
        if_none_exist=headers.get("if-none-exist"),
        prefer=frozenset(part.strip() for part in re.split("[,;]", headers.get("prefer", ""))),
        scopes=scopes,
    )


def _require_readable(accept: str) -> None:
    """At least one of the formats that the client reads is ours."""
    offered = [part.partition(";") for part in accept.split(",")]
    if not any(name.strip().lower() in _READABLE and _is_r4(parameters) for name, _, parameters in offered):
        raise Refused(406, "not-supported", f"this server writes {FHIR_JSON} of R4 only")


def _require_type(content_type: str, allowed: set[str]) -> None:
    name, _, parameters = content_type.partition(";")
    if name.strip().lower() not in {"", *allowed} or not _is_r4(parameters):
        raise Refused(415, "not-supported", f"this server reads {' or '.join(sorted(allowed))} here")


def _is_r4(parameters: str) -> bool:
    version = re.search(r"fhirVersion\s*=\s*\"?([\w.]+)", parameters)
    return version is None or version.group(1) in _R4


def _decoded(body: bytes, encoding: str, limit: int) -> bytes:
    if encoding == "gzip":
        try:
            unpack = zlib.decompressobj(wbits=31)
            body = unpack.decompress(body, limit + 1)
        except zlib.error as error:
            raise Refused(400, "structure", "the body is not gzip") from error
    elif encoding != "identity":
        raise Refused(415, "not-supported", "this server reads gzip, or no encoding")
    if len(body) > limit:
        raise Refused(413, "too-long", f"a body has at most {limit} bytes here")
    return body


def _parsed(body: bytes) -> Any:
    try:
        return loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "structure", "the body is not JSON") from error


def respond(base_url: str, asked: Interaction | None, answer: Answer) -> Response:
    """The answer over HTTP, with as much of it as ``Prefer`` asks for."""
    headers = dict(answer.headers)
    resource = answer.resource
    is_write = asked is not None and asked.is_write
    if version := answer.version:
        headers |= {"ETag": version.etag, "Last-Modified": _http_date(version.updated)}
        if is_write and version.resource:
            headers["Location"] = f"{base_url}/{version.path}/_history/{version.version_id}"
    if asked is not None and is_write and answer.status < 300 and asked.path:
        if "return=minimal" in asked.prefer:
            resource = None
        elif "return=OperationOutcome" in asked.prefer:
            resource = operation_outcome({"severity": "information", "code": "informational"})
    if resource is None:
        return Response(b"", answer.status, headers)
    return Response(dumps(resource).encode(), answer.status, headers, media_type=FHIR_JSON)


def told(refused: Refused) -> Response:
    """A refusal over HTTP."""
    return respond("", None, Answer(refused.status, refused.outcome, headers=refused.headers))


def _http_date(instant: str) -> str:
    return format_datetime(datetime.fromisoformat(instant), usegmt=True)
