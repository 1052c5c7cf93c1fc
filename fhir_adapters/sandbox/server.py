"""Runs the sandbox on loopback, in a thread of this process."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from fhir_adapters.sandbox.operations import Abilities
from passerelle.errors import TransientError, UsageError

if TYPE_CHECKING:
    import uvicorn

LOOPBACK = "127.0.0.1"
START_TIMEOUT_S = 15.0
DEFAULT_ABILITIES = Abilities()


@contextlib.contextmanager
def run_sandbox(
    port: int = 0, *, abilities: Abilities = DEFAULT_ABILITIES, seed: Iterable[dict[str, Any]] = ()
) -> Iterator[str]:
    """Run a sandbox and give its FHIR base URL; it stops, and forgets everything, at the end of the block.

    Args:
        port: 0 for any free one.
        abilities: what it can do; less, to stand in for a lesser server.
        seed: resources with an id that it holds from the start (the patients of a demo).
    Raises:
        UsageError: the packages of the extra ``service`` are not installed, or the port is taken.
    """
    listener = _listen(port)
    server = _server(abilities, seed)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True)
    thread.start()
    try:
        _wait_until_started(server, thread)
        yield f"http://{LOOPBACK}:{listener.getsockname()[1]}/fhir"
    finally:
        server.should_exit = True
        thread.join(timeout=5)
        listener.close()


def _server(abilities: Abilities, seed: Iterable[dict[str, Any]]) -> "uvicorn.Server":
    try:
        import uvicorn

        from fhir_adapters.sandbox.app import Sandbox, make_app
    except ImportError as error:
        raise UsageError(
            f"the sandbox needs {error.name}", looked="the installed packages", do="install passerelle[service]"
        ) from error
    from fhir_adapters.sandbox import operations

    sandbox = Sandbox(abilities)
    for resource in seed:
        operations.update(sandbox.store, resource["resourceType"], resource["id"], resource, DEFAULT_ABILITIES)
    config = uvicorn.Config(
        make_app(sandbox), log_level="critical", access_log=False, lifespan="off", timeout_graceful_shutdown=1
    )
    return uvicorn.Server(config)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as error:
        listener.close()
        raise UsageError(f"port {port} cannot be used: {error.strerror}", do="give another port, or 0") from error
    return listener


def _wait_until_started(server: "uvicorn.Server", thread: threading.Thread) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise TransientError("the sandbox did not start", looked=f"thread on {LOOPBACK}", do="try again")
        time.sleep(0.01)
