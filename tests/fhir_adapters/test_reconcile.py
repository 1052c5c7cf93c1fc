"""What a target holds against what it acknowledged, both ways, and the repair."""

from dataclasses import replace

import pytest

from fhir_adapters.build import DEFAULT_SITE
from fhir_adapters.delivery.reconcile import reconcile, verify
from fhir_adapters.delivery.target import Target
from fhir_adapters.example_predictions import HANDWRITING
from tests.fhir_adapters.fhir_helpers import CLIENT, FAST, prediction


@pytest.fixture
def compared(outbox, server):
    """Reconcile with the sandbox."""

    def run(**changes):
        with Target(server.url, timeout_s=5) as target:
            return reconcile(outbox, target, DEFAULT_SITE, target="default", options=FAST, **changes)

    return run


@pytest.fixture
def delivered(outbox, send):
    outbox.enqueue([prediction(line) for line in range(3)])
    assert send().acked == 3


def test_what_is_as_it_was_acknowledged_is_the_same(compared, delivered, outbox, server):
    report = compared()
    assert (report.ok, report.checked, report.same) == (True, 3, 3)
    with Target(server.url, timeout_s=5) as target:
        assert verify(outbox, target, target="default", options=FAST).as_json() == report.as_json()


def test_what_a_target_lost_is_put_back(compared, delivered, server, send):
    gone = server.all("DetectedIssue")[1]
    CLIENT.delete(f"{server.url}/DetectedIssue/{gone['id']}")
    report = compared(repair=True)
    assert (report.missing, report.repaired) == ([gone["id"]], 1)
    assert send(options={"recreate_deleted": True}).acked == 1
    assert compared().ok
    assert len(server.all("DetectedIssue")) == 3


def test_what_someone_deleted_on_purpose_is_a_letter_unless_the_hospital_says_otherwise(
    compared, delivered, server, send
):
    gone = server.all("DetectedIssue")[1]
    CLIENT.delete(f"{server.url}/DetectedIssue/{gone['id']}")
    compared(repair=True)
    assert send().dead_reasons == {"HTTP 410": 1}


def test_an_old_copy_that_came_late_is_written_over(compared, outbox, delivered, server, send):
    old = server.all("DetectedIssue")[0]
    line = old["patient"]["identifier"]["value"].removeprefix("IPPSECRET")
    outbox.enqueue([prediction(int(line) - 1000, probability=0.91)])
    send()
    server.put(old)  # a proxy had kept it
    report = compared(repair=True)
    assert report.drifted == [old["id"]]
    send()
    assert "91,0 %" in next(i for i in server.all("DetectedIssue") if i["id"] == old["id"])["text"]["div"]
    assert compared().ok


def test_what_people_did_is_no_drift_and_outlives_the_repair(compared, outbox, delivered, server, send):
    issue = server.all("DetectedIssue")[0]
    mitigation = [{"action": {"text": "dose réduite"}, "author": {"reference": "Practitioner/ph1"}}]
    server.put(issue | {"status": "final", "mitigation": mitigation})
    report = compared()
    assert (report.ok, report.judged, report.same) == (True, 1, 2)


def test_a_resource_of_ours_that_nobody_knows_is_told_and_left_alone(compared, delivered, server):
    server.put(server.all("DetectedIssue")[0] | {"id": "another-workspace"})
    report = compared(repair=True)
    assert (report.ok, report.extra, report.repaired) == (False, ["DetectedIssue/another-workspace"], 0)
    assert len(server.all("DetectedIssue")) == 4


def test_a_document_that_was_replaced_and_stayed_current_is_closed(compared, outbox, server, send):
    for text in ("Lecture un.", "Lecture deux."):
        outbox.enqueue([replace(HANDWRITING, document=replace(HANDWRITING.document, text=text))])
        send()
    older = next(d for d in server.all("DocumentReference") if d["status"] == "superseded")
    server.put(older | {"status": "current"})  # the second half of the pair was lost
    report = compared(repair=True)
    assert (report.doubled, report.repaired) == ([older["id"]], 1)
    assert sorted(d["status"] for d in server.all("DocumentReference")) == ["current", "superseded"]
    assert compared().ok
