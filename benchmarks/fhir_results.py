"""Predictions to FHIR: built, checked, put in the outbox, delivered to a server in another process."""

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import httpx

from benchmarks.figures import Figure, seconds
from fhir_adapters.build import build_all
from fhir_adapters.bundle import transaction
from fhir_adapters.delivery import DeliveryOptions, deliver
from fhir_adapters.exact_json import dumped
from fhir_adapters.identities import Identities, Named
from fhir_adapters.outbox import open_outbox
from fhir_adapters.reidentifier import EncounterIdentity, Origin, PatientIdentity
from fhir_adapters.rules import errors
from models.contract import Contribution, Evidence, Prediction

COUNT = 1000
WARM = 200
TOGETHER = 20  # predictions in one transaction, for us and for the bare client
COMMAND = "python -m benchmarks fhir_results"
START = datetime(2025, 3, 3, 8, tzinfo=UTC)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
FHIR_JSON = {"Content-Type": "application/fhir+json", "Prefer": "return=minimal"}


class Invented:
    """The way back to invented patients."""

    def identify(self, person_id: int, reason: str) -> PatientIdentity:
        """An invented identifier."""
        return PatientIdentity(f"IPP{person_id}", "urn:oid:1.2.250.1.999")

    def encounter(self, visit_occurrence_id: int) -> EncounterIdentity | None:
        """No stay."""

    def origin(self, table: str, row_id: int) -> Origin | None:
        """No resource of its own."""

    def person_of(self, system: str, value: str) -> int | None:
        """Nobody asks."""

    def visit_of(self, system: str, value: str) -> int | None:
        """Nobody asks."""


def measure(folder: Path) -> Iterator[Figure]:
    """A batch of dose alerts; the second time nothing is new."""
    batch = [prediction(number) for number in range(COUNT)]
    built = [build_all(one) for one in batch]
    resources = [resource for one in built for resource in one.resources]
    of_building = seconds(lambda: [build_all(one) for one in batch], clock=time.process_time)
    of_rules = seconds(lambda: [errors(resource) for resource in resources], clock=time.process_time)
    alone = f"built alone {len(resources) / of_building:,.0f}, rules alone {len(resources) / of_rules:,.0f}"
    yield Figure(
        "FHIR resources built and held against our R4 rules", len(resources) / (of_building + of_rules), "resources/s",
        f"CPU of one core; {alone}; goal 1,500", COMMAND,
    )  # fmt: skip
    outbox = open_outbox(folder / "outbox.sqlite")
    first = seconds(lambda: outbox.enqueue(batch), runs=1)
    again = seconds(lambda: outbox.enqueue(batch), runs=1)
    yield Figure("predictions put in the outbox", COUNT / first, "predictions/s", "three resources each", COMMAND)
    yield Figure("the same again, nothing new", COUNT / again, "predictions/s", f"first {COUNT / first:,.3g}", COMMAND)
    outbox.close()
    with sandbox() as url:
        yield from delivered(folder, url, "the sandbox", COMMAND, "goal 300 resources/s")


def delivered(folder: Path, url: str, where: str, command: str, goal: str, count: int = COUNT) -> Iterator[Figure]:
    """Delivery to a server beside the bare client, which sends the same requests ready-made and keeps no account."""
    numbers = iter(range(10**9))
    _bare(url, [prediction(next(numbers)) for _ in range(WARM)])  # a server that has just started is slower
    ours, bare = [], []
    for turn in ["ours", "bare", "bare", "ours"]:  # servers grow faster as they go: neither of the two is always later
        batch = [prediction(next(numbers)) for _ in range(count)]
        if turn == "bare":
            bare.append(_bare(url, batch))
        else:
            ours.append(_ours(folder / f"{where.replace(' ', '_')}{len(bare)}.sqlite", url, batch))
    ratio = sum(ours) / sum(bare)
    yield Figure(
        f"delivery to {where}, with outbox, rules, ledger and patients looked up", sum(ours) / 2, "resources/s",
        f"bare client {sum(bare) / 2:,.0f}, the same requests ready-made: {ratio:.2f} x; {goal}", command,
    )  # fmt: skip


def _ours(file: Path, url: str, batch: list[Prediction]) -> float:
    """Resources a second of a delivery from the outbox."""
    options = DeliveryOptions(max_entries=2 * TOGETHER, timeout_s=120.0, mode="transaction", write="client_id")
    outbox = open_outbox(file)
    outbox.enqueue(batch)
    started = time.perf_counter()
    report = deliver(outbox, url, Invented(), options=options)
    took = time.perf_counter() - started
    outbox.close()
    if report.acked != len(batch):
        raise RuntimeError(f"{report.acked} of {len(batch)} were delivered to {url}: {report.as_json()}")
    return 2 * len(batch) / took


def _bare(url: str, batch: list[Prediction]) -> float:
    """Resources a second of a client that posts bundles which are ready."""
    named = Invented()
    requests = []
    for start in range(0, len(batch), TOGETHER):
        built = [build_all(one) for one in batch[start : start + TOGETHER]]
        device = built[0].device
        resources = [device, *(r for one in built for r in (one.resource, one.provenance))]
        bundle = dumped(transaction(url, [_resolved(resource, named) for resource in resources]))
        wanted = ",".join(f"urn:oid:1.2.250.1.999|IPP{one.person_id}" for one in batch[start : start + TOGETHER])
        requests.append(({"identifier": wanted, "_elements": "id,identifier"}, bundle))
    with httpx.Client(trust_env=False, verify=False, timeout=120.0, headers=FHIR_JSON) as client:
        started = time.perf_counter()
        for search, bundle in requests:
            client.post(f"{url}/Patient/_search", data=search, headers=FORM).raise_for_status()
            client.post(url, content=bundle).raise_for_status()
        return 2 * len(batch) / (time.perf_counter() - started)


def _resolved(resource: dict, named: Invented) -> dict:
    def patient(person_id: int) -> Named:
        return Named({"identifier": named.identify(person_id, "").identifiers[0]})

    found: dict = Identities(named, patient).put_into(resource, set())
    return found


@contextmanager
def sandbox() -> Iterator[str]:
    """The sandbox in another process: in one, both would share a lock."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,))
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("end")
        process.join(10)


def _serve(pipe: Connection) -> None:
    from fhir_adapters.sandbox import run_sandbox

    with run_sandbox() as url:
        pipe.send(url)
        pipe.recv()


def prediction(number: int) -> Prediction:
    """An invented alert about one order."""
    return Prediction(
        model="prescription_review", model_version="0.1.0", person_id=number + 1, occasion=f"drug_exposure:{number}",
        index_time=START, valid_from=START, valid_until=None, category="DOSEH", probability=0.63,
        severity="high", message="Posologie supérieure à la dose maximale.", view_contract="v1", snapshot_id="none",
        model_sha256="0" * 64, contributions=(Contribution("dose", "dose par jour", 4.0, 1.2),),
        evidence=(Evidence("drug_exposure", number + 1, "paracétamol 6 g par jour"),),
    )  # fmt: skip
