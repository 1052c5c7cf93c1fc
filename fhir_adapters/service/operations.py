"""For those who run the service: is it alive, is it ready, what does it count."""

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

from fhir_adapters.outbox.reading import OutboxReader
from fhir_adapters.service.answers import Documented, respond
from fhir_adapters.service.audit import Audit
from fhir_adapters.service.journal import Journal
from fhir_adapters.service.metrics import Metrics
from fhir_adapters.service.reviewer import Reviewer


class OperationRoutes:
    """Open to all: nothing of a patient is in it."""

    def __init__(
        self, reviewer: Reviewer, reader: OutboxReader, metrics: Metrics, journal: Journal, audit: Audit
    ) -> None:
        self._reviewer, self._reader, self._metrics = reviewer, reader, metrics
        self._journal, self._audit = journal, audit

    def router(self) -> APIRouter:
        """Their routes."""
        router = APIRouter(tags=["Operations"])
        ready: Documented = {
            200: {"description": "Ready."},
            503: {"description": "Not ready; the body says what is missing."},
        }
        alive: Documented = {200: {"description": "Alive.", "content": {"application/json": {}}}}
        counted: Documented = {200: {"description": "For Prometheus.", "content": {"text/plain": {}}}}
        for path, work, answers in (
            ("/health", self.health, alive),
            ("/ready", self.ready, ready),
            ("/metrics", self.metrics, counted),
        ):
            router.add_api_route(path, work, methods=["GET"], response_class=Response, responses=answers)
        return router

    async def health(self, request: Request) -> Response:
        """Alive."""
        request.scope["what"] = "health"
        return respond({"status": "ok"})

    def ready(self, request: Request) -> Response:
        """Ready: the model is loaded, the views and the outbox are there, and what was shown is being written."""
        request.scope["what"] = "ready"
        checks = {
            "model": self._reviewer.model,
            "views": self._reviewer.snapshot_id,
            "outbox": self._outbox(),
            "journal": self._journal.background.healthy,
            "audit": self._audit.background.healthy,
        }
        return respond(checks, status=200 if all(checks.values()) else 503)

    async def metrics(self, request: Request) -> Response:
        """Counters."""
        request.scope["what"] = "metrics"
        return Response(self._metrics.text(), headers={"content-type": CONTENT_TYPE_LATEST})

    def _outbox(self) -> bool:
        try:
            self._reader.newest_row()
        except SQLAlchemyError:
            return False
        return True
