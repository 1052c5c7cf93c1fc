"""The HTTP of CDS Hooks."""

import asyncio
from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from fhir_adapters.cds_hooks.feedback import decision
from fhir_adapters.cds_hooks.messages import check_feedback, check_request, errors
from fhir_adapters.refused import Refused
from fhir_adapters.service.access.gate import Gate
from fhir_adapters.service.answers import documented, respond
from fhir_adapters.service.audit import Access, Audit
from fhir_adapters.service.hooks.desk import Desk
from fhir_adapters.service.hooks.schemas import feedback_schema, request_schema, schema
from fhir_adapters.service.hooks.services import DISCOVERY, SERVICES
from passerelle.errors import FhirError

Json = dict[str, Any]
SHOWN_PROBLEMS = 5


class HookRoutes:
    """Discovery, the three services, and feedback."""

    def __init__(self, desk: Desk, gate: Gate, audit: Audit) -> None:
        self._desk, self._gate, self._audit = desk, gate, audit

    def router(self) -> APIRouter:
        """Their routes."""
        router = APIRouter(prefix="/cds-services", tags=["CDS Hooks 2.0"])
        router.add_api_route("", self.discover, methods=["GET"], summary="The services",
                             response_class=Response, responses={200: _json(schema("discovery"))})  # fmt: skip
        for id_, service in SERVICES.items():
            router.add_api_route(
                f"/{id_}", self._hook(service), methods=["POST"], summary=service["title"], operation_id=id_,
                response_class=Response, openapi_extra=_body(request_schema(service["hook"])),
                responses=documented(400, 401, 412, 415) | {200: _json(schema("answer"))},
            )  # fmt: skip
            router.add_api_route(
                f"/{id_}/feedback", self.feedback, methods=["POST"], summary=f"{service['title']} : suites données",
                operation_id=f"{id_}-feedback", response_class=Response, openapi_extra=_body(feedback_schema()),
                responses=documented(400, 401, 415) | {200: {"description": "Noted."}},
            )  # fmt: skip
        return router

    async def discover(self, request: Request) -> Response:
        """What is offered, and what each service wants to be prefetched. Open to all, as the text allows."""
        request.scope["what"] = "discovery"
        return respond(DISCOVERY)

    def _hook(self, service: Json) -> Any:
        async def hook(request: Request) -> Response:
            request.scope["what"] = service["id"]
            client, status, person = "", 500, None
            try:
                client = self._gate.hook_client(request)
                body = await _parsed(request)
                _refuse(errors(check_request(body, service, resources=False)))
                answer, subject = await self._desk.answer(service, body, client)
                status, person = 200, subject.person_id if subject.known else None
                return respond(answer)
            except Refused as refused:
                status = refused.status
                raise
            finally:
                self._audited(request, client, service["id"], status, person)

        return hook

    async def feedback(self, request: Request) -> Response:
        """What became of cards: it becomes the mitigation of their DetectedIssue."""
        request.scope["what"] = "feedback"
        client, status = "", 500
        try:
            client = self._gate.hook_client(request)
            body = await _parsed(request)
            _refuse(errors(check_feedback(body)))
            for entry in body["feedback"]:
                await self._judge(entry, client)
            status = 200
            return Response(status_code=200)
        except Refused as refused:
            status = refused.status
            raise
        finally:
            self._audited(request, client, "feedback", status, None)

    async def _judge(self, entry: Json, client: str) -> None:
        seen = await asyncio.to_thread(self._desk.shown.find, entry["card"])
        if seen is None or seen.client != client:
            self._desk.metrics.feedback.labels("unknown card").inc()
            return
        try:
            decided = decision(entry, user_id=seen.user_id)
        except FhirError as error:
            raise Refused(400, "invalid", error.what) from error
        self._desk.metrics.feedback.labels(entry["outcome"]).inc()
        self._desk.journal.put(decided)

    def _audited(self, request: Request, client: str, what: str, status: int, person: int | None) -> None:
        address = request.client.host if request.client else ""
        self._audit.put(Access(self._desk.clock(), client or "unknown", address, "operation", what, status, person))


async def _parsed(request: Request) -> Any:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(415, "not-supported", "application/json is expected")
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise Refused(400, "structure", "the body is no JSON") from error


def _refuse(problems: list[Any]) -> None:
    if problems:
        raise Refused(400, "invalid", *(f"{p.path}: {p.message} ({p.rule})" for p in problems[:SHOWN_PROBLEMS]))


def _json(found: Json) -> Json:
    return {"description": "Done.", "content": {"application/json": {"schema": found}}}


def _body(found: Json) -> Json:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": found}}}}
