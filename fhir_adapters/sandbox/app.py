"""The HTTP of the sandbox: FHIR under ``/fhir``, a page for people at ``/``, faults under ``/sandbox``."""

import asyncio
import html
import threading
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from fhir_adapters.exact_json import dumps, loads
from fhir_adapters.sandbox import bundles, operations
from fhir_adapters.sandbox.capability import NOTICE, statement
from fhir_adapters.sandbox.errors import Refused, operation_outcome
from fhir_adapters.sandbox.faults import BEFORE, Fault, Faults
from fhir_adapters.sandbox.operations import Abilities, Answer
from fhir_adapters.sandbox.search import Parameters, matches
from fhir_adapters.sandbox.store import Store

Json = dict[str, Any]
FHIR_JSON = "application/fhir+json"
PAGE = 50


class CutConnection(Response):
    """Announces a body, then closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Start an answer that never ends; the server closes the connection when this returns."""
        headers = [(b"content-length", b"1000"), (b"content-type", FHIR_JSON.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})


class Sandbox:
    """One server: its store, its faults, its abilities."""

    def __init__(self, abilities: Abilities) -> None:
        self.abilities, self.store, self.faults = abilities, Store(), Faults()
        self._lock = threading.Lock()

    async def fhir(self, request: Request) -> Response:
        """Any FHIR request."""
        body, path = await request.body(), request.path_params.get("path", "").strip("/")
        if path == "metadata":
            return _respond(Answer(200, statement(str(request.base_url) + "fhir", self.abilities)))
        write = request.method in ("POST", "PUT", "DELETE") and not path.endswith("_search")
        header = request.headers.get("x-sandbox-fault")
        fault = Fault(header) if header else self.faults.take(write=write)  # type: ignore[arg-type]
        try:
            return await self._with_fault(fault, request, path, body)
        except Refused as refused:
            return _respond(Answer(refused.status, refused.outcome))

    async def _with_fault(self, fault: Fault | None, request: Request, path: str, body: bytes) -> Response:
        kind = fault.kind if fault else None
        if fault and kind in BEFORE:
            outcome = operation_outcome("transient", f"fault on demand: {kind}")
            headers = {"Retry-After": f"{fault.seconds:g}"} if kind in ("429", "503") else {}
            return _respond(Answer(int(fault.kind), outcome, headers))
        if kind == "reset":
            return CutConnection()
        if kind == "echo":
            raise Refused(422, "invalid", f"not understood: {body.decode('utf-8', 'replace')}")
        if fault and kind == "slow":
            await asyncio.sleep(fault.seconds)
        answer = self._work(request, path, body, kind)
        if kind == "duplicate":
            answer = self._work(request, path, body, None)
        if kind == "500-after-commit":
            raise Refused(500, "exception", "fault on demand")
        if fault and kind == "timeout-after-commit":
            await asyncio.sleep(fault.seconds)
        if kind in ("reset-after-commit", "timeout-after-commit"):
            return CutConnection()
        minimal = "return=minimal" in request.headers.get("prefer", "") and path != ""
        return _respond(answer, minimal=minimal and request.method in ("POST", "PUT") and answer.status < 300)

    def _work(self, request: Request, path: str, body: bytes, kind: str | None) -> Answer:
        parsed = _parsed(body) if body and not path.endswith("_search") else {}
        with self._lock:
            if kind == "429-in-entry":
                return _in_every_entry(parsed, "429")
            if kind == "first-entry-only":
                return self._first_entry_only(parsed)
            answer = self._route(request, path, body, parsed)
        if kind == "drop-entry" and answer.resource:
            return Answer(200, answer.resource | {"entry": answer.resource["entry"][:-1]})
        return answer

    def _first_entry_only(self, parsed: Json) -> Answer:
        done = bundles.run(self.store, parsed | {"type": "batch", "entry": parsed["entry"][:1]}, self.abilities)
        failed = [{"response": {"status": "500"}} for _ in parsed["entry"][1:]]
        entries = [*(done.resource or {})["entry"], *failed]
        return Answer(200, {"resourceType": "Bundle", "type": "batch-response", "entry": entries})

    def _route(self, request: Request, path: str, body: bytes, parsed: Any) -> Answer:
        parts = path.split("/") if path else []
        match request.method, parts:
            case "POST", []:
                return bundles.run(self.store, parsed, self.abilities)
            case "POST", [kind, "_search"]:
                return self._search(
                    kind, [*request.query_params.multi_items(), *parse_qsl(body.decode("utf-8", "replace"))], request
                )
            case "POST", [kind]:
                condition = request.headers.get("if-none-exist")
                return self._in_draft(operations.create, kind, parsed, self.abilities, condition)
            case "PUT", [kind, id_]:
                version = request.headers.get("if-match")
                return self._in_draft(operations.update, kind, id_, parsed, self.abilities, version)
            case "DELETE", [kind, id_]:
                return operations.delete(self.store, kind, id_)
            case "GET", [kind]:
                return self._search(kind, request.query_params.multi_items(), request)
            case "GET", [kind, id_, "_history"]:
                return operations.history(self.store, kind, id_)
            case "GET", [kind, id_, "_history", version]:
                return operations.read(self.store, kind, id_, version)
            case "GET", [kind, id_]:
                return operations.read(self.store, kind, id_)
        raise Refused(405, "not-supported", "no such interaction here")

    def _in_draft(self, operation: Any, *arguments: Any) -> Answer:
        draft = self.store.draft()
        answer: Answer = operation(draft, *arguments)
        self.store.take(draft)
        return answer

    def _search(self, kind: str, parameters: Parameters, request: Request) -> Answer:
        found = matches(self.store, kind, parameters)
        given = dict(parameters)
        start, size = int(given.get("_offset", 0)), int(given.get("_count", PAGE))
        base = f"{request.base_url}fhir/{kind}"
        links = [{"relation": "self", "url": base}]
        if start + size < len(found) and request.method == "GET":
            after = urlencode(given | {"_offset": str(start + size), "_count": str(size)})
            links.append({"relation": "next", "url": f"{base}?{after}"})
        entries = [
            {"fullUrl": f"{base}/{r['id']}", "resource": r, "search": {"mode": "match"}}
            for r in found[start : start + size]
        ]
        bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(found), "link": links}
        return Answer(200, bundle | ({"entry": entries} if entries and given.get("_summary") != "count" else {}))

    async def plan_faults(self, request: Request) -> Response:
        """POST a list of faults; DELETE forgets them."""
        if request.method == "DELETE":
            self.faults.clear()
            return JSONResponse({"waiting": 0})
        try:
            return JSONResponse({"waiting": self.faults.plan(await request.json())})
        except Refused as refused:
            return JSONResponse(refused.outcome, refused.status)

    async def reset(self, request: Request) -> Response:
        """Forget every resource and fault."""
        with self._lock:
            self.store.clear()
            self.faults.clear()
        return Response(status_code=204)

    async def page(self, request: Request) -> Response:
        """What a person sees who opens the address."""
        with self._lock:
            counts = self.store.counts()
        rows = "".join(f'<li><a href="fhir/{k}">{html.escape(k)}</a>: {n}</li>' for k, n in counts.items())
        text = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Passerelle sandbox</title>'
            f"<h1>Passerelle sandbox (FHIR R4)</h1><p><strong>{html.escape(NOTICE)}</strong></p>"
            f'<p>FHIR base: <a href="fhir/metadata">/fhir</a></p><ul>{rows or "<li>empty</li>"}</ul></html>'
        )
        return HTMLResponse(text)


def make_app(sandbox: Sandbox) -> Starlette:
    """The ASGI application of a sandbox."""
    every = ["GET", "POST", "PUT", "DELETE", "PATCH"]
    return Starlette(
        routes=[
            Route("/", sandbox.page),
            Route("/sandbox/faults", sandbox.plan_faults, methods=["POST", "DELETE"]),
            Route("/sandbox/reset", sandbox.reset, methods=["POST"]),
            Route("/fhir", sandbox.fhir, methods=every),
            Route("/fhir/{path:path}", sandbox.fhir, methods=every),
        ]
    )


def _in_every_entry(parsed: Json, status: str) -> Answer:
    entries = [{"response": {"status": status}} for _ in parsed["entry"]]
    return Answer(200, {"resourceType": "Bundle", "type": "transaction-response", "entry": entries})


def _parsed(body: bytes) -> Any:
    try:
        return loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "structure", "the body is not JSON") from error


def _respond(answer: Answer, *, minimal: bool = False) -> Response:
    empty = minimal or answer.resource is None
    content = b"" if empty else dumps(answer.resource).encode()
    return Response(content, answer.status, answer.headers, media_type=None if empty else FHIR_JSON)
