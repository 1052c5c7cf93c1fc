"""The addresses of the sandbox: FHIR under ``/fhir``, a page for people at ``/``, faults under ``/sandbox``."""

from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from fhir_adapters.refused import Refused
from fhir_adapters.sandbox.capability import statement
from fhir_adapters.sandbox.handler import FhirHandler
from fhir_adapters.sandbox.interaction import Answer
from fhir_adapters.sandbox.page import page
from fhir_adapters.sandbox.protocol import respond, told
from fhir_adapters.sandbox.token_refused import TokenRefused


class Sandbox:
    """What one server answers beside FHIR."""

    def __init__(self, handler: FhirHandler) -> None:
        self.handler = handler

    async def metadata(self, request: Request) -> Response:
        """The CapabilityStatement: open to everyone, and never at fault."""
        repository, secured = self.handler.repository, self.handler.authorization is not None
        found = statement(repository.base_url, repository.abilities, secured=secured)
        return respond(repository.base_url, None, Answer(200, found))

    async def smart_configuration(self, request: Request) -> Response:
        """Where a client gets its token."""
        if self.handler.authorization is None:
            return told(Refused(404, "not-found", "this sandbox asks for no token"))
        return JSONResponse(self.handler.authorization.configuration())

    async def token(self, request: Request) -> Response:
        """A token for a signed assertion."""
        if self.handler.authorization is None:
            return told(Refused(404, "not-found", "this sandbox asks for no token"))
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        try:
            content, status = self.handler.authorization.token(form), 200
        except TokenRefused as refused:
            content = {"error": refused.code, "error_description": refused.told}
            status = 401 if refused.code == "invalid_client" else 400
        return JSONResponse(content, status, headers={"Cache-Control": "no-store"})

    async def plan_faults(self, request: Request) -> Response:
        """POST faults; DELETE forgets them; GET tells which were done."""
        if request.method == "DELETE":
            self.handler.faults.clear()
        try:
            if request.method == "POST":
                if not request.headers.get("content-type", "").startswith("application/json"):
                    raise Refused(415, "not-supported", "JSON is expected")  # no page of a browser may plan a fault
                self.handler.faults.plan(await request.json())
        except Refused as refused:
            return told(refused)
        except ValueError:
            return told(Refused(400, "structure", "the body is not JSON"))
        return JSONResponse({"waiting": self.handler.faults.waiting, "done": self.handler.faults.done})

    async def reset(self, request: Request) -> Response:
        """Forget every resource and fault."""
        self.handler.clear()
        return Response(status_code=204)

    async def page(self, request: Request) -> Response:
        """What a person sees who opens the address."""
        return HTMLResponse(page(self.handler.repository))

    async def not_here(self, request: Request, error: Exception) -> Response:
        """An address or a method that nothing answers to."""
        status = error.status_code if isinstance(error, HTTPException) else 404
        return told(Refused(status, "not-supported", "nothing answers here"))

    async def broken(self, request: Request, error: Exception) -> Response:
        """A bug of ours, said in the words of FHIR."""
        return told(Refused(500, "exception", f"a bug of the sandbox: {type(error).__name__}"))


def make_app(sandbox: Sandbox) -> Starlette:
    """The ASGI application of a sandbox."""
    every = ["GET", "POST", "PUT", "DELETE", "PATCH"]
    return Starlette(
        routes=[
            Route("/fhir", sandbox.handler.answer, methods=every),
            Route("/fhir/metadata", sandbox.metadata),
            Route("/fhir/.well-known/smart-configuration", sandbox.smart_configuration),
            Route("/fhir/{path:path}", sandbox.handler.answer, methods=every),
            Route("/token", sandbox.token, methods=["POST"]),
            Route("/sandbox/faults", sandbox.plan_faults, methods=["GET", "POST", "DELETE"]),
            Route("/sandbox/reset", sandbox.reset, methods=["POST"]),
            Route("/", sandbox.page),
        ],
        # A name of the outside that was made to lead to loopback is no way in.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
        exception_handlers={HTTPException: sandbox.not_here, Exception: sandbox.broken},
    )
