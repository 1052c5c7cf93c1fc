"""A service as tests meet it: a hospital that knows its patients, a reviewer of few words, a client with a key."""

import contextlib
import json
import socket
import threading
import time
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.testclient import TestClient

from fhir_adapters.cds_hooks.suite.tokens import Signer
from fhir_adapters.example_predictions import RENAL_DOSE
from fhir_adapters.outbox import open_outbox
from fhir_adapters.outbox.reading import open_reader
from fhir_adapters.service.access.registry import Registry
from fhir_adapters.service.app import Parts, make_app
from fhir_adapters.service.options import ServiceOptions
from models.contract import Evidence
from tests.fhir_adapters.fhir_helpers import Hospital

BASE = "https://cds.chu.example"
ISSUER, SERVER = "https://dpi.example/", "https://auth.example/"
ATC = "http://www.whocc.no/atc"
IPP = "urn:oid:1.2.250.1.999"
NOW = datetime(2026, 3, 5, 9, 30, tzinfo=UTC)
SIGN, SELECT, VIEW = (f"prescription-review-{hook}" for hook in ("order-sign", "order-select", "patient-view"))
HOSTILE = "<script>alert(1)</script>"
KEY = ec.generate_private_key(ec.SECP384R1())


@dataclass
class KnownHospital(Hospital):
    """Persons 1001 to 1099 and their stays, both ways."""

    visits: dict = field(default_factory=dict)

    def person_of(self, system, value):
        person = value.removeprefix("IPPSECRET").removeprefix("pat-")
        known = (system == IPP and value.startswith("IPPSECRET")) or (system == "ids" and value.startswith("pat-"))
        return int(person) if known and person.isdigit() and 1000 < int(person) < 1100 else None

    def visit_of(self, system, value):
        return self.visits.get((system, value))


@dataclass
class Reviewer:
    """Points at every draft of more than 100 mg; remembers what it was asked."""

    model: str = "prescription_review 0.1.0"
    snapshot_id: str = "test"
    asked: list = field(default_factory=list)
    slow_s: float = 0.0
    breaks: Exception | None = None

    def review(self, questions):
        self.asked.append(list(questions))
        time.sleep(self.slow_s)
        if self.breaks is not None:
            raise self.breaks
        return [[self._finding(q, draft) for draft in q.drafts if (draft["dose_value"] or 0) > 100] for q in questions]

    def _finding(self, question, draft):
        row, name = draft["drug_exposure_id"], draft["concept_name"] or "médicament"
        return replace(
            RENAL_DOSE, person_id=question.person_id, occasion=f"drug_exposure:{row}", index_time=question.at,
            valid_from=question.at, valid_until=None, category="DOSEH", message=f"{name} : dose trop élevée.",
            evidence=(Evidence("drug_exposure", row, name),),
        )  # fmt: skip


@dataclass
class Service:
    """The application with what is behind it."""

    app: object
    outbox: object
    reviewer: Reviewer
    hospital: KnownHospital
    folder: object

    def client(self, **headers):
        return TestClient(self.app, base_url=BASE, headers=headers, raise_server_exceptions=False)

    def audit(self):
        return [json.loads(line) for line in (self.folder / "audit.ndjson").read_text().splitlines()]


def registry(**changes):
    declared = {
        "public_url": BASE,
        "clients": [{"name": "dpi", "issuer": ISSUER, "keys": {"jwks": signer().key_set()}}],
        "authorization_server": {"issuer": SERVER, "keys": {"jwks": signer(SERVER).key_set()}},
        "patients": {"systems": {"urn:oid:9.9": IPP}, "id_system": "ids"},
    }
    return Registry.model_validate(declared | changes)


def signer(issuer=ISSUER, **changes):
    return replace(Signer(KEY, "ES384", issuer, "key-1"), **changes)


def bearer(path, **changes):
    """Headers of a call of a hook."""
    return {"authorization": f"Bearer {signer().token(BASE + path, **changes)}"}


def access(scope="system/*.rs", **claims):
    """Headers of a call of the FHIR API."""
    return {"authorization": f"Bearer {signer(SERVER).token(f'{BASE}/fhir', scope=scope, **claims)}"}


@contextlib.contextmanager
def service(folder, *, declared=None, reviewer=None, clock=lambda: NOW, **options):
    """A service whose outbox and files lie in a folder."""
    url = f"sqlite:///{folder}/outbox.sqlite"
    hospital, reviewer = KnownHospital(), reviewer or Reviewer()
    demo = options.get("demo", False)
    with contextlib.closing(open_outbox(url)) as outbox, contextlib.closing(open_reader(url)) as reader:
        parts = Parts(
            options=ServiceOptions(**{"base_url": BASE} | options), reviewer=reviewer, reidentifier=hospital,
            outbox=outbox, reader=reader, folder=folder / "service", version="0", clock=clock,
            registry=Registry() if demo else declared or registry(), keys_folder=folder,
        )  # fmt: skip
        yield Service(make_app(parts), outbox, reviewer, hospital, folder / "service")


@contextlib.contextmanager
def free_port():
    """A socket on loopback and its address: a token names the address, so it must be known before the service is."""
    with contextlib.closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        yield listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def listening(app, listener):
    """The application on a socket."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", server_header=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    eventually(lambda: server.started)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def patient(person_id=1001):
    return {"resourceType": "Patient", "id": f"pat-{person_id}",
            "identifier": [{"system": IPP, "value": f"IPPSECRET{person_id}"}]}  # fmt: skip


def order(id_="d1", dose=500.0, name="paracétamol", **members):
    return {
        "resourceType": "MedicationRequest", "id": id_, "status": "draft", "intent": "order",
        "subject": {"reference": "Patient/pat-1001"},
        "medicationCodeableConcept": {"coding": [{"system": ATC, "code": "N02BE01"}], "text": name},
        "dosageInstruction": [{"doseAndRate": [{"doseQuantity": {"value": dose, "unit": "mg"}}],
                               "timing": {"repeat": {"frequency": 3, "period": 1, "periodUnit": "d"}}}],
    } | members  # fmt: skip


def hook(name="order-sign", *orders, person_id=1001, **members):
    context = {"userId": "Practitioner/dr-1", "patientId": f"pat-{person_id}"}
    if name != "patient-view":
        entries = [{"resource": one} for one in orders or [order()]]
        context["draftOrders"] = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    if name == "order-select":
        context["selections"] = [f"MedicationRequest/{e['resource']['id']}" for e in entries]
    return {"hook": name, "hookInstance": str(uuid.uuid4()), "context": context,
            "prefetch": {"patient": patient(person_id)}} | members  # fmt: skip


def call(client, id_, body, **changes):
    """A hook, with a token of its own."""
    path = f"/cds-services/{id_}"
    return client.post(path, json=body, headers=bearer(path, **changes))


def eventually(true, timeout_s=10.0):
    """Wait until something is so: what nobody waits for is done a little later."""
    until = time.monotonic() + timeout_s
    while not (found := true()):
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.02)
    return found
