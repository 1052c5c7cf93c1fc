"""The outbox: one transaction, one writer per key, nothing twice, nothing late."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from fhir_adapters.outbox import Job, enqueue, open_outbox
from fhir_adapters.outbox import settle as rows
from fhir_adapters.outbox.claim import Claimer
from fhir_adapters.rules import errors
from passerelle.errors import ContractError, TerminalError
from tests.fhir_adapters.fhir_helpers import prediction

T0 = datetime(2026, 2, 3, 21, 15, tzinfo=UTC)


class Clock:
    """A clock that a test turns."""

    def __init__(self):
        self.now = T0

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def box(tmp_path, clock):
    opened = open_outbox(tmp_path / "outbox.sqlite", clock=clock)
    yield opened
    opened.close()


WORKER = Claimer("worker-1", "default", timedelta(seconds=60))
OTHER = Claimer("worker-2", "default", timedelta(seconds=60))


def states(box):
    return {state: number for state, number in box.status()["states"].items() if number}


def dump(box):
    with box.transaction() as connection:
        tables = ("prediction", "outbox", "dead_letter", "delivery_ledger", "key_state")
        return {t: [tuple(r) for r in connection.execute(text(f"SELECT * FROM {t} ORDER BY 1"))] for t in tables}


def test_the_same_predictions_again_change_nothing(box, clock):
    batch = [prediction(line) for line in range(5)]
    first = box.enqueue(batch)
    before = dump(box)
    clock.advance(3600)
    again = box.enqueue(batch)
    assert (first.new, again.new, again.unchanged) == (5, 0, 5)
    assert dump(box) == before


def test_every_prediction_is_accounted_for(box):
    report = box.enqueue([prediction(1), prediction(1), prediction(2), prediction(3, category="no  code")])
    assert (report.read, report.new, report.unchanged, report.refused) == (4, 2, 1, 1)
    assert report.read == report.new + report.changed + report.unchanged + report.refused + report.recalled


def test_the_r4b_classes_are_asked_until_they_accept_a_finding_and_then_no_more(box, monkeypatch):
    answer, asked = ["wrong"], []

    def check(resource):
        asked.append(resource["resourceType"])
        return answer

    monkeypatch.setattr("fhir_adapters.outbox.enqueue.structure_problems", check)
    refused = [box.enqueue([prediction(number)]).refused for number in range(3)]
    answer = []
    accepted = box.enqueue([prediction(3)])
    before = len(asked)
    more = box.enqueue([prediction(4), prediction(5)])
    assert refused == [1, 1, 1]
    assert (accepted.new, accepted.refused, more.new) == (1, 0, 2)
    assert len(asked) == before


def test_prediction_and_outbox_row_are_written_together_or_not_at_all(box):
    def breaks():
        yield prediction(1)
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        box.enqueue(breaks())
    assert all(not found for found in dump(box).values())


def test_a_newer_content_replaces_the_one_that_waits(box):
    box.enqueue([prediction(1)])
    report = box.enqueue([prediction(1, probability=0.9)])
    assert (report.changed, report.superseded) == (1, 1)
    assert states(box) == {"PENDING": 1, "SUPERSEDED": 1}


def test_a_content_that_comes_back_is_sent_again(box):
    for probability in (0.8, 0.9, 0.8):
        box.enqueue([prediction(1, probability=probability)])
    assert states(box) == {"PENDING": 1, "SUPERSEDED": 2}
    assert box.claim(WORKER).items[0].seq == 3


def test_two_predictions_with_one_identity_are_a_mistake_of_the_model(box):
    with pytest.raises(ContractError, match="same person and occasion"):
        box.enqueue([prediction(1), prediction(1, category="AGE")])
    assert states(box) == {}


def test_a_resource_that_breaks_r4_is_kept_and_never_sent(box):
    box.enqueue([prediction(1, category="no  code")])
    assert states(box) == {"DEAD": 1}
    assert box.claim(WORKER).items == []
    letter = box.dead_letters()[0]
    assert letter["reason"] == "rules"
    assert "DetectedIssue.code.coding[0].code" in letter["operation_outcome"]
    assert box.requeue() == 0  # it would break them again
    box.enqueue([prediction(1)])
    assert states(box) == {"DEAD": 1, "PENDING": 1}


def test_targets_are_independent(box):
    box.enqueue([prediction(1)], "dpi")
    assert box.enqueue([prediction(1)], "dpi", "pharmacie").unchanged == 1  # what it lacks is added all the same
    assert {t: s["states"] for t, s in box.status()["targets"].items()} == {
        "dpi": {"PENDING": 1},
        "pharmacie": {"PENDING": 1},
    }
    assert box.status()["predictions"] == 1


def test_no_two_workers_hold_one_key(box):
    box.enqueue([prediction(1)])
    assert len(box.claim(WORKER).items) == 1
    box.enqueue([prediction(1, probability=0.9)])
    assert box.claim(OTHER).items == []  # the newer content waits for the older one


def test_the_database_itself_refuses_a_second_writer(box):
    box.enqueue([prediction(1)])
    box.claim(WORKER)
    box.enqueue([prediction(1, probability=0.9)])
    with pytest.raises(Exception, match="UNIQUE"), box.transaction() as connection:
        connection.execute(text("UPDATE outbox SET state = 'LEASED'"))


def test_a_lost_lease_is_a_doubt_and_not_a_second_sending(box, clock):
    box.enqueue([prediction(1)])
    box.claim(WORKER)
    clock.advance(61)
    assert box.sweep("default", clock.now)["recovered"] == 1
    item = box.claim(OTHER).items[0]
    assert item.job is Job.VERIFY


def test_a_worker_that_lost_its_lease_is_not_believed(box, clock):
    box.enqueue([prediction(1)])
    late = box.claim(WORKER).items[0]
    clock.advance(61)
    box.sweep("default", clock.now)
    taken = box.claim(OTHER).items[0]
    with box.transaction() as connection:
        assert not rows.dead(connection, late, "late", None, clock.now)
        rows.acked(connection, [(late, late.key, "1")], clock.now)
    assert states(box) == {"VERIFY": 1}
    with box.transaction() as connection:
        rows.acked(connection, [(taken, taken.key, "1")], clock.now)
        assert not rows.retry(connection, late, clock.now, "late", clock.now)
    assert states(box) == {"ACKED": 1}
    assert box.dead_letters() == []


def test_what_is_no_longer_true_is_never_sent(box, clock):
    box.enqueue([prediction(1, valid_until=T0 + timedelta(hours=1)), prediction(2)])
    clock.advance(3601)
    claimed = box.claim(WORKER)
    assert (claimed.expired, claimed.items[0].person_id) == (1, 1002)
    assert states(box) == {"EXPIRED": 1, "LEASED": 1}


def test_old_data_is_judged_at_its_own_time(box, clock):
    box.enqueue([prediction(1, valid_until=datetime(2019, 5, 1))])
    assert box.claim(WORKER, as_of=datetime(2019, 4, 30, tzinfo=UTC)).items


def test_a_retry_gives_way_to_a_newer_content(box, clock):
    box.enqueue([prediction(1)])
    item = box.claim(WORKER).items[0]
    box.enqueue([prediction(1, probability=0.9)])
    with box.transaction() as connection:
        rows.retry(connection, item, clock.now, "busy", clock.now)
    assert states(box) == {"SUPERSEDED": 1, "PENDING": 1}


def test_status_is_json(box):
    box.enqueue([prediction(1)])
    assert json.loads(json.dumps(box.status()))["states"]["PENDING"] == 1


def test_what_waits_can_be_read_without_sending_it(box):
    box.enqueue([prediction(1)])
    ((_, resources),) = box.resources()
    assert [r["resourceType"] for r in resources] == ["Device", "DetectedIssue", "Provenance"]
    assert all(errors(r) == [] for r in resources)


def test_an_outbox_that_cannot_be_opened_says_where(tmp_path):
    (tmp_path / "outbox.sqlite").write_text("this is no database, and longer than the header of one " * 4)
    with pytest.raises(TerminalError, match="outbox cannot be opened"):
        open_outbox(tmp_path / "outbox.sqlite")


def test_the_file_is_for_its_owner_only(box, tmp_path):
    assert (tmp_path / "outbox.sqlite").stat().st_mode & 0o077 == 0


def test_many_predictions_cross_the_chunks(box, monkeypatch):
    monkeypatch.setattr(enqueue, "CHUNK", 7)
    batch = [prediction(line) for line in range(25)]
    assert box.enqueue(batch).new == 25
    assert box.enqueue([replace(p, probability=0.9) for p in batch]).superseded == 25
