# ruff: noqa: E501  tables of cases
"""Delivery over real HTTP: what the target holds in the end, whatever happens on the way."""

import logging
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import text

from fhir_adapters.delivery import deliver, in_bundles
from fhir_adapters.delivery.answers import Answer, classify, retry_after_s
from fhir_adapters.outbox import open_outbox
from fhir_adapters.reidentifier import Origin
from fhir_adapters.sandbox import Abilities, run_sandbox
from passerelle.errors import TargetBusy, TerminalError
from tests.fhir_adapters.fhir_helpers import CLIENT, FAST, Hospital, prediction


def states(outbox):
    return {state: number for state, number in outbox.status()["states"].items() if number}


def test_a_prediction_arrives_with_its_device_and_provenance(outbox, server, send):
    outbox.enqueue([prediction(1), prediction(2)])
    report = send()
    assert (report.acked, report.remaining, report.ok, report.mode) == (2, 0, True, "transaction")
    assert [len(server.all(kind)) for kind in ("DetectedIssue", "Device", "Provenance")] == [2, 1, 2]


def test_identity_takes_the_place_of_the_stand_in_on_the_way_out(outbox, server, send):
    hospital = Hospital(origins={("drug_exposure", 5001): Origin("MedicationRequest/m1"),
                                 ("measurement", 7001): Origin(system="urn:oid:1.2.3", value="L1", type="Observation")})  # fmt: skip
    outbox.enqueue([prediction(1)])
    send(hospital=hospital)
    issue = server.all("DetectedIssue")[0]
    assert issue["patient"]["identifier"]["value"] == "IPPSECRET1001"
    assert issue["patient"]["identifier"]["type"]["coding"][0]["code"] == "PI"
    assert issue["implicated"][0]["reference"] == "MedicationRequest/m1"
    assert issue["evidence"][0]["detail"][0]["identifier"] == {"system": "urn:oid:1.2.3", "value": "L1"}
    assert "urn:passerelle" not in str(server.all("DetectedIssue") + server.all("Provenance"))
    assert hospital.asked == [(1001, f"FHIR delivery of prediction {issue['id']}")]  # once, and why


def test_the_patient_of_the_target_is_found_without_a_url_that_names_him(outbox, server, send):
    identifier = [{"system": "urn:oid:1.2.250.1.999", "value": "IPPSECRET1001"}]
    server.put({"resourceType": "Patient", "id": "p1", "identifier": identifier})
    outbox.enqueue([prediction(1)])
    send()
    assert server.all("DetectedIssue")[0]["patient"]["reference"] == "Patient/p1"


def test_two_patients_with_one_identifier_stop_the_item(outbox, server, send):
    for id_ in ("p1", "p2"):
        identifier = [{"system": "urn:oid:1.2.250.1.999", "value": "IPPSECRET1001"}]
        server.put({"resourceType": "Patient", "id": id_, "identifier": identifier})
    outbox.enqueue([prediction(1), prediction(2)])
    report = send()
    assert (report.acked, report.dead) == (1, 1)
    assert "several patients" in outbox.dead_letters()[0]["reason"]


def test_a_person_nobody_knows_is_a_dead_letter_that_can_be_put_back(outbox, server, send):
    outbox.enqueue([prediction(1), prediction(2)])
    report = send(hospital=Hospital(unknown=frozenset({1001})))
    assert (report.acked, report.dead, report.ok) == (1, 1, False)
    assert outbox.requeue() == 1
    assert send().acked == 1
    assert len(server.all("DetectedIssue")) == 2


SECRETS = ("IPPSECRET", "1999INSSECRET", "Patient/ref-secret", "ref-secret", "DUPONTSECRET")


@pytest.mark.parametrize("fault", [None, "echo", "429", "500-after-commit", "reset"])
def test_no_identity_is_written_to_the_outbox_or_to_a_log(outbox, server, send, tmp_path, caplog, fault):
    hospital = Hospital(ins="1999INSSECRET", hidden=("DUPONTSECRET",), reference="Patient/ref-secret",
                        origins={("drug_exposure", 5001): Origin("MedicationRequest/DUPONTSECRET-1")})  # fmt: skip
    outbox.enqueue([prediction(1), prediction(2)])
    if fault:
        server.fail(fault, times=9)  # together, then alone, then in parts
    with caplog.at_level(logging.DEBUG):
        report = send(hospital=hospital)
    written = b"".join(path.read_bytes() for path in (tmp_path / "outbox").iterdir())
    shown = caplog.text + str(outbox.dead_letters()) + str(report.as_json()) + repr(hospital.identify(1, ""))
    assert len(written) > 10_000
    for secret in SECRETS:
        assert secret.encode() not in written
        assert secret not in shown
    assert report.dead == (2 if fault == "echo" else 0)


def test_the_server_does_hold_the_identity(outbox, server, send):
    outbox.enqueue([prediction(1)])
    send()
    assert "IPPSECRET1001" in str(server.all("DetectedIssue"))  # so the search above would have found it


@pytest.mark.parametrize(
    "fault",
    ["429", "500", "503", "reset", "reset-after-commit", "500-after-commit", "duplicate", "429-in-entry", "drop-entry",
     "first-entry-only"],
)  # fmt: skip
def test_each_fault_loses_nothing_and_doubles_nothing(outbox, server, send, fault):
    outbox.enqueue([prediction(line) for line in range(3)])
    server.fail(fault, "429", fault)
    report = send()
    assert (report.acked, report.remaining, report.dead) == (3, 0, 0)
    assert [len(server.all(kind)) for kind in ("DetectedIssue", "Device", "Provenance")] == [3, 1, 3]


def test_a_timeout_after_the_commit_is_verified_and_not_repeated(outbox, server, send):
    outbox.enqueue([prediction(1)])
    server.fail("timeout-after-commit", seconds=0.6)
    report = send(options={"timeout_s": 0.25})
    assert (report.acked, report.already_there, report.unknown) == (1, 1, 1)
    assert set(server.versions().values()) == {"1"}


def test_nothing_is_written_twice_when_nothing_fails(outbox, server, send):
    outbox.enqueue([prediction(line) for line in range(5)])
    send()
    assert set(server.versions().values()) == {"1"}
    assert set(server.versions("Device").values()) == {"1"}
    assert send().requests == 1  # the CapabilityStatement


def test_retry_after_is_obeyed_for_the_whole_target(outbox, server, send):
    outbox.enqueue([prediction(1), prediction(2)])
    server.fail("429", seconds=1)
    report = send()
    assert report.acked == 2
    assert report.seconds >= 1 and report.waited_s > 0.5  # what is done after the answer is not waited for


def test_a_pause_that_is_too_long_ends_the_delivery_and_holds_for_the_next(outbox, server, send):
    outbox.enqueue([prediction(1)])
    server.fail("503", seconds=3000)
    first = send()
    assert (first.acked, first.remaining) == (0, 1)
    assert "left alone until" in first.stopped
    server.heal()
    assert send().acked == 0  # another process, the same pause


def test_a_refusal_of_everything_stops_the_target_and_keeps_the_items(outbox, server, send):
    outbox.enqueue([prediction(line) for line in range(3)])
    server.fail("401")
    report = send()
    assert (report.acked, report.dead, report.remaining) == (0, 0, 3)
    assert "refuses every item" in report.stopped
    assert send().acked == 3


def test_the_breaker_opens_when_a_target_fails_again_and_again(outbox, server, send):
    outbox.enqueue([prediction(line) for line in range(8)])
    server.fail("500", times=200)
    report = send(options={"breaker_after": 3, "breaker_pause_s": 60.0})
    assert "left alone until" in report.stopped
    assert report.requests < 30
    assert states(outbox) != {"DEAD": 8}


def test_an_item_that_always_fails_does_not_hold_the_others(outbox, server, send):
    outbox.enqueue([prediction(1)])
    server.fail("500", times=50)
    report = send(options={"max_attempts": 3, "breaker_after": 1000})
    assert (report.dead, list(report.dead_reasons)) == (1, ["HTTP 500"])


def test_a_limit_is_a_limit(outbox, send):
    outbox.enqueue([prediction(line) for line in range(4)])
    report = send(limit=3)
    assert (report.acked, report.remaining) == (3, 1)


def test_progress_is_told(outbox, send):
    outbox.enqueue([prediction(line) for line in range(3)])
    told = []
    send(on_progress=lambda done, total: told.append((done, total)))
    assert told == [(3, 3)]  # they went together


def test_late_predictions_are_not_delivered(outbox, server, send):
    outbox.enqueue([prediction(1, valid_until=datetime(2025, 1, 1, tzinfo=UTC)), prediction(2)])
    report = send()
    assert (report.acked, report.expired) == (1, 1)
    assert len(server.all("DetectedIssue")) == 1


def test_a_replay_of_old_data_is_delivered_at_its_own_time(outbox, send):
    outbox.enqueue([prediction(1, valid_until=datetime(2025, 3, 8, tzinfo=UTC))])
    assert send(as_of=datetime(2025, 3, 5, tzinfo=UTC)).acked == 1


def test_new_content_is_a_new_version_of_the_same_resource(outbox, server, send):
    outbox.enqueue([prediction(1)])
    send()
    outbox.enqueue([prediction(1, probability=0.91, model_version="1.1.0", model_sha256="cd" * 32)])
    send()
    issues = server.all("DetectedIssue")
    assert len(issues) == 1
    assert "91,0 %" in issues[0]["text"]["div"]
    assert (len(server.all("Device")), len(server.all("Provenance"))) == (2, 2)
    assert [p["activity"]["coding"][0]["code"] for p in server.all("Provenance")] == ["CREATE", "UPDATE"]


def test_what_a_pharmacist_wrote_survives_a_new_score(outbox, server, send):
    outbox.enqueue([prediction(1)])
    send()
    issue = server.all("DetectedIssue")[0]
    mitigation = [{"action": {"text": "dose réduite"}, "author": {"reference": "Practitioner/ph1"}}]
    server.put(issue | {"status": "final", "mitigation": mitigation})
    outbox.enqueue([prediction(1, probability=0.91)])
    assert send().acked == 1
    after = server.all("DetectedIssue")[0]
    assert after["mitigation"] == mitigation
    assert after["status"] == "amended"
    assert "91,0 %" in after["text"]["div"]


def test_an_alert_that_a_person_closed_is_not_opened_again(outbox, server, send):
    outbox.enqueue([prediction(1)])
    send()
    server.put(server.all("DetectedIssue")[0] | {"status": "cancelled"})
    outbox.enqueue([prediction(1, probability=0.91)])
    report = send()
    assert (report.cancelled, report.acked, report.dead) == (1, 0, 0)
    assert server.all("DetectedIssue")[0]["status"] == "cancelled"


def test_replaying_the_whole_outbox_changes_nothing(outbox, server, send):
    for probability in (0.8, 0.9):
        outbox.enqueue([prediction(line, probability=probability) for line in range(3)])
        send()
    before = {kind: server.all(kind) for kind in ("DetectedIssue", "Device", "Provenance")}
    with outbox.transaction() as connection:
        connection.execute(text("UPDATE outbox SET state = 'PENDING', attempts = 0"))
    send()
    assert {kind: server.all(kind) for kind in before} == before
    assert states(outbox) == {"ACKED": 3, "SUPERSEDED": 3}


def test_a_replay_heals_what_the_target_lost(outbox, server, send):
    outbox.enqueue([prediction(1)])
    send()
    server.reset()
    with outbox.transaction() as connection:
        connection.execute(text("UPDATE outbox SET state = 'PENDING', attempts = 0"))
        connection.execute(text("DELETE FROM key_state WHERE key LIKE 'Device/%'"))
    assert send().acked == 1
    assert len(server.all("DetectedIssue")) == 1


@pytest.mark.parametrize("committed", [False, True])
def test_a_worker_killed_in_the_middle_loses_nothing(tmp_path, server, monkeypatch, committed):
    later = [timedelta(0)]
    outbox = open_outbox(tmp_path / "o.sqlite", clock=lambda: datetime.now(UTC) + later[0])
    outbox.enqueue([prediction(1), prediction(2)])
    honest = in_bundles.write

    def killed(target, parcels):
        if committed:
            honest(target, parcels)
        raise KeyboardInterrupt

    monkeypatch.setattr(in_bundles, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        deliver(outbox, server.url, Hospital(), options=FAST)
    monkeypatch.setattr(in_bundles, "write", honest)
    assert states(outbox) == {"LEASED": 2}
    later[0] = timedelta(seconds=FAST.lease_s + 1)
    report = deliver(outbox, server.url, Hospital(), options=FAST)
    assert (report.acked, report.recovered, report.already_there) == (2, 2, 2 * committed)
    assert set(server.versions().values()) == {"1"}
    outbox.close()


def test_three_workers_at_once_write_each_resource_once(tmp_path, server):
    url = f"sqlite:///{tmp_path}/o.sqlite"
    first = open_outbox(url)
    first.enqueue([prediction(line) for line in range(24)])
    reports = []

    def work():
        box = open_outbox(url)
        reports.append(deliver(box, server.url, Hospital(), options=FAST))
        box.close()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(report.acked for report in reports) == 24
    assert set(server.versions().values()) == {"1"}
    assert len(server.all("Provenance")) == 24
    first.close()


@pytest.mark.parametrize(
    ("abilities", "mode"),
    [(Abilities(transactions=False), "batch"), (Abilities(update_create=False), "single")],
    ids=["no transaction", "server ids"],
)
@pytest.mark.parametrize("fault", [None, "429", "500-after-commit", "reset", "reset-after-commit", "duplicate"])
def test_lesser_servers_get_the_same(tmp_path, hospital, abilities, mode, fault):
    outbox = open_outbox(tmp_path / "o.sqlite")
    with run_sandbox(abilities=abilities) as url:
        for probability in (0.8, 0.9):
            outbox.enqueue([prediction(line, probability=probability) for line in range(2)])
            if fault:
                wanted = [{"kind": kind} for kind in (fault, "429", "429", fault)]
                CLIENT.post(url.replace("/fhir", "/sandbox/faults"), json=wanted)
            report = deliver(outbox, url, hospital, options=FAST)
            assert (report.acked, report.remaining, report.mode) == (2, 0, mode)
        found = {kind: CLIENT.get(f"{url}/{kind}").json() for kind in ("DetectedIssue", "Device", "Provenance")}
    assert {kind: bundle["total"] for kind, bundle in found.items()} == {
        "DetectedIssue": 2,
        "Device": 1,
        "Provenance": 4,
    }
    ids = {f"{e['resource']['resourceType']}/{e['resource']['id']}" for b in found.values() for e in b["entry"]}
    for entry in found["Provenance"]["entry"]:  # every reference of ours leads somewhere
        assert entry["resource"]["target"][0]["reference"] in ids
        assert entry["resource"]["agent"][0]["who"]["reference"] in ids
    outbox.close()


def test_switches_leave_out_what_a_target_refuses(outbox, server, send):
    outbox.enqueue([prediction(1)])
    send(options={"mark_ai": False, "extensions": False, "provenance": False})
    issue = server.all("DetectedIssue")[0]
    assert "AIAST" not in str(issue)
    assert "extension" not in str(issue)
    assert server.all("Provenance") == []


def test_a_server_that_is_away_is_said_to_be_away(outbox, hospital):
    outbox.enqueue([prediction(1)])
    with pytest.raises(TargetBusy, match="does not answer"):
        deliver(outbox, "http://127.0.0.1:9/fhir", hospital, options=replace(FAST, timeout_s=0.5))
    assert states(outbox) == {"PENDING": 1}


def test_a_page_that_is_no_fhir_server_is_said_to_be_none(outbox, server, hospital):
    with pytest.raises(TerminalError, match="no CapabilityStatement"):
        deliver(outbox, server.root, hospital, options=FAST)


class Statement:
    """A transport that answers ``metadata`` with a changed statement."""

    def __init__(self, **changes):
        self.changes = changes

    def __call__(self, request):
        rest = [{"mode": "server", "resource": [{"type": "Device", "interaction": [{"code": "create"}]}]}]
        statement = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": rest}
        return httpx.Response(200, json=statement | self.changes)


@pytest.mark.parametrize(
    ("changes", "said"), [({"fhirVersion": "5.0.0"}, "FHIR 5.0.0, not R4"), ({}, "takes none of DetectedIssue")]
)
def test_a_target_that_cannot_take_our_resources_is_told_before_anything_is_sent(changes, said):
    from fhir_adapters.delivery.probe import probe
    from fhir_adapters.delivery.target import Target

    server = Target("http://x", timeout_s=1, transport=httpx.MockTransport(Statement(**changes)))
    with server as target, pytest.raises(TerminalError, match=said):
        probe(target, FAST)


def test_patient_is_searched_in_the_body_only(server):
    seen = []

    class Recorder(httpx.HTTPTransport):
        def handle_request(self, request):
            seen.append(str(request.url))
            return super().handle_request(request)

    from fhir_adapters.delivery.patients import Patients
    from fhir_adapters.delivery.target import Target

    with Target(server.url, timeout_s=2, transport=Recorder()) as target:
        patients = Patients(Hospital(), target, search=True)
        patients.prepare({1: "a", 2: "b", 3: "c"})
        assert [patients.named(person, "a").reference.get("reference") for person in (1, 2, 3)] == [None] * 3
    assert seen == [f"{server.url}/Patient/_search"]  # one search for all three


@pytest.mark.parametrize(
    ("status", "if_match", "answer"),
    [
        (200, False, Answer.ACK), (201, True, Answer.ACK), (400, False, Answer.REJECTED), (422, False, Answer.REJECTED),
        (401, False, Answer.CONFIGURATION), (403, False, Answer.CONFIGURATION), (404, False, Answer.CONFIGURATION),
        (405, False, Answer.CONFIGURATION), (501, False, Answer.CONFIGURATION), (409, False, Answer.CONFLICT),
        (412, True, Answer.CONFLICT), (412, False, Answer.SEVERAL), (410, False, Answer.GONE), (413, False, Answer.REJECTED),
        (429, False, Answer.BUSY), (503, False, Answer.BUSY), (500, False, Answer.DOUBT), (502, False, Answer.DOUBT),
        (504, False, Answer.DOUBT), (302, False, Answer.REJECTED),
    ],
)  # fmt: skip
def test_each_status_has_its_class(status, if_match, answer):
    assert classify(status, if_match=if_match) is answer


def test_retry_after_is_read_as_seconds_or_as_a_date():
    now = datetime(2026, 2, 3, 21, 15, tzinfo=UTC)
    assert retry_after_s("12", now) == 12
    assert retry_after_s("Tue, 03 Feb 2026 21:15:30 GMT", now) == 30
    assert retry_after_s("Tue, 03 Feb 2026 21:00:00 GMT", now) == 0
    assert retry_after_s("999999999", now) == 3600
    assert [retry_after_s(wrong, now) for wrong in (None, "soon", "nan", "")] == [None] * 4
