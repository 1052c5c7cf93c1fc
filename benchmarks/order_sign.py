"""Hooks while orders are signed: 50 clients that never think, one server process, a demo of 1,200 patients."""

import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from benchmarks.command_line import passerelle
from benchmarks.figures import Figure

CLIENTS, PATIENTS = 50, 1200
WARM_S, MEASURED_S = 5.0, 20.0
COMMAND = "python -m benchmarks order_sign"
SIGN, VIEW = (f"/cds-services/prescription-review-{hook}" for hook in ("order-sign", "patient-view"))
BUDGET_MS = 150

Json = dict[str, Any]


def measure(folder: Path) -> Iterator[Figure]:
    """A workspace of 1,200 patients; the records are opened, then orders are signed without pause."""
    workspace = folder / "order_sign"
    passerelle("demo", "--workspace", str(workspace), "--patients", str(PATIENTS))
    yield from measure_on(workspace)


def measure_on(workspace: Path) -> Iterator[Figure]:
    """The same on a workspace that is there."""
    with _served(workspace) as url, asyncio.Runner(loop_factory=_quick_loop()) as runner:
        times, cards = runner.run(_load(url, _requests(workspace)))
    p50, p95, p99 = (1000 * _quantile(times, share) for share in (0.50, 0.95, 0.99))
    load = f"{CLIENTS} clients without pause, {len(times)} calls, {cards} cards; load average {os.getloadavg()[0]:.1f}"
    yield Figure("order-sign, 50 clients: median", p50, "ms", load, COMMAND)
    yield Figure("order-sign, 50 clients: p95", p95, "ms", f"at most {BUDGET_MS} ms; p99 {p99:.0f} ms", COMMAND)
    yield Figure(
        "order-sign, 50 clients: throughput",
        len(times) / MEASURED_S,
        "calls/s",
        "the model in a process of its own",
        COMMAND,
    )


@contextlib.contextmanager
def _served(workspace: Path) -> Iterator[str]:
    """The service in a process of its own, as the command line starts it."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom passerelle.settings import load_settings\n"
        "from passerelle.serve import serve\n"
        "workspace = Path(sys.argv[1])\n"
        "settings = load_settings(workspace=workspace, keys_file=workspace / 'demo_keys.json')\n"
        "serve(settings, host='127.0.0.1', port=0, clients=None, demo=True, on=None,\n"
        "      ready=lambda url: print(url, flush=True), requests_a_minute=10_000_000)\n"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    server = subprocess.Popen([sys.executable, "-c", code, str(workspace)], stdout=subprocess.PIPE, text=True,
                              env=environment)  # fmt: skip
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait(timeout=20)


@dataclass(frozen=True)
class _Call:
    patient: Json
    sign: bytes
    view: bytes


def _requests(workspace: Path) -> list[_Call]:
    """Orders as they were written: one to three of a patient, signed a second before the first of them began."""
    from omop.views.store import ViewStore

    of_person: dict[int, list[Json]] = {}
    for row in sorted(ViewStore.open(workspace).read("drug_orders").to_pylist(), key=lambda row: row["started_at"]):
        of_person.setdefault(row["person_id"], []).append(row)
    chance = random.Random(0)
    calls = []
    for person, rows in of_person.items():
        first = chance.randrange(len(rows))
        signed = rows[first : first + chance.choice((1, 1, 2, 3))]
        at = signed[0]["started_at"] - timedelta(seconds=1)
        calls.append(_call(person, [_order(row, person, at) for row in signed]))
    chance.shuffle(calls)
    return calls


def _order(row: Json, person: int, at: Any) -> Json:
    per_day = {"repeat": {"frequency": row["doses_per_day"], "period": 1, "periodUnit": "d"}}
    dose = {"doseAndRate": [{"doseQuantity": {"value": row["dose_value"], "unit": row["dose_unit"]}}]}
    return {
        "resourceType": "MedicationRequest", "id": f"draft-{uuid.uuid4()}", "status": "draft", "intent": "order",
        "subject": {"reference": f"Patient/{person}"}, "authoredOn": at.isoformat(),
        "medicationCodeableConcept": {"coding": [{"system": "http://www.whocc.no/atc", "code": row["atc_code"] or "X"}],
                                      "text": row["concept_name"]},
        "dosageInstruction": [
            (dose if row["dose_value"] else {}) | ({"timing": per_day} if row["doses_per_day"] else {})
            | {"route": {"text": row["route_source"]}}
        ],
    }  # fmt: skip


def _call(person: int, orders: list[Json]) -> _Call:
    patient = {"resourceType": "Patient", "id": str(person),
               "identifier": [{"system": "urn:passerelle:person", "value": str(person)}]}  # fmt: skip
    context = {"userId": "Practitioner/1", "patientId": str(person)}
    drafts = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": order} for order in orders]}
    request = {"hookInstance": str(uuid.uuid4()), "prefetch": {"patient": patient}}
    sign = request | {"hook": "order-sign", "context": context | {"draftOrders": drafts}}
    return _Call(
        patient, json.dumps(sign).encode(), json.dumps(request | {"hook": "patient-view", "context": context}).encode()
    )


async def _load(url: str, calls: list[_Call]) -> tuple[list[float], int]:
    """Times of the calls in seconds, and the number of cards. Each client has a connection of its own."""
    turn = iter(range(10**9))
    await asyncio.gather(*(_open_records(url, calls[number::CLIENTS]) for number in range(CLIENTS)))
    begin = time.perf_counter() + WARM_S
    found = await asyncio.gather(*(_sign(url, calls, turn, begin) for _ in range(CLIENTS)))
    return [one for times, _ in found for one in times], sum(cards for _, cards in found)


async def _open_records(url: str, calls: list[_Call]) -> None:
    """Each record is opened before its patient is ordered anything."""
    async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as http:
        for call in calls:
            reply = await http.post(VIEW, content=call.view, headers={"content-type": "application/json"})
            reply.raise_for_status()


async def _sign(url: str, calls: list[_Call], turn: Iterator[int], begin: float) -> tuple[list[float], int]:
    """One client: a connection that is kept, and no more Python than it takes.

    On two cores the client's own work is waited for as well: a call of httpx takes longer than the service's part.
    """
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    head = f"POST {SIGN} HTTP/1.1\r\nhost: {address.netloc}\r\ncontent-type: application/json\r\ncontent-length: "
    times, cards = [], 0
    while (started := time.perf_counter()) < begin + MEASURED_S:
        body = calls[next(turn) % len(calls)].sign
        writer.write(f"{head}{len(body)}\r\n\r\n".encode() + body)
        answer = await _answer(reader)
        if started >= begin:
            times.append(time.perf_counter() - started)
            cards += answer.count(b'"summary"')
    writer.close()
    return times, cards


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """The body of an answer.

    Raises: RuntimeError: it is no 200.
    """
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if not head.startswith(b"http/1.1 200 "):
        raise RuntimeError(head.partition(b"\r\n")[0].decode())
    return await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))


def _quick_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    """The clients share the cores with the service: what they spend is not there for it."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def _quantile(times: list[float], share: float) -> float:
    return sorted(times)[min(int(share * len(times)), len(times) - 1)]


if __name__ == "__main__":
    for figure in measure_on(Path(sys.argv[1])):
        print(figure.row())
