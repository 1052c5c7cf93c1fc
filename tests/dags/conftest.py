"""Airflow reads its home when it is first imported: a temporary one, before that."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="airflow_"))
AIRFLOW = {
    "AIRFLOW_HOME": str(AIRFLOW_HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parents[2] / "dags"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(AIRFLOW_HOME / "logs"),
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{AIRFLOW_HOME}/airflow.db",
}
os.environ.update(AIRFLOW)


def pytest_sessionfinish() -> None:
    """Also in a process that ran none of these tests: to collect them was enough to make the folder."""
    shutil.rmtree(AIRFLOW_HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    return AIRFLOW_HOME


@pytest.fixture(autouse=True)
def zone_of_the_tests(clean_environment: str) -> Iterator[None]:
    """Airflow takes the time zone out of the process that loads a DAG; the tests that follow need theirs."""
    yield
    os.environ["TZ"] = clean_environment
    time.tzset()


@pytest.fixture(scope="session")
def dag_folder() -> Path:
    return Path(AIRFLOW["AIRFLOW__CORE__DAGS_FOLDER"])


@pytest.fixture(scope="session")
def dags(dag_folder):
    """Every DAG of the folder, as the DAG processor loads it; the database does not exist."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder)
    assert not bag.import_errors
    assert not (AIRFLOW_HOME / "airflow.db").exists(), "loading a DAG opened the database"
    return bag.dags
