"""Runs the sandbox on loopback, in a thread of this process."""

import contextlib
import importlib.util
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fhir_adapters.sandbox.abilities import Abilities
from passerelle.errors import TransientError, UsageError

if TYPE_CHECKING:
    import uvicorn

    from fhir_adapters.sandbox.authorization import RegisteredClient
    from fhir_adapters.sandbox.handler import FhirHandler
    from fhir_adapters.sandbox.repository import Repository

LOOPBACK = "127.0.0.1"
START_TIMEOUT_S = 15.0
DEFAULT_ABILITIES = Abilities()


@dataclass(frozen=True, slots=True)
class Tls:
    """Files of PEM. With ``client_ca`` only clients with a certificate of that authority may connect."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def options(self) -> dict[str, Any]:
        """The same for uvicorn."""
        found: dict[str, Any] = {"ssl_certfile": str(self.certificate), "ssl_keyfile": str(self.key)}
        if self.client_ca:
            found |= {"ssl_ca_certs": str(self.client_ca), "ssl_cert_reqs": ssl.CERT_REQUIRED}
        return found


@contextlib.contextmanager
def run_sandbox(
    port: int = 0,
    *,
    abilities: Abilities = DEFAULT_ABILITIES,
    seed: Iterable[dict[str, Any]] = (),
    clients: "Sequence[RegisteredClient]" = (),
    token_seconds: float = 300.0,
    tls: Tls | None = None,
    may_kill: bool = False,
) -> Iterator[str]:
    """Run a sandbox and give its FHIR base URL; it stops, and forgets everything, at the end of the block.

    Args:
        port: 0 for any free one.
        abilities: what it can do; less, to stand in for a lesser server.
        seed: resources with an id that it holds from the start (the patients of a demo).
        clients: when there are any, every request needs a token that one of them got.
        token_seconds: how long a token holds.
        tls: speak https, and ask clients for a certificate.
        may_kill: faults may end the process that they name, to test what a client leaves behind.
    Raises:
        UsageError: the packages of the extra ``service`` are not installed, or the port is taken.
    """
    listener = _listen(port)
    root = f"{'https' if tls else 'http'}://{LOOPBACK}:{listener.getsockname()[1]}"
    with contextlib.closing(listener):
        handler = _handler(root, abilities, clients, token_seconds, may_kill)
        _fill(handler.repository, seed)
        with _running(_server(handler, tls), listener):
            yield f"{root}/fhir"


def _handler(
    root: str, abilities: Abilities, clients: "Sequence[RegisteredClient]", token_seconds: float, may_kill: bool
) -> "FhirHandler":
    _require_packages("starlette", "uvicorn", *(["jwt"] if clients else []))
    from fhir_adapters.sandbox.faults import Faults
    from fhir_adapters.sandbox.handler import FhirHandler
    from fhir_adapters.sandbox.repository import Repository

    authorization = None
    if clients:
        from fhir_adapters.sandbox.authorization import Authorization

        authorization = Authorization(f"{root}/token", clients, token_seconds)
    return FhirHandler(Repository(f"{root}/fhir", abilities), Faults(may_kill=may_kill), authorization)


def _require_packages(*names: str) -> None:
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise UsageError(
                f"the sandbox needs {name}", looked="the installed packages", do="install passerelle[service]"
            )


def _fill(repository: "Repository", seed: Iterable[dict[str, Any]]) -> None:
    from fhir_adapters.sandbox.operations import Write, carry_out

    for resource in seed:
        carry_out(repository, Write("PUT", resource["resourceType"], resource["id"], resource, our_id=True))


def _server(handler: "FhirHandler", tls: Tls | None) -> "uvicorn.Server":
    import uvicorn

    from fhir_adapters.sandbox.app import Sandbox, make_app

    config = uvicorn.Config(
        make_app(Sandbox(handler)), log_level="critical", access_log=False, lifespan="off", timeout_graceful_shutdown=1,
        **(tls.options() if tls else {}),
    )  # fmt: skip
    return uvicorn.Server(config)


@contextlib.contextmanager
def _running(server: "uvicorn.Server", listener: socket.socket) -> Iterator[None]:
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True)
    thread.start()
    try:
        _wait_until_started(server, thread)
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=5)


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
