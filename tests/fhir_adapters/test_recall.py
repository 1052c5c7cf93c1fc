"""Recall: nothing of a withdrawn model version is live anywhere in the end, whatever happens on the way."""

import multiprocessing
import os
import signal
from dataclasses import replace

import pytest

from fhir_adapters.delivery import deliver
from fhir_adapters.delivery.recall_proof import prove_recall
from fhir_adapters.delivery.target import Target
from fhir_adapters.example_predictions import HANDWRITING, ONCOLOGY_TIMELINE, RESPIRATORY_PEAKS, SEPSIS_STEROIDS
from fhir_adapters.outbox import open_outbox
from fhir_adapters.rules import errors
from fhir_adapters.sandbox import run_sandbox
from tests.fhir_adapters.fhir_helpers import CLIENT, FAST, Hospital, Server, prediction

WHY = "Version retirée : les unités d'un automate avaient changé."
V = {"model": "prescription_review", "version": "1.0.0"}


def proof(outbox, url, model="prescription_review", version="1.0.0"):
    with Target(url, timeout_s=5) as server:
        return prove_recall(outbox, server, model, version, target="default", options=FAST)


@pytest.mark.parametrize("one", [prediction(1), RESPIRATORY_PEAKS, SEPSIS_STEROIDS, ONCOLOGY_TIMELINE, HANDWRITING],
                         ids=lambda p: p.model)  # fmt: skip
def test_a_result_of_each_case_is_withdrawn_and_says_why(outbox, server, send, one):
    outbox.enqueue([one])
    assert send(as_of=one.index_time).acked == 1
    done = outbox.recall(one.model, "1.0.0", WHY)
    assert (done.predictions, done.retractions, done.cancelled) == (1, 1, 0)
    assert proof(outbox, server.url, one.model).waiting == 1
    assert send().acked == 1
    kind = {"respiratory_peaks": "RiskAssessment", "sepsis_steroids": "RiskAssessment"}.get(one.model, "DetectedIssue")
    kind = "DocumentReference" if one.document else kind
    (resource,) = server.all(kind)
    assert resource["status"] == "entered-in-error"
    assert "RETIRÉE" in resource["text"]["div"] and "automate" in resource["text"]["div"]
    assert not {"prediction", "evidence", "severity"} & resource.keys()
    assert errors(resource) == []
    assert [p["activity"]["coding"][0]["code"] for p in server.all("Provenance")] == ["CREATE", "NULLIFY"]
    found = proof(outbox, server.url, one.model)
    assert (found.ok, found.withdrawn) == (True, 1)


def test_what_waits_of_a_recalled_version_is_never_sent(outbox, server, send):
    outbox.enqueue([prediction(1), prediction(2)])
    send(limit=1, options={"max_entries": 1})
    done = outbox.recall(**V, reason=WHY)
    assert (done.retractions, done.cancelled) == (1, 1)
    send()
    assert [i["status"] for i in server.all("DetectedIssue")] == ["entered-in-error"]


def test_a_recalled_version_is_refused_from_then_on_and_the_next_one_is_not(outbox, server, send):
    outbox.enqueue([prediction(1)])
    send()
    outbox.recall(**V, reason=WHY)
    send()
    again = outbox.enqueue([prediction(1), prediction(2)])
    assert (again.read, again.recalled, again.new) == (2, 2, 0)
    outbox.enqueue([prediction(1, model_version="1.0.1")])
    send()
    (issue,) = server.all("DetectedIssue")
    assert issue["status"] == "preliminary"
    assert proof(outbox, server.url).ok


def test_the_same_recall_again_adds_nothing(outbox, send):
    outbox.enqueue([prediction(1)])
    send()
    assert outbox.recall(**V, reason=WHY).retractions == 1
    assert outbox.recall(**V, reason=WHY).retractions == 0
    send()
    assert outbox.recall(**V, reason=WHY).retractions == 0


def test_a_dry_run_writes_nothing(outbox, send):
    outbox.enqueue([prediction(1)])
    send()
    assert outbox.recall(**V, reason=WHY, dry_run=True).retractions == 1
    assert outbox.status()["recalls"] == []
    assert outbox.enqueue([prediction(1, probability=0.9)]).changed == 1


def test_what_a_later_version_has_written_over_stays(outbox, server, send):
    outbox.enqueue([prediction(1), prediction(2)])
    send()
    outbox.enqueue([prediction(2, model_version="1.1.0")])
    send()
    assert outbox.recall(**V, reason=WHY).retractions == 1
    send()
    live = {i["author"]["display"]: i["status"] for i in server.all("DetectedIssue")}
    assert live == {"prescription_review 1.0.0": "entered-in-error", "prescription_review 1.1.0": "preliminary"}
    assert proof(outbox, server.url).ok


def test_what_a_pharmacist_wrote_stays_on_a_withdrawn_alert(outbox, server, send):
    outbox.enqueue([prediction(1)])
    send()
    mitigation = [{"action": {"text": "dose réduite"}, "author": {"reference": "Practitioner/ph1"}}]
    server.put(server.all("DetectedIssue")[0] | {"status": "final", "mitigation": mitigation})
    outbox.recall(**V, reason=WHY)
    assert send().acked == 1
    (issue,) = server.all("DetectedIssue")
    assert (issue["status"], issue["mitigation"]) == ("entered-in-error", mitigation)


def test_a_doubt_is_cleared_up_before_anything_is_withdrawn(outbox, server, send):
    outbox.enqueue([prediction(1)])
    server.fail("reset-after-commit")
    send(limit=1)
    assert outbox.status()["states"]["UNKNOWN"] == 1
    assert outbox.recall(**V, reason=WHY).retractions == 1
    send()
    assert [i["status"] for i in server.all("DetectedIssue")] == ["entered-in-error"]


def test_nothing_is_written_where_nothing_ever_arrived(outbox, server, send):
    outbox.enqueue([prediction(1)])
    server.fail("500")  # nothing was done
    send(limit=1)
    outbox.recall(**V, reason=WHY)
    report = send()
    assert (report.cancelled, server.all("DetectedIssue")) == (1, [])
    assert proof(outbox, server.url).ok


def test_every_document_of_a_version_is_withdrawn_those_that_were_replaced_too(outbox, server, send):
    for text in ("Lecture un.", "Lecture deux."):
        document = replace(HANDWRITING.document, text=text)
        outbox.enqueue([replace(HANDWRITING, document=document)])
        send()
    assert outbox.recall("handwriting", "1.0.0", WHY).retractions == 2
    send()
    assert [d["status"] for d in server.all("DocumentReference")] == ["entered-in-error"] * 2
    assert proof(outbox, server.url, "handwriting").ok


def test_a_result_that_is_still_shown_is_found_out(outbox, server, send):
    outbox.enqueue([prediction(1)])
    send()
    before = server.all("DetectedIssue")[0]
    outbox.recall(**V, reason=WHY)
    send()
    server.put(before)  # somebody restores a copy
    found = proof(outbox, server.url)
    assert (found.ok, len(found.still_shown)) == (False, 1)


def test_a_result_that_the_ledger_has_lost_is_found_by_its_provenance(outbox, server, send):
    outbox.enqueue([prediction(1)])
    send()
    stray = server.all("DetectedIssue")[0] | {"id": "stray"}
    server.put(stray)
    about = server.all("Provenance")[0]
    server.put(about | {"id": "p-stray", "target": [{"reference": "DetectedIssue/stray"}]})
    outbox.recall(**V, reason=WHY)
    send()
    assert proof(outbox, server.url).still_shown == ["DetectedIssue/stray"]


def _work(database, url):
    box = open_outbox(database)
    deliver(box, url, Hospital(), options=FAST)


def test_a_recall_of_a_thousand_results_that_is_killed_twice_is_proved_in_the_end(tmp_path):
    """1,000 in CI, fewer elsewhere; each worker dies in the middle of its work."""
    count = 1000 if os.environ.get("CI") else 120
    database = f"sqlite:///{tmp_path}/o.sqlite"
    box = open_outbox(database)
    box.enqueue([prediction(line) for line in range(count)])
    context = multiprocessing.get_context("spawn")
    with run_sandbox() as url:
        server = Server(url)
        deliver(box, url, Hospital(), options=FAST)
        assert box.recall(**V, reason=WHY).retractions == count
        for _ in range(2):
            worker = context.Process(target=_work, args=(database, url))
            worker.start()
            _wait_for_progress(box, worker)
            os.kill(worker.pid, signal.SIGKILL)
            worker.join()
        assert 0 < _withdrawn(server) <= count
        deliver(box, url, Hospital(), options=FAST)
        found = proof(box, url)
        assert (found.ok, found.withdrawn, _withdrawn(server)) == (True, count, count)
        assert set(server.versions().values()) == {"2"}  # withdrawn once
    box.close()


def _wait_for_progress(box, worker):
    before = box.status()["states"]["ACKED"]
    while worker.is_alive() and box.status()["states"]["ACKED"] == before:
        worker.join(0.01)


def _withdrawn(server):
    bundle = CLIENT.get(f"{server.url}/DetectedIssue", params={"_count": "2000"}).json()
    return sum(e["resource"]["status"] == "entered-in-error" for e in bundle.get("entry", ()))
