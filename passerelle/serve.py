"""Serve results: FHIR R4, CDS Hooks and, for a demo, a page. Wires the model, the crosswalk and the outbox together."""

import contextlib
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from passerelle import __version__
from passerelle.errors import UsageError
from passerelle.fresh_reidentifier import FreshReidentifier
from passerelle.log import configure_log
from passerelle.settings import Settings
from passerelle.workspace import Workspace

if TYPE_CHECKING:
    from fastapi import FastAPI

    from fhir_adapters.service.access.registry import Registry
    from fhir_adapters.service.reviewer import Reviewer

DEMO_KEYS = "demo_keys.json"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
SWITCH_S = 0.001  # what writes in the background gives way to who answers, five times sooner than usual
KEPT_S = 75  # an idle connection; longer than a record system's own patience


@contextlib.contextmanager
def service(
    settings: Settings, base_url: str, reviewer: "Reviewer", registry: "Registry", *, keys_folder: Path = Path(),
    demo: bool = False, **limits: Any,
) -> Iterator["FastAPI"]:  # fmt: skip
    """The application on a workspace; what it opened is given back at the end of the block.

    Args:
        base_url: where it is served, for tokens and links, unless the clients' file says how clients call it.
        registry: who may call; nobody is asked in a demo.
        limits: ``budget_s``, ``max_body_bytes``, ``requests_a_minute``, in the place of the registry's.
    """
    from fhir_adapters.outbox.reading import open_reader
    from fhir_adapters.service.app import Parts, make_app
    from fhir_adapters.service.options import ServiceOptions
    from passerelle.delivery import declaration_of, outbox_of

    workspace, declared = Workspace(settings.workspace), declaration_of(settings)
    options = ServiceOptions(
        base_url=(registry.public_url or base_url).rstrip("/"), site=declared.site, demo=demo,
        targets=tuple(declared.targets) or ("default",), **registry.limits.model_dump() | limits,
    )  # fmt: skip
    with (
        outbox_of(settings) as outbox,
        contextlib.closing(open_reader(settings.outbox_url or workspace.outbox_url)) as reader,
    ):
        yield make_app(
            Parts(
                options=options,
                reviewer=reviewer,
                reidentifier=FreshReidentifier(settings, "serve results"),
                outbox=outbox,
                reader=reader,
                folder=workspace.root / "service",
                version=__version__,
                registry=registry,
                keys_folder=keys_folder,
            )
        )


def _registry(clients: Path | None, demo: bool, host: str) -> "Registry":
    from fhir_adapters.service.access.registry import Registry

    if demo and clients is not None:
        raise UsageError("a demo asks nobody who he is", looked="--clients, --demo", do="give one of the two")
    if demo and host not in LOOPBACK:
        raise UsageError("a demo is for this machine alone", looked=f"--host {host}", do="leave --host out")
    if clients is None and not demo:
        raise UsageError(
            "nobody would be let in: no clients are declared",
            looked="--clients, --demo",
            do="give a clients' file (docs/howto/serve_results.md), or --demo on this machine",
        )
    return Registry() if clients is None else Registry.read(clients)


def serve(
    settings: Settings, *, host: str, port: int, clients: Path | None, demo: bool, on: str | None,
    ready: Callable[[str], None], **limits: Any,
) -> None:  # fmt: skip
    """Serve until interrupted.

    Args:
        ready: called with the address, once it listens.
        limits: as ``service`` takes them.
    Raises:
        UsageError: nobody would be let in, or everybody; no workspace; an address that cannot be used.
    """
    from passerelle.reviewer import ReviewerApart, spare_garbage_collection

    registry = _registry(clients, demo, host)
    Workspace(settings.workspace).manifest()  # is there one?
    settings = _with_own_keys(settings) if demo else settings
    configure_log(settings)
    with (
        contextlib.closing(_listen(host, port)) as listener,
        contextlib.closing(ReviewerApart(settings, on)) as reviewer,
    ):
        base_url = f"http://{host}:{listener.getsockname()[1]}"
        folder = clients.parent if clients else Path()
        with service(settings, base_url, reviewer, registry, keys_folder=folder, demo=demo, **limits) as app:
            spare_garbage_collection()
            _run(app, listener, lambda: ready(base_url))


def _with_own_keys(settings: Settings) -> Settings:
    """A demo keeps its secrets in its own workspace."""
    own = settings.workspace / DEMO_KEYS
    return settings.model_copy(update={"keys_file": own}) if own.is_file() else settings


def _run(app: "FastAPI", listener: socket.socket, ready: Callable[[], None]) -> None:
    import uvicorn

    class Server(uvicorn.Server):
        """Says when it listens, not before; and ends so that what was opened is closed."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            before = {one: signal.signal(one, self.handle_exit) for one in (signal.SIGINT, signal.SIGTERM)}
            try:
                yield
            finally:
                for one, handler in before.items():
                    signal.signal(one, handler)

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready()

    sys.setswitchinterval(SWITCH_S)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, proxy_headers=False, timeout_keep_alive=KEPT_S,
        timeout_graceful_shutdown=5,
    )  # fmt: skip
    Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise UsageError(
            f"{host}:{port} cannot be used: {error.strerror}", looked="--host, --port", do="give another port, or 0"
        ) from error
    return listener
