"""Laws of delivery, on histories of new contents, deliveries, faults and kills that nobody would think of.

In CI 550 random histories, elsewhere fewer.
"""

import contextlib
import os
import tempfile
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, Phase, example, given, note, settings
from hypothesis import strategies as st
from sqlalchemy import text

from fhir_adapters.build import DEFAULT_SITE, build_all
from fhir_adapters.delivery import deliver
from fhir_adapters.delivery.reconcile import reconcile
from fhir_adapters.delivery.target import Target
from fhir_adapters.example_predictions import HANDWRITING
from fhir_adapters.outbox import open_outbox
from fhir_adapters.sandbox import Abilities, abilities, run_sandbox
from passerelle.errors import TargetBusy
from tests.fhir_adapters.fhir_helpers import CLIENT, FAST, Hospital, Server, prediction
from tests.fhir_adapters.killed_worker import POINTS, deliver_and_die

IMPATIENT = replace(FAST, timeout_s=0.5, wait_s=3.0, breaker_after=4, max_attempts=1000)
LATE_EFFECTS = ["duplicate-later", "stale-search"]  # a copy of an old request, an index behind: for the reconciler
SLOW = ["timeout", "timeout-after-commit"]
FAULTS = ["429", "500", "502", "503", "504", "409", "reset", "reset-after-commit", "500-after-commit", "duplicate",
          "html", "cut-answer", "truncated-json", *LATE_EFFECTS, *SLOW]  # fmt: skip
NO_ANSWER = ["reset", "reset-after-commit", "html", "cut-answer", "truncated-json", *SLOW]
OF_BUNDLES = ["429-in-entry", "429-in-half", "half-applied", "drop-entry", "first-entry-only"]
KINDS = {  # what a server can do, and with how many histories it is tried in CI
    "transaction": (Abilities(), 150),
    "silent batch": (abilities.SILENT_BATCH, 60),
    "batch": (abilities.BATCH_ONLY, 80),
    "strict": (replace(abilities.STRICT_REFERENCES, claims="truth"), 60),
    "one by one": (abilities.NO_TRANSACTIONS, 60),
    "server ids": (abilities.SERVER_IDS, 80),
    "conditional update": (abilities.CONDITIONAL_UPDATE_ONLY, 60),
}
# No shrinking: a history takes a third of a second, and its failure is printed as it is.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
DOCUMENT, LATE = 4, 5  # lines that are about a document, and about what no longer holds

faults = st.lists(st.sampled_from([*FAULTS, *OF_BUNDLES]), max_size=4)
contents = st.dictionaries(st.integers(1, LATE), st.sampled_from([0.7, 0.8, 0.9]), min_size=1)
kills = st.none() | st.tuples(st.sampled_from(POINTS), st.integers(1, 4))
steps = st.lists(st.tuples(contents, faults, st.integers(1, 6), kills), min_size=1, max_size=4)


def said(line, probability):
    if line == DOCUMENT:
        document = replace(HANDWRITING.document, text=f"Lecture {probability}.")
        return replace(HANDWRITING, document=document, probability=probability)
    late = {"valid_until": datetime(2025, 3, 6, tzinfo=UTC)} if line == LATE else {}
    return prediction(line, probability=probability, **late)


def histories(kind):
    return KINDS[kind][1] if os.environ.get("CI") else 8


@pytest.mark.parametrize("kind", KINDS)
def test_one_current_resource_a_key_with_the_last_content_and_nothing_lost(kind):
    with run_sandbox(abilities=KINDS[kind][0]) as url:
        server = Server(url)
        bundles = kind in ("transaction", "silent batch", "batch", "strict")

        @given(steps)
        @example([({1: 0.7, 2: 0.7}, ["timeout-after-commit"], 4, None),
                  ({1: 0.8}, ["timeout-after-commit", "500-after-commit"], 4, None)])  # fmt: skip
        @example([({1: 0.7, 4: 0.7}, [], 6, (POINTS[1], 2)), ({4: 0.8, 1: 0.8}, [], 6, (POINTS[1], 3)),
                  ({4: 0.7}, [], 6, (POINTS[3], 1))])  # fmt: skip
        @settings(max_examples=histories(kind), suppress_health_check=list(HealthCheck), phases=PHASES)
        def law(history):
            note(repr(history))  # hypothesis would show generated values
            _law(server, history, bundles=bundles, conditional=kind != "conditional update")

        law()


def _law(server, history, *, bundles, conditional=True):
    server.reset()
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{folder}/o.sqlite"
        outbox = open_outbox(database)
        last = {}
        for wanted, planned, limit, kill in history:
            last |= wanted
            outbox.enqueue([said(line, p) for line, p in wanted.items()])
            _fail(server, [f for f in planned if bundles or f not in OF_BUNDLES])
            if kill is None:
                with contextlib.suppress(TargetBusy):
                    deliver(outbox, server.url, Hospital(), options=IMPATIENT, limit=limit)
            else:
                deliver_and_die(database, server.url, IMPATIENT, limit, *kill)
        server.heal()
        _finish(outbox, server)
        planned = [fault for _, faults_of_step, _, _ in history for fault in faults_of_step]
        # A machine at work beside it may let a request arrive after the client has given up: that is late as well.
        if set(planned) & set(LATE_EFFECTS) or _unanswered(outbox) > sum(fault in NO_ANSWER for fault in planned):
            _reconcile(outbox, server)
        _check(outbox, server, last, provenance_once=conditional)
        before = {kind: server.all(kind) for kind in ("DetectedIssue", "DocumentReference", "Device", "Provenance")}
        with outbox.transaction() as connection:
            again = "UPDATE outbox SET state = 'PENDING', attempts = 0 WHERE state IN ('ACKED', 'SUPERSEDED')"
            connection.execute(text(again))
        _finish(outbox, server)
        assert {kind: server.all(kind) for kind in before} == before  # replay changes nothing
        outbox.close()


def _check(outbox, server, last, *, provenance_once):
    current = [*server.all("DetectedIssue"), *(d for d in server.all("DocumentReference") if d["status"] == "current")]
    found = Counter(_key(resource) for resource in current)
    expected = {said(line, p).prediction_id: build_all(said(line, p)) for line, p in last.items() if line != LATE}
    assert found == Counter(expected.keys())  # one each, and nothing that no longer held
    for resource in current:
        assert _content(resource) == expected[_key(resource)].content_sha256
    states = outbox.status()["states"]
    assert states["ACKED"] + states["SUPERSEDED"] + states["EXPIRED"] == sum(states.values())
    assert len(server.all("Device")) == len({built.device["id"] for built in expected.values()})
    told = Counter((p["target"][0]["reference"], p["recorded"]) for p in server.all("Provenance"))
    # R4's Provenance has no identifier: without conditional creates nothing keeps a proxy from repeating its POST.
    assert max(told.values(), default=1) == 1 or not provenance_once
    assert (
        not provenance_once
        or states["ACKED"] <= len(server.all("Provenance")) <= states["ACKED"] + states["SUPERSEDED"]
    )


def _fail(server, kinds):
    wanted = [{"kind": kind, "seconds": 0.7 if kind in SLOW else 0} for kind in kinds]
    assert CLIENT.post(server.root + "/sandbox/faults", json=wanted).status_code == 200


def _unanswered(outbox):
    with outbox.transaction() as connection:
        lost = "SELECT count(DISTINCT t_send) FROM delivery_ledger WHERE http_status IS NULL AND answer = 'doubt'"
        return connection.execute(text(lost)).scalar_one()


def _reconcile(outbox, server):
    for _ in range(3):
        server.all("Device")  # a search index that is behind catches up with the next requests
    for _ in range(2):
        with Target(server.url, timeout_s=5) as target:
            report = reconcile(outbox, target, DEFAULT_SITE, target="default", options=IMPATIENT, repair=True)
        _finish(outbox, server)
    assert report.ok, report


def _finish(outbox, server):
    for _ in range(10):
        if deliver(outbox, server.url, Hospital(), options=replace(IMPATIENT, timeout_s=5.0)).remaining == 0:
            return
    raise AssertionError("never done")


def _key(resource):
    return resource["identifier"][0]["value"]


def _content(resource):
    return next(i["value"] for i in resource["identifier"] if i.get("use") == "secondary")
