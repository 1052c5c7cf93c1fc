"""A small CDS service on loopback that keeps to the text, and the flaws that it can be given one by one."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import jwt
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fhir_adapters.cds_hooks.cards import card
from fhir_adapters.cds_hooks.feedback import decision
from fhir_adapters.cds_hooks.messages import check_feedback, check_request, errors, unsatisfied
from fhir_adapters.cds_hooks.suite.tokens import Signer
from fhir_adapters.exact_json import dumps, loads
from fhir_adapters.example import INTERACTION, RENAL_DOSE
from passerelle.errors import FhirError

Json = dict[str, Any]

ORIGIN = "https://dpi.example"
ISSUER, KID = "https://dpi.example/", "key-1"
PREFETCH = {
    "patient": "Patient/{{context.patientId}}",
    "orders": "MedicationRequest?patient={{context.patientId}}&status=active",
    "creatinine": "Observation?patient={{context.patientId}}&code=14682-9",
}


def entry(hook: str, id_: str = "prescription-review") -> Json:
    return {"hook": hook, "id": id_, "title": "Revue", "description": "Relit une ordonnance.", "prefetch": PREFETCH}


def same(body: Any) -> Any:
    return body


@dataclass(frozen=True)
class Flaw:
    """How a service differs from the right one; as it stands, it is the right one."""

    hooks: tuple[str, ...] = ("order-select",)
    discovery: Callable[[Json], Any] = same
    answer: Callable[[Json], Any] = same
    forgives: tuple[str, ...] = ()  # rules whose breach it does not mind
    breaks_down: tuple[str, ...] = ()  # rules whose breach makes it answer 500
    parses: tuple[str, ...] = ()  # bodies that it should not: text, nonsense
    missing: int = 412
    needs: tuple[str, ...] = ("patient", "orders", "creatinine")
    null_is_missing: int = 0
    unknown: int = 404
    content_type: str = "application/json"
    instances: bool = False  # refuses a hookInstance that it has seen
    extensions: bool = True
    has_feedback: bool = True
    feedback: int = 200
    feedback_once: bool = False
    feedback_forgives: tuple[str, ...] = ()
    feedback_unknown: int = 404
    allows_origin: str | None = ORIGIN
    allows_headers: str = "content-type, authorization"
    allows_credentials: bool = False
    locked: bool = False
    limited: int = 0  # first calls that are answered 429
    trusts: tuple[str, ...] = ()  # what its check of tokens forgets


@dataclass
class World:
    """Every variant of the service under one address: ``/<name>/cds-services``."""

    flaws: dict[str, Flaw]
    signer: Signer | None = None
    seen: set[tuple[str, str]] = field(default_factory=set)
    calls: dict[str, int] = field(default_factory=dict)

    def app(self) -> Starlette:
        at = "/{flaw}/cds-services"
        every = ["GET", "POST", "PUT", "OPTIONS"]
        return Starlette(
            routes=[
                Route(at, self.respond(self.discover), methods=["GET", "OPTIONS"]),
                Route(f"{at}/{{id}}", self.respond(self.call), methods=every),
                Route(f"{at}/{{id}}/feedback", self.respond(self.take), methods=every),
            ]
        )

    def respond(self, work: Callable) -> Callable:
        async def endpoint(request: Request) -> Response:
            flaw, name = self.flaws[request.path_params["flaw"]], request.path_params["flaw"]
            if request.method == "OPTIONS":
                return preflight(flaw, request.headers["origin"])
            if flaw.locked and not self.lets_in(flaw, name, request):
                return Response("{}", 401, {"www-authenticate": "Bearer"}, "application/json")
            self.calls[name] = self.calls.get(name, 0) + 1
            if 1 < self.calls[name] <= flaw.limited:
                return Response("{}", 429, {"retry-after": "0"}, "application/json")
            status, body = work(flaw, name, request, await request.body())
            content = body if isinstance(body, bytes) else dumps(body).encode()
            return Response(content, status, media_type=flaw.content_type)

        return endpoint

    def discover(self, flaw: Flaw, name: str, request: Request, body: bytes) -> tuple[int, Any]:
        return 200, flaw.discovery({"services": [entry(hook) for hook in flaw.hooks]})

    def call(self, flaw: Flaw, name: str, request: Request, body: bytes) -> tuple[int, Any]:
        if request.path_params["id"] != "prescription-review":
            return flaw.unknown, {}
        if request.method != "POST":
            return (200, {"cards": []}) if "put" in flaw.parses else (405, {})
        refusal, message = read(flaw, request, body)
        if refusal:
            return refusal, message
        services = [entry(hook) for hook in flaw.hooks]
        hook = message.get("hook") if isinstance(message, dict) else None
        service = next((s for s in services if s["hook"] == hook), services[0])
        problems = {p.rule for p in errors(check_request(message, service))}
        if problems & set(flaw.breaks_down):
            return 500, {}
        if problems - set(flaw.forgives):
            return 400, {"problems": sorted(problems)}
        return self.cards(flaw, name, message, service)

    def cards(self, flaw: Flaw, name: str, message: Json, service: Json) -> tuple[int, Any]:
        if not isinstance(message, dict):
            return 200, {"cards": []}
        if "extension" in message and not flaw.extensions:
            return 400, {}
        if flaw.instances and (name, str(message.get("hookInstance"))) in self.seen:
            return 409, {}
        self.seen.add((name, str(message.get("hookInstance"))))
        if set(unsatisfied(message, service)) & set(flaw.needs):
            return flaw.missing, {}
        if flaw.null_is_missing and None in dict(message.get("prefetch", {})).values():
            return flaw.null_is_missing, {}
        context = message.get("context")
        orders = context.get("draftOrders", {}).get("entry", []) if isinstance(context, dict) else []
        drafts = [f"MedicationRequest/{e['resource']['id']}" for e in orders]
        grave = replace(INTERACTION, severity="high")
        found = [card(RENAL_DOSE), card(grave, draft_order=drafts[0] if drafts else None)]
        return 200, flaw.answer({"cards": found})

    def take(self, flaw: Flaw, name: str, request: Request, body: bytes) -> tuple[int, Any]:
        if not flaw.has_feedback:
            return 404, {}
        if request.path_params["id"] != "prescription-review":
            return flaw.feedback_unknown, {}
        refusal, message = read(flaw, request, body)
        if refusal:
            return refusal, message
        if {p.rule for p in errors(check_feedback(message))} - set(flaw.feedback_forgives):
            return 400, {}
        given = str(message)
        if flaw.feedback_once and (name, given) in self.seen:
            return 409, {}
        self.seen.add((name, given))
        try:
            if not flaw.feedback_forgives:
                for item in message["feedback"]:
                    decision(item, user_id="Practitioner/1")
        except FhirError:
            return 400, {}
        return flaw.feedback, {}

    def lets_in(self, flaw: Flaw, name: str, request: Request) -> bool:
        """The check of a token, each part of which a flaw may forget."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if "discovery" in flaw.trusts and request.url.path.endswith("/cds-services"):
            return True
        if scheme != "Bearer":
            return "none" in flaw.trusts or ("feedback" in flaw.trusts and request.url.path.endswith("/feedback"))
        try:
            claims = self.claims(flaw, token, str(request.url))
        except (jwt.PyJWTError, httpx.HTTPError):
            return "nonsense" in flaw.trusts and token.count(".") != 2
        if "iss" not in flaw.trusts and claims["iss"] != ISSUER:
            return False
        if "one audience" in flaw.trusts and isinstance(claims["aud"], list):
            return False
        nonce = (name, str(claims.get("jti")))
        known = nonce in self.seen
        self.seen.add(nonce)
        return "replay" in flaw.trusts or not known

    def claims(self, flaw: Flaw, token: str, url: str) -> Json:
        header = jwt.get_unverified_header(token)
        key, algorithms = self.signer.key.public_key(), ["ES384", "RS384"]
        if "jku" in flaw.trusts and "jku" in header:
            key = jwt.PyJWK(httpx.get(header["jku"], trust_env=False).json()["keys"][0]).key
        elif "visits" in flaw.trusts and "jku" in header:
            httpx.get(header["jku"], trust_env=False)
        if header.get("kid") != KID and not {"kid", "jku"} & set(flaw.trusts):
            raise jwt.InvalidTokenError
        wanted = [name for name in ("exp", "jti", "aud", "iss", "iat") if name not in flaw.trusts]
        options = {
            "require": wanted,
            "verify_exp": "expired" not in flaw.trusts,
            "verify_aud": "aud" not in flaw.trusts,
        }
        careless = {"none": "unsigned", "HS256": "symmetric"}.get(header["alg"]) in flaw.trusts
        if careless or "signature" in flaw.trusts:
            options["verify_signature"] = False
        return jwt.decode(token, key, algorithms, options, audience=None if "aud" in flaw.trusts else url)


def read(flaw: Flaw, request: Request, body: bytes) -> tuple[int, Any]:
    """A refusal and nothing, or no refusal and the message."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/json" and "text" not in flaw.parses:
        return 415, {}
    try:
        return 0, loads(body)
    except RecursionError:
        return (500, {}) if "deep" in flaw.breaks_down else (400, {})
    except ValueError:
        return (200, {"cards": []}) if "nonsense" in flaw.parses else (400, {})


def preflight(flaw: Flaw, origin: str) -> Response:
    if flaw.allows_origin not in ("*", "echo", origin):
        return Response(status_code=400)
    headers = {"access-control-allow-origin": origin if flaw.allows_origin == "echo" else flaw.allows_origin}
    headers |= {"access-control-allow-methods": "GET, POST", "access-control-allow-headers": flaw.allows_headers}
    headers |= {"access-control-allow-credentials": "true"} if flaw.allows_credentials else {}
    return Response(status_code=204, headers=headers)


@contextlib.contextmanager
def running(app: Starlette):
    """The address of an application on loopback, for as long as the block lasts."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(timeout=5)
