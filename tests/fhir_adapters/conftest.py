"""A sandbox over real HTTP, an outbox in a file, and a delivery between them."""

from dataclasses import replace

import pytest

from fhir_adapters.delivery import deliver
from fhir_adapters.outbox import open_outbox
from fhir_adapters.sandbox import run_sandbox
from tests.fhir_adapters.fhir_helpers import FAST, Hospital, Server


@pytest.fixture(scope="session")
def _running():
    with run_sandbox() as url:
        yield Server(url)


@pytest.fixture
def server(_running):
    _running.reset()
    return _running


@pytest.fixture
def outbox(tmp_path):
    box = open_outbox(f"sqlite:///{tmp_path}/outbox/outbox.sqlite")
    yield box
    box.close()


@pytest.fixture
def hospital():
    return Hospital()


@pytest.fixture
def send(outbox, server, hospital):
    """Deliver to the sandbox, quickly."""

    def run(**changes):
        options = replace(FAST, **changes.pop("options", {}))
        return deliver(outbox, server.url, changes.pop("hospital", hospital), options=options, **changes)

    return run
