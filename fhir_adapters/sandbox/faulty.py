"""How each fault acts on a request: instead of the work, on the entries of a Bundle, or on the answer."""

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from fhir_adapters.exact_json import dumps, loads
from fhir_adapters.refused import Refused
from fhir_adapters.sandbox.bundles import response as bundle_response
from fhir_adapters.sandbox.faults import Fault
from fhir_adapters.sandbox.interaction import Answer, Interaction

Json = dict[str, Any]
_PAGE = "<!doctype html><title>Portail</title><p>Votre session a expiré."


class CutConnection(Response):
    """Announces a body, sends a part of it or nothing, then closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Start an answer that never ends; the server closes the connection when this returns."""
        headers = [(b"content-length", str(len(self.body) * 2 + 1000).encode())]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        if self.body:
            await send({"type": "http.response.body", "body": self.body, "more_body": True})


async def instead(fault: Fault, body: bytes) -> Response | None:
    """What a client gets in the place of the work; None when the work is done.

    Raises:
        Refused: the fault is an error that FHIR can tell.
    """
    if fault.kind in ("slow", "timeout"):
        await asyncio.sleep(fault.seconds)
    if fault.kind.isdigit():
        headers = {"Retry-After": f"{fault.seconds:g}"} if fault.kind in ("429", "503") else {}
        raise Refused(int(fault.kind), "transient", f"fault on demand: {fault.kind}", headers=headers)
    if fault.kind == "echo":
        raise Refused(422, "invalid", f"not understood: {body.decode('utf-8', 'replace')}")
    if fault.kind == "html":
        return HTMLResponse(_PAGE)
    if fault.kind == "kill-before-commit":
        os.kill(fault.pid, signal.SIGKILL)
    return CutConnection() if fault.kind in ("reset", "timeout", "kill-before-commit") else None


def on_entries(fault: Fault, asked: Interaction, work: Callable[[Interaction], Answer]) -> Answer:
    """The work, or the part of it that the fault leaves of a Bundle."""
    bundle = asked.resource
    listed = bundle.get("entry") if isinstance(bundle, dict) and not asked.path else None
    if not isinstance(listed, list):
        return work(asked)

    def only(entries: list[Json]) -> list[Json]:
        part = work(replace(asked, resource=bundle | {"type": "batch", "entry": entries})).resource
        return part.get("entry", []) if part else []

    match fault.kind:
        case "429-in-entry":
            return _answered([_failed("429") for _ in listed])
        case "429-in-half":
            kept = iter(only(listed[::2]))
            return _answered([_failed("429") if index % 2 else next(kept) for index in range(len(listed))])
        case "half-applied":
            only(listed[: (len(listed) + 1) // 2])
            raise Refused(500, "exception", "fault on demand")
        case "first-entry-only":
            return _answered([*only(listed[:1]), *(_failed("500") for _ in listed[1:])])
    return work(asked)


async def afterwards(fault: Fault, response: Response) -> Response:
    """What the client gets of an answer when the work is done."""
    body = bytes(response.body)
    match fault.kind:
        case "500-after-commit":
            raise Refused(500, "exception", "fault on demand")
        case "timeout-after-commit":
            await asyncio.sleep(fault.seconds)
            return CutConnection()
        case "reset-after-commit":
            return CutConnection()
        case "kill-after-commit":
            os.kill(fault.pid, signal.SIGKILL)
            return CutConnection()
        case "cut-answer":
            return CutConnection(body[: len(body) // 2], response.status_code)
        case "truncated-json":
            return _with_body(response, body[: len(body) // 2])
        case "drop-entry" if body and isinstance((content := loads(body)).get("entry"), list):
            return _with_body(response, dumps(content | {"entry": content["entry"][:-1]}).encode())
    return response


def _with_body(response: Response, body: bytes) -> Response:
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Response(body, response.status_code, headers)


def _failed(status: str) -> Json:
    return {"response": {"status": status}}


def _answered(entries: list[Json]) -> Answer:
    return bundle_response("transaction-response", entries)
