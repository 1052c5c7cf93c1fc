"""A database for the copies of a source that is one."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from etl.demo.server import demo_server


@pytest.fixture(scope="session")
def dsn() -> Iterator[str]:
    """A PostgreSQL of its own; not below pytest's folder, which is closed to the user of the server."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder, demo_server(Path(folder) / "data") as url:
        yield url
