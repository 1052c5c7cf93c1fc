"""What stands around every request: its size, the headers of its answer, the time it took."""

import time
import traceback
from pathlib import Path

import structlog
from sqlalchemy.exc import OperationalError
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fhir_adapters.refused import Refused
from fhir_adapters.service.answers import refusal
from fhir_adapters.service.metrics import Metrics
from passerelle.errors import TransientError

# Nothing may be loaded but our own files; nothing runs that stands in a page itself.
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

BUSY = Refused(503, "transient", "the views or the outbox do not answer", headers={"Retry-After": "10"})
BROKEN = Refused(500, "exception", "the service broke down; its log says where")
_log = structlog.get_logger(__name__)


class Guard:
    """Pure ASGI: it stands before everything else, and costs microseconds."""

    def __init__(self, app: ASGIApp, *, max_body_bytes: int, metrics: Metrics) -> None:
        self._app, self._most, self._metrics = app, max_body_bytes, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, self._counted(scope, receive), answer)
        except Refused as refused:  # too large; everything else was answered further in
            await refusal(refused)(scope, receive, answer)
        except Exception as error:  # noqa: BLE001  its words may hold what nobody may read: its kind and place are told
            _log.error("request_failed", error=type(error).__name__, at=_place(error))
            if not status:
                passes = isinstance(error, TransientError | OperationalError)
                await refusal(BUSY if passes else BROKEN)(scope, receive, answer)
        finally:
            what = scope.get("what", "other")  # what the route calls itself: few words, nothing of the request
            self._metrics.requests.labels(what, str(status)).inc()
            self._metrics.seconds.labels(what).observe(time.perf_counter() - started)

    def _counted(self, scope: Scope, receive: Receive) -> Receive:
        """The body of a request, as long as it is not too large: whether that is announced or not."""
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        announced, seen = int(declared) if declared.isdigit() else 0, 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if max(announced, seen) > self._most:
                raise Refused(413, "too-long", f"at most {self._most} bytes are taken", headers={"Connection": "close"})
            return message

        return counted


def _place(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"
