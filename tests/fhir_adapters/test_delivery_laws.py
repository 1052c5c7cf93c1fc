"""Laws of delivery, on histories of new contents, deliveries and faults that nobody would think of."""

import tempfile
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from fhir_adapters.build import build_all
from fhir_adapters.delivery import deliver
from fhir_adapters.outbox import open_outbox
from fhir_adapters.sandbox import run_sandbox
from fhir_adapters.sandbox.operations import Abilities
from tests.fhir_adapters.fhir_helpers import CLIENT, FAST, Hospital, Server, prediction

IMPATIENT = replace(FAST, timeout_s=0.3, wait_s=3.0, breaker_after=4, max_attempts=1000)
FAULTS = ["429", "500", "503", "reset", "reset-after-commit", "500-after-commit", "duplicate"]
OF_TRANSACTIONS = ["429-in-entry", "drop-entry", "first-entry-only"]

faults = st.lists(st.sampled_from([*FAULTS, *OF_TRANSACTIONS]), max_size=4)
contents = st.dictionaries(st.integers(1, 3), st.sampled_from([0.7, 0.8, 0.9]), min_size=1)
steps = st.lists(st.tuples(contents, faults, st.integers(1, 4)), min_size=1, max_size=4)
KINDS = {
    "transaction": Abilities(),
    "single": Abilities(transactions=False),
    "server ids": Abilities(update_create=False),
}


@pytest.fixture(scope="module", params=KINDS)
def kind_of_server(request):
    with run_sandbox(abilities=KINDS[request.param]) as url:
        yield request.param, Server(url)


@given(steps)
@example([({1: 0.7, 2: 0.7}, ["timeout-after-commit"], 4), ({1: 0.8}, ["timeout-after-commit", "500-after-commit"], 4)])
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_current_resource_a_key_with_the_last_content_and_nothing_lost(kind_of_server, history):
    name, server = kind_of_server
    server.reset()
    with tempfile.TemporaryDirectory() as folder:
        outbox = open_outbox(f"sqlite:///{folder}/o.sqlite")
        last = {}
        for wanted, planned, limit in history:
            last |= wanted
            outbox.enqueue([prediction(line, probability=p) for line, p in wanted.items()])
            _fail(server, [f for f in planned if name == "transaction" or f not in OF_TRANSACTIONS])
            deliver(outbox, server.url, Hospital(), options=IMPATIENT, limit=limit)
        server.heal()
        _finish(outbox, server)

        issues = {issue["identifier"][0]["value"]: issue for issue in server.all("DetectedIssue")}
        assert len(server.all("DetectedIssue")) == len(issues) == len(last)
        for line, probability in last.items():
            one = prediction(line, probability=probability)
            assert _content(issues[one.prediction_id]) == build_all(one).content_sha256
        states = outbox.status()["states"]
        assert states["ACKED"] + states["SUPERSEDED"] == sum(states.values())
        assert len(server.all("Device")) == 1
        told = Counter((p["target"][0]["reference"], p["recorded"], p["id"]) for p in server.all("Provenance"))
        assert max(told.values()) == 1
        assert states["ACKED"] <= len(server.all("Provenance")) <= states["ACKED"] + states["SUPERSEDED"]

        before = {kind: server.all(kind) for kind in ("DetectedIssue", "Device", "Provenance")}
        with outbox.transaction() as connection:
            connection.execute(text("UPDATE outbox SET state = 'PENDING', attempts = 0"))
        _finish(outbox, server)
        assert {kind: server.all(kind) for kind in before} == before  # replay changes nothing
        outbox.close()


def _fail(server, kinds):
    wanted = [{"kind": kind, "seconds": 0.5 if kind == "timeout-after-commit" else 0} for kind in kinds]
    assert CLIENT.post(server.root + "/sandbox/faults", json=wanted).status_code == 200


def _finish(outbox, server):
    for _ in range(10):
        if deliver(outbox, server.url, Hospital(), options=replace(IMPATIENT, timeout_s=5.0)).remaining == 0:
            return
    raise AssertionError("never done")


def _content(issue):
    return next(i["value"] for i in issue["identifier"] if i.get("use") == "secondary")
