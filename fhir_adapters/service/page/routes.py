"""The HTTP of the page. It is there in a demo only, and goes through the same hooks as any record system."""

import uuid
from typing import Any

from fastapi import FastAPI, Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from fhir_adapters.cds_hooks.overrides import OVERRIDE_REASONS, OVERRIDES
from fhir_adapters.outbox.reading import OutboxReader
from fhir_adapters.refused import Refused
from fhir_adapters.service.access.gate import DEMO
from fhir_adapters.service.hooks.desk import Desk
from fhir_adapters.service.hooks.services import NAME, SERVICES, SIGN, VIEW
from fhir_adapters.service.page.trial import DRUGS, PHARMACIST, ROUTES, UNITS
from fhir_adapters.service.page.view import alerts_of, newest, patient_lines, pseudonym
from fhir_adapters.service.patients import PSEUDONYM

Json = dict[str, Any]
PAGE = 50  # patients


class PageRoutes:
    """The list, and one patient."""

    def __init__(self, reader: OutboxReader, desk: Desk) -> None:
        self._reader, self._desk, self._site = reader, desk, desk.options.site
        loader = PackageLoader("fhir_adapters.service.page")
        self._templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)

    def add_to(self, app: FastAPI) -> None:
        """Their routes, and the files beside them."""
        for path, work in (("/", self.patients), ("/patients/{person_id}", self.patient)):
            app.add_api_route(path, work, methods=["GET"], response_class=HTMLResponse, include_in_schema=False)
        app.mount("/static", StaticFiles(packages=[("fhir_adapters.service.page", "static")]))

    def patients(self, request: Request) -> Response:
        """Who has open alerts."""
        request.scope["what"] = "page"
        lines = patient_lines(self._reader.open_findings(), self._site)
        text = request.query_params.get("page", "1")
        last = max(1, -(-len(lines) // PAGE))
        page = min(max(int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 1, 1), last)
        shown = lines[(page - 1) * PAGE : page * PAGE]
        return self._rendered("patients.html", lines=shown, total=len(lines), page=page, last=last)

    async def patient(self, request: Request) -> Response:
        """One patient: the cards of the hook patient-view, so that feedback about them finds who saw them."""
        request.scope["what"] = "page"
        text = request.path_params["person_id"]
        if not (text.isascii() and text.isdigit() and 0 < len(text) < 20):
            raise Refused(404, "not-found", "no such patient")
        person_id = int(text)
        service = SERVICES[f"{NAME}-{VIEW}"]
        await self._desk.answer(service, _view_of(person_id), DEMO)
        found = self._desk.current(person_id)
        return self._rendered(
            "patient.html", name=pseudonym(person_id), person_id=person_id, alerts=alerts_of(found, self._site),
            at=newest(found, self._desk.clock()).isoformat(), drugs=DRUGS, units=UNITS, routes=ROUTES,
            reasons=OVERRIDES, system=OVERRIDE_REASONS, pseudonym_system=PSEUDONYM, user=PHARMACIST,
            sign=f"{NAME}-{SIGN}", view=f"{NAME}-{VIEW}",
        )  # fmt: skip

    def _rendered(self, template: str, **facts: Any) -> Response:
        return HTMLResponse(self._templates.get_template(template).render(**facts))


def _view_of(person_id: int) -> Json:
    identifier = [{"system": PSEUDONYM, "value": str(person_id)}]
    patient = {"resourceType": "Patient", "id": str(person_id), "identifier": identifier}
    context = {"userId": PHARMACIST, "patientId": str(person_id)}
    return {"hook": VIEW, "hookInstance": str(uuid.uuid4()), "context": context, "prefetch": {"patient": patient}}
