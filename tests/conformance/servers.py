"""Two FHIR servers that we did not write, on loopback and in memory, for the tests of delivery.

with medplum_server() as url:   # or hapi_server()
    httpx.get(f"{url}/metadata")
"""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, Queue
from tempfile import TemporaryFile
from typing import TextIO

from passerelle.errors import TransientError
from tests.conformance.programs import java_program, node_program


@contextmanager
def medplum_server() -> Iterator[str]:
    """Medplum's router. Not atomic on a late failure, no referential integrity; ``|`` in an identifier is missed."""
    with _running(node_program("independent", "server.mjs"), within_s=60) as url:
        yield url


@contextmanager
def hapi_server() -> Iterator[str]:
    """HAPI JPA on H2. Transactions are atomic, a stale If-Match is 409, conditional PUTs in parallel duplicate."""
    with _running(java_program("hapi", "Hapi"), within_s=180) as url:
        yield url


@contextmanager
def _running(command: list[str], within_s: float) -> Iterator[str]:
    """A program whose first line of output is its address, ended on the way out."""
    with TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            yield _first_line(process, within_s, log)
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _first_line(process: "subprocess.Popen[str]", within_s: float, log: TextIO) -> str:
    lines: Queue[str] = Queue()
    threading.Thread(target=_read, args=(process, lines), daemon=True).start()
    try:
        line = lines.get(timeout=within_s).strip()
    except Empty:
        line = ""
    if not line.startswith("http://127.0.0.1:"):
        log.seek(0)
        last = "\n".join(log.read().strip().splitlines()[-12:])
        raise TransientError("the server did not start", looked=last or f"{within_s} s of silence", do="run it alone")
    return line


def _read(process: "subprocess.Popen[str]", lines: "Queue[str]") -> None:
    """Reads on after the first line, so that a server that talks never waits for us."""
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put("")
