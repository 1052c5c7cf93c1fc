"""Delivery to a FHIR server that is not ours, with killed workers: ``python -m tests.conformance.delivery``.

At the end the server is read back: one current resource a prediction, with its content, and one Provenance.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from fhir_adapters.delivery import DeliveryOptions, deliver
from fhir_adapters.delivery.reconcile import verify
from fhir_adapters.delivery.target import Target
from fhir_adapters.outbox import open_outbox
from passerelle.errors import PasserelleError
from tests.conformance.servers import hapi_server, medplum_server
from tests.fhir_adapters.fhir_helpers import Hospital, prediction
from tests.fhir_adapters.killed_worker import POINTS, deliver_and_die

SERVERS = {"medplum": medplum_server, "hapi": hapi_server}
# One of them has no statement of what it can do, so it is said here.
OPTIONS = DeliveryOptions(mode="transaction", write="client_id", timeout_s=120.0, lease_s=600.0)


def main(arguments: list[str]) -> int:
    """Deliver, be killed, deliver again, read back; 1 when the server does not hold what it should."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.delivery", description=__doc__)
    parser.add_argument("--server", choices=SERVERS, default="medplum")
    parser.add_argument("--predictions", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    try:
        with SERVERS[options.server]() as url, tempfile.TemporaryDirectory() as folder:
            return _run(url, Path(folder), options.predictions, options.kills, random.Random(options.seed))
    except PasserelleError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def _run(url: str, folder: Path, count: int, kills: int, chance: random.Random) -> int:
    database = f"sqlite:///{folder}/outbox.sqlite"
    outbox = open_outbox(database)
    outbox.enqueue(prediction(line) for line in range(count))
    started = time.perf_counter()
    for _ in range(kills):
        point, number = chance.choice(POINTS), chance.randint(1, max(8, count // (10 * kills)))
        deliver_and_die(database, url, OPTIONS, count // kills, point, number)
    killed = outbox.status()["states"]
    report = deliver(outbox, url, Hospital(), options=OPTIONS)
    spent = time.perf_counter() - started
    with Target(url, timeout_s=120.0) as server:
        there = {kind: _count(server, kind) for kind in ("DetectedIssue", "Provenance", "Device")}
        read = verify(outbox, server, target="default", options=OPTIONS)
    outbox.close()
    print(f"{count} predictions, {kills} killed workers, {spent:.0f} s in all")
    print(f"after the kills: {killed['ACKED']} acknowledged, {killed['LEASED'] + killed['VERIFY']} held by the dead")
    print(
        f"then: {report.acked} acknowledged, of them {report.already_there} found there, {report.recovered} recovered"
    )
    print("at the server:", ", ".join(f"{number} {kind}" for kind, number in there.items()))
    print(f"read back by id: {read.same} with their content, {len(read.missing)} missing, {len(read.drifted)} changed")
    expected = {"DetectedIssue": count, "Provenance": count, "Device": 1}
    right = there == expected and read.ok and read.same == count and report.remaining == report.dead == 0
    print("as it should be" if right else f"WRONG: expected {expected}")
    return int(not right)


def _count(server: Target, kind: str) -> int:
    """How many current resources of a type the server says it has."""
    total: int = server.get(kind, {"_summary": "count", "_total": "accurate"}).body["total"]
    return total


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
