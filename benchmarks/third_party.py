"""Delivery to two FHIR servers that we did not write; left out, with the reason, where they cannot be built."""

import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.fhir_results import delivered
from benchmarks.figures import Figure
from passerelle.errors import PasserelleError
from tests.conformance.servers import hapi_server, medplum_server

COMMAND = "python -m benchmarks third_party"
SERVERS = {"Medplum's router": medplum_server, "HAPI JPA": hapi_server}
COUNT = 400  # predictions: the slower of the two takes half a minute for as many
GOAL = "goal 0.8 x"


def measure(folder: Path) -> Iterator[Figure]:
    """Each server once, with the bare client beside it."""
    for name, server in SERVERS.items():
        try:
            with server() as url:
                yield from delivered(folder, url, name, COMMAND, GOAL, COUNT)
        except PasserelleError as error:
            print(f"{name} left out: {error}", file=sys.stderr)
