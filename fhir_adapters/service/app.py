"""The application: everything that a service needs, put together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import Response

from fhir_adapters.outbox import Outbox
from fhir_adapters.outbox.reading import OutboxReader
from fhir_adapters.refused import Refused
from fhir_adapters.reidentifier import Reidentifier
from fhir_adapters.service.access.gate import Gate
from fhir_adapters.service.access.registry import Registry
from fhir_adapters.service.answers import refusal
from fhir_adapters.service.audit import Audit
from fhir_adapters.service.background import Background
from fhir_adapters.service.batches import Batches
from fhir_adapters.service.guard import Guard
from fhir_adapters.service.hooks.desk import Desk
from fhir_adapters.service.hooks.routes import HookRoutes
from fhir_adapters.service.journal import Journal
from fhir_adapters.service.metrics import Metrics
from fhir_adapters.service.openapi import described
from fhir_adapters.service.operations import OperationRoutes
from fhir_adapters.service.options import ServiceOptions
from fhir_adapters.service.page.routes import PageRoutes
from fhir_adapters.service.patients import Patients
from fhir_adapters.service.rest.routes import RestRoutes
from fhir_adapters.service.rest.shelf import Shelf
from fhir_adapters.service.reviewer import Question, Reviewer
from fhir_adapters.service.shown import Shown
from models.contract import Prediction

Reviews = Batches[Question, list[Prediction]]
LOCAL_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
REVIEWED_TOGETHER, READ_TOGETHER = 24, 200
CODES = {404: "not-found", 405: "not-supported"}


@dataclass(frozen=True)
class Parts:
    """What the command line brings.

    Args:
        folder: of the audit and of the memory of cards.
        keys_folder: to which the files named in the registry are relative.
    """

    options: ServiceOptions
    reviewer: Reviewer
    reidentifier: Reidentifier
    outbox: Outbox
    reader: OutboxReader
    folder: Path
    version: str
    registry: Registry = field(default_factory=Registry)
    keys_folder: Path = Path()
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


def make_app(parts: Parts) -> FastAPI:
    """The ASGI application."""
    options, names, metrics = parts.options, parts.registry.patients, Metrics()
    patients = Patients(parts.reidentifier, names.systems, names.id_system, pseudonyms=options.demo)
    audit, shown = Audit(parts.folder / "audit.ndjson"), Shown(parts.folder / "shown.sqlite")
    journal = Journal(parts.outbox, shown, options.targets, options.site)
    thread = ThreadPoolExecutor(1, "review")  # a reviewer is asked by one at a time
    reviews = Reviews(_counted(parts.reviewer, metrics), thread, most=REVIEWED_TOGETHER)
    warming = Reviews(parts.reviewer.review, thread, most=READ_TOGETHER)
    gate = Gate(parts.registry, parts.keys_folder, options, patients)
    desk = Desk(options, patients, reviews, warming, _current(parts), journal, shown, metrics, parts.clock)
    shelf = Shelf(parts.reader, parts.reidentifier)

    app = FastAPI(
        title="Passerelle", version=parts.version, docs_url=None, redoc_url=None,
        description="Results of clinical models: FHIR R4 and CDS Hooks 2.0.",
        lifespan=_life((journal.background, audit.background), (reviews, warming), thread),
    )  # fmt: skip
    app.include_router(HookRoutes(desk, gate, audit).router())
    app.include_router(RestRoutes(shelf, gate, audit, patients, options, parts.version).router())
    app.include_router(OperationRoutes(parts.reviewer, parts.reader, metrics, journal, audit).router())
    if options.demo:
        PageRoutes(parts.reader, desk).add_to(app)
    _guarded(app, parts, metrics)
    described(app)
    return app


def _life(
    backgrounds: Sequence[Background[Any]], batches: Sequence[Reviews], thread: ThreadPoolExecutor
) -> Callable[[FastAPI], contextlib.AbstractAsyncContextManager[None]]:
    """What works while the application runs; what waits to be written is written at the end."""

    @contextlib.asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        for background in backgrounds:
            background.start()
        working = [asyncio.create_task(one.run()) for one in batches]
        yield
        for task in working:
            task.cancel()
        thread.shutdown(wait=False, cancel_futures=True)
        for background in backgrounds:
            await asyncio.to_thread(background.close)

    return life


def _counted(reviewer: Reviewer, metrics: Metrics) -> Callable[[Sequence[Question]], list[list[Prediction]]]:
    def review(questions: Sequence[Question]) -> list[list[Prediction]]:
        metrics.batches.observe(len(questions))
        return reviewer.review(questions)

    return review


def _guarded(app: FastAPI, parts: Parts, metrics: Metrics) -> None:
    """What stands around every request, and what is said when one fails."""
    if parts.options.demo:  # nobody is asked who he is, so no other site's page may come in by a name of its own
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=LOCAL_HOSTS, www_redirect=False)
    origins = [origin for client in parts.registry.clients for origin in client.origins]
    if origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
        )  # fmt: skip
    app.add_middleware(Guard, max_body_bytes=parts.options.max_body_bytes, metrics=metrics)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _not_here)


def _current(parts: Parts) -> Callable[[int], Sequence[Prediction]]:
    """The open findings of a person; those of a demo do not expire, because its patients live in the past."""
    return lambda person: parts.reader.open_findings(person, None if parts.options.demo else parts.clock())


async def _refused(_: Request, error: Any) -> Response:
    return refusal(error)


async def _not_here(_: Request, error: Any) -> Response:
    code = CODES.get(error.status_code, "invalid")
    return refusal(Refused(error.status_code, code, str(error.detail), headers=error.headers))
