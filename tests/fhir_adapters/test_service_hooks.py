"""CDS Hooks of the service: what is answered, what is written down, what feedback does."""

import asyncio
import concurrent.futures
import time

import pytest

from fhir_adapters.cds_hooks.messages import check_discovery, check_response, errors
from fhir_adapters.cds_hooks.suite import run_suite
from fhir_adapters.outbox.reading import Wanted, open_reader
from fhir_adapters.rules import check
from fhir_adapters.service.batches import Batches
from passerelle.errors import SourceUnreachable
from tests.fhir_adapters.service_helpers import (
    BASE,
    HOSTILE,
    SELECT,
    SIGN,
    VIEW,
    Reviewer,
    access,
    bearer,
    call,
    eventually,
    free_port,
    hook,
    listening,
    order,
    patient,
    registry,
    service,
    signer,
)


@pytest.fixture
def here(tmp_path):
    with service(tmp_path) as made, made.client() as client:
        made.http = client
        yield made


def issues(here):
    found = here.http.get("/fhir/DetectedIssue", headers=access()).json()
    return [entry["resource"] for entry in found.get("entry", ())]


def test_discovery_keeps_every_rule(here):
    body = here.http.get("/cds-services").json()
    assert not check_discovery(body)
    assert [s["hook"] for s in body["services"]] == ["order-sign", "order-select", "patient-view"]


def test_the_conformance_suite_finds_nothing_wrong(tmp_path):
    with (
        free_port() as (listener, url),
        service(tmp_path, base_url=url, declared=registry(public_url=url)) as made,
        listening(made.app, listener),
    ):
        report = run_suite(url, signer=signer())
    failed = [verdict for verdict in report.verdicts if verdict.status == "fail"]
    assert not failed and report.counts["pass"] > 100


def test_a_card_is_shown_for_what_the_model_points_at_and_for_nothing_else(here):
    body = call(here.http, SIGN, hook("order-sign", order(), order("d2", dose=10.0))).json()
    assert not errors(check_response(body))
    (card,) = body["cards"]
    assert "paracétamol" in card["summary"] and card["indicator"] == "critical"
    (question,) = here.reviewer.asked[-1]
    assert question.person_id == 1001 and [row["doses_per_day"] for row in question.drafts] == [3.0, 3.0]


def test_what_is_signed_goes_into_the_outbox_and_what_is_selected_does_not(here):
    assert call(here.http, SELECT, hook("order-select")).json()["cards"]
    (card,) = call(here.http, SIGN, hook()).json()["cards"]
    (issue,) = eventually(lambda: issues(here))
    assert issue["id"] == card["uuid"] and issue["status"] == "preliminary" and not check(issue)
    assert issue["patient"]["identifier"]["value"] == "IPPSECRET1001"


def test_the_same_draft_is_one_finding_however_often_it_is_shown(here):
    cards = [
        call(here.http, id_, hook(name)).json()["cards"]
        for id_, name in ((SELECT, "order-select"), (SIGN, "order-sign"))
    ]
    assert cards[0][0]["uuid"] == cards[1][0]["uuid"]
    other = call(here.http, SIGN, hook("order-sign", order(dose=900.0))).json()["cards"]
    assert other[0]["uuid"] != cards[0][0]["uuid"]  # a record system may call every draft d1


def feedback(uuid, **members):
    entry = {"card": uuid, "outcome": "overridden", "outcomeTimestamp": "2026-03-05T09:31:00Z"} | members
    return {"feedback": [entry]}


def test_feedback_becomes_a_mitigation_by_whoever_saw_the_card(here):
    (card,) = call(here.http, SIGN, hook()).json()["cards"]
    reason = {"reason": {name: card["overrideReasons"][0][name] for name in ("code", "system")}, "userComment": "Vu."}
    assert call(here.http, f"{SIGN}/feedback", feedback(card["uuid"], overrideReason=reason)).status_code == 200
    issue = eventually(lambda: next((i for i in issues(here) if i["status"] == "final"), None))
    (mitigation,) = issue["mitigation"]
    assert mitigation["author"]["reference"] == "Practitioner/dr-1" and mitigation["action"]["text"] == "Vu."
    assert mitigation["action"]["coding"][0]["code"] == "1" and not check(issue)


def test_feedback_twice_changes_nothing_the_second_time(here):
    (card,) = call(here.http, SIGN, hook()).json()["cards"]
    for _ in range(2):
        call(here.http, f"{SIGN}/feedback", feedback(card["uuid"]))
    eventually(lambda: [i for i in issues(here) if i["status"] == "final"])
    time.sleep(0.1)
    history = here.http.get(f"/fhir/DetectedIssue/{card['uuid']}/_history", headers=access()).json()
    assert [e["resource"]["status"] for e in history["entry"]] == ["final", "preliminary"]


def test_feedback_about_a_card_that_nobody_saw_is_taken_and_does_nothing(here):
    reply = call(here.http, f"{SIGN}/feedback", feedback("5f0c3a52-6f39-4f38-9d0e-3d0d8b1f4c11"))
    assert reply.status_code == 200 and 'outcome="unknown card"' in here.http.get("/metrics").text


def test_a_card_is_remembered_after_the_service_was_started_again(tmp_path):
    with service(tmp_path) as made, made.client() as client:
        (card,) = call(client, SIGN, hook()).json()["cards"]
    with service(tmp_path) as made, made.client() as client:
        made.http = client
        assert call(client, f"{SIGN}/feedback", feedback(card["uuid"])).status_code == 200
        issue = eventually(lambda: next((i for i in issues(made) if i["status"] == "final"), None))
        assert issue["mitigation"][0]["author"]["reference"] == "Practitioner/dr-1"


def test_a_client_says_nothing_about_the_cards_of_another(tmp_path):
    other = signer("https://other.example/")
    clients = [
        *registry().model_dump()["clients"],
        {"name": "other", "issuer": other.issuer, "keys": {"jwks": other.key_set()}},
    ]
    with service(tmp_path, declared=registry(clients=clients)) as made, made.client() as client:
        (card,) = call(client, SIGN, hook()).json()["cards"]
        path = f"/cds-services/{SIGN}/feedback"
        token = {"authorization": f"Bearer {other.token(BASE + path)}"}
        assert client.post(path, json=feedback(card["uuid"]), headers=token).status_code == 200
        assert 'outcome="unknown card"' in client.get("/metrics").text


def test_patient_view_shows_what_is_open_and_has_the_patient_ready(here):
    (card,) = call(here.http, SIGN, hook()).json()["cards"]
    shown = eventually(lambda: call(here.http, VIEW, hook("patient-view")).json()["cards"])
    assert [c["uuid"] for c in shown] == [card["uuid"]]
    (warm,) = eventually(lambda: [q for batch in here.reviewer.asked for q in batch if not q.drafts])[:1]
    assert warm.person_id == 1001
    call(here.http, f"{SIGN}/feedback", feedback(card["uuid"]))
    eventually(lambda: not call(here.http, VIEW, hook("patient-view")).json()["cards"])


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"prefetch": {"labs": None}}, 200),  # its id is known to the crosswalk
        ({"prefetch": {"patient": patient(1002)}}, 400),  # another patient than the context's
        ({"prefetch": {"patient": {"resourceType": "Patient", "id": "pat-1001",
                                   "identifier": [{"system": "urn:oid:9.9", "value": "IPPSECRET1002"}]}}}, 412),
    ],
)  # fmt: skip
def test_the_patient_is_known_or_the_answer_is_412(here, change, status):
    assert call(here.http, SIGN, hook() | change).status_code == status


def test_nobody_knows_the_patient_and_nothing_was_prefetched(here):
    body = hook()
    body["context"]["patientId"] = body["context"]["draftOrders"]["entry"][0]["resource"]["subject"]["reference"] = (
        "stranger"
    )
    reply = call(here.http, SIGN, body | {"prefetch": {"patient": None}})
    assert reply.status_code == 412 and reply.json()["resourceType"] == "OperationOutcome"


def test_a_patient_whom_the_warehouse_does_not_know_yet_is_judged_and_not_written_down(here):
    stranger = {"resourceType": "Patient", "id": "new", "birthDate": "1943-02-11", "gender": "female",
                "identifier": [{"system": IPP_OF_NOBODY, "value": "X"}]}  # fmt: skip
    body = hook("order-sign", order(subject={"reference": "Patient/new"}), prefetch={"patient": stranger})
    body["context"]["patientId"] = "new"
    assert call(here.http, SIGN, body).json()["cards"]
    (question,) = here.reviewer.asked[-1]
    assert question.person_id < 0 and question.fresh["persons"][0]["sex"] == "F"
    call(here.http, SIGN, hook())
    assert len(eventually(lambda: issues(here))) == 1


IPP_OF_NOBODY = "urn:oid:1.2.3"


def test_a_slow_model_gives_no_card_within_the_budget_and_is_counted(tmp_path):
    with service(tmp_path, reviewer=Reviewer(slow_s=1.0), budget_s=0.1) as made, made.client() as client:
        started = time.monotonic()
        assert call(client, SIGN, hook()).json() == {"cards": []}
        assert time.monotonic() - started < 0.9
        assert 'passerelle_over_budget_total{hook="order-sign"} 1.0' in client.get("/metrics").text


def test_a_model_that_breaks_says_no_more_than_that(tmp_path):
    with service(tmp_path, reviewer=Reviewer(breaks=RuntimeError("no model"))) as made, made.client() as client:
        reply = call(client, SIGN, hook())
        assert reply.status_code == 500 and "no model" not in reply.text and "Traceback" not in reply.text
        assert reply.json()["issue"][0]["code"] == "exception"


def test_views_that_do_not_answer_are_asked_again_later(tmp_path):
    away = SourceUnreachable("the database of the views does not answer")
    with service(tmp_path, reviewer=Reviewer(breaks=away)) as made, made.client() as client:
        reply = call(client, SIGN, hook())
        assert reply.status_code == 503 and reply.headers["retry-after"] == "10"


def test_a_slow_outbox_holds_up_no_signature(tmp_path, monkeypatch):
    with service(tmp_path) as made, made.client() as client:
        enqueue = made.outbox.enqueue
        monkeypatch.setattr(made.outbox, "enqueue", lambda *a, **k: (time.sleep(2), enqueue(*a, **k)))
        call(client, SIGN, hook())
        time.sleep(1.1)  # the writer is at it
        started = time.monotonic()
        assert call(client, SIGN, hook("order-sign", order(dose=800.0))).json()["cards"]
        assert time.monotonic() - started < 0.5


def test_questions_that_arrive_together_are_judged_together(tmp_path):
    with service(tmp_path, reviewer=Reviewer(slow_s=0.1)) as made, made.client() as client:
        bodies = [
            hook("order-sign", order(subject={"reference": f"Patient/pat-{n}"}), person_id=n) for n in range(1001, 1021)
        ]
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            replies = list(pool.map(lambda body: call(client, SIGN, body), bodies))
        assert all(len(reply.json()["cards"]) == 1 for reply in replies)
        assert len(made.reviewer.asked) < 10


def test_one_bad_question_does_not_spoil_the_others():
    def work(questions):
        if 0 in questions:
            raise ValueError("zero")
        return [1 / q for q in questions]

    async def ask():
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            batches = Batches(work, thread, most=10)
            running = asyncio.create_task(batches.run())
            found = await asyncio.gather(*(batches.ask(q) for q in (1, 0, 2)), return_exceptions=True)
            running.cancel()
        return found

    found = asyncio.run(ask())
    assert found[0] == 1 and isinstance(found[1], ValueError) and found[2] == 0.5


def test_markup_in_the_label_of_a_drug_is_shown_and_never_run(here):
    body = call(here.http, SIGN, hook("order-sign", order(name=f"paracétamol {HOSTILE}"))).json()
    (card,) = body["cards"]
    assert not check_response(body) and "<script" not in card["detail"] and "<script" not in card["summary"]
    (issue,) = eventually(lambda: issues(here))
    assert "&lt;script&gt;" in issue["text"]["div"] and not check(issue)


def test_no_identity_of_a_patient_is_written_down(here, tmp_path):
    call(here.http, SIGN, hook())
    eventually(lambda: issues(here))
    eventually((here.folder / "audit.ndjson").read_text)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert b"IPPSECRET" not in path.read_bytes() and b"pat-1001" not in path.read_bytes(), path


def test_the_journal_keeps_the_order_of_what_happened(tmp_path):
    with service(tmp_path) as made, made.client() as client:
        (card,) = call(client, SIGN, hook()).json()["cards"]
        call(client, f"{SIGN}/feedback", feedback(card["uuid"]))
    reader = open_reader(f"sqlite:///{tmp_path}/outbox.sqlite")  # the service has ended: nothing that waited is lost
    (kept,) = reader.find(Wanted("DetectedIssue"), limit=5)
    assert kept.content.resource["status"] == "final"
    reader.close()


def test_a_token_is_for_the_very_address_that_is_called(here):
    path = f"/cds-services/{SELECT}"
    assert here.http.post(f"/cds-services/{SIGN}", json=hook(), headers=bearer(path)).status_code == 401
