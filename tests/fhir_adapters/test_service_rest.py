"""The FHIR API: read, history, search, pages; everything that it says is valid R4."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from fhir_adapters.example_predictions import (
    HANDWRITING,
    INTERACTION,
    ONCOLOGY_TIMELINE,
    RENAL_DOSE,
    RESPIRATORY_PEAKS,
    SEPSIS_STEROIDS,
)
from fhir_adapters.outbox.reading import Wanted, open_reader
from fhir_adapters.rules import errors
from fhir_adapters.service.rest.kinds import SEARCHES
from fhir_adapters.site import Site
from tests.fhir_adapters.fhir_helpers import prediction
from tests.fhir_adapters.service_helpers import BASE, HOSTILE, IPP, access, service

SITE = Site()
EXAMPLES = (RENAL_DOSE, INTERACTION, RESPIRATORY_PEAKS, SEPSIS_STEROIDS, ONCOLOGY_TIMELINE, HANDWRITING)
START = datetime(2026, 3, 1, tzinfo=UTC)
JUDGED = {"action": {"text": "Vu."}, "date": "2026-03-05T10:00:00Z", "author": {"reference": "Practitioner/1"}}


@pytest.fixture
def here(tmp_path):
    """Five findings of five patients, a minute apart."""
    with service(tmp_path) as made, made.client(**access()) as client:
        made.http = client
        for line in range(1, 6):
            made.outbox.clock = lambda line=line: START + timedelta(minutes=line)
            made.outbox.enqueue([prediction(line)])
        yield made


def get(here, path, status=200, **headers):
    reply = here.http.get(f"/fhir/{path}", headers=headers)
    assert reply.status_code == status, reply.text
    body = reply.json() if reply.content else {}
    assert not body or not errors(body), errors(body)
    return body


def found(body):
    return [entry["resource"] for entry in body.get("entry", ())]


def lines(body):
    return [int(r["patient"]["identifier"]["value"].removeprefix("IPPSECRET")) - 1000 for r in found(body)]


def link(body, relation):
    return next((one["url"] for one in body["link"] if one["relation"] == relation), None)


def pages(here, path, **first):
    """Every page of a search."""
    body = first.get("body") or get(here, path)
    yield body
    while (url := link(body, "next")) is not None:
        body = get(here, url.removeprefix(f"{BASE}/fhir/"))
        yield body


def test_every_example_is_served_as_valid_r4(tmp_path):
    with service(tmp_path) as made, made.client(**access()) as client:
        made.http = client
        made.outbox.enqueue(EXAMPLES)
        for kind in SEARCHES:
            resources = found(get(made, kind))
            assert resources, kind
            for resource in resources:
                assert not errors(resource)
                assert get(made, f"{kind}/{resource['id']}") == resource
                assert "urn:passerelle:row" not in str(resource) and "urn:passerelle:visit" not in str(resource)


def test_a_resource_names_its_version_and_is_not_sent_twice(here):
    (issue,) = found(get(here, f"DetectedIssue?_id={prediction(1).prediction_id}"))
    reply = here.http.get(f"/fhir/DetectedIssue/{issue['id']}")
    assert reply.headers["etag"] == 'W/"1"' and issue["meta"]["versionId"] == "1"
    assert issue["meta"]["lastUpdated"] == "2026-03-01T00:01:00.000Z"
    for known in ({"if-none-match": 'W/"1"'}, {"if-modified-since": reply.headers["last-modified"]}):
        again = here.http.get(f"/fhir/DetectedIssue/{issue['id']}", headers=known)
        assert again.status_code == 304 and not again.content
    assert here.http.get(f"/fhir/DetectedIssue/{issue['id']}", headers={"if-none-match": 'W/"7"'}).status_code == 200


def test_history_and_versions_tell_what_became_of_it(here):
    id_ = prediction(1).prediction_id
    here.outbox.mitigate(id_, JUDGED, "Vu.")
    here.outbox.enqueue([replace(prediction(1), probability=0.9)])
    body = get(here, f"DetectedIssue/{id_}/_history")
    assert [e["resource"]["status"] for e in body["entry"]] == ["amended", "final", "preliminary"]
    assert [e["request"]["method"] for e in body["entry"]] == ["PUT", "PUT", "POST"] and "total" not in body
    assert get(here, f"DetectedIssue/{id_}")["status"] == "amended"
    for version, status in (("1", "preliminary"), ("2", "final")):
        assert get(here, f"DetectedIssue/{id_}/_history/{version}")["status"] == status
    for version in ("4", "0", "x", "99999999999999999999"):
        get(here, f"DetectedIssue/{id_}/_history/{version}", 404)
    newest = get(here, f"DetectedIssue/{id_}/_history?_count=1")["entry"]
    assert [e["resource"]["meta"]["versionId"] for e in newest] == ["3"]
    whole = [r["status"] for page in pages(here, f"DetectedIssue/{id_}/_history?_count=2") for r in found(page)]
    assert whole == ["amended", "final", "preliminary"]


def test_what_a_recalled_version_said_is_withdrawn_even_where_no_target_had_it(here):
    for _ in range(2):  # again: nothing more
        here.outbox.recall("prescription_review", prediction(1).model_version, "Erreur de calcul.")
        for issue in found(get(here, "DetectedIssue")):
            assert issue["status"] == "entered-in-error" and "Erreur de calcul." in issue["text"]["div"]
            assert issue["meta"]["versionId"] == "2" and "severity" not in issue and not errors(issue)
    assert not found(get(here, "DetectedIssue?status=preliminary"))
    assert len(found(get(here, "DetectedIssue?status=entered-in-error"))) == 5


def test_who_asks_for_what_is_new_sees_the_withdrawal(here):
    last = found(get(here, "DetectedIssue?_sort=-_lastUpdated"))[0]["meta"]["lastUpdated"]
    assert not found(get(here, f"DetectedIssue?_lastUpdated=gt{last}"))
    here.outbox.clock = lambda: START + timedelta(minutes=9)
    here.outbox.recall("prescription_review", prediction(1).model_version, "Erreur de calcul.")
    assert lines(get(here, f"DetectedIssue?_lastUpdated=gt{last}")) == [1, 2, 3, 4, 5]
    history = found(get(here, f"DetectedIssue/{prediction(1).prediction_id}/_history"))
    assert [issue["status"] for issue in history] == ["entered-in-error", "preliminary"]


def test_a_document_that_was_replaced_is_superseded(tmp_path):
    one = ONCOLOGY_TIMELINE
    other = replace(one, document=replace(one.document, text="Autre texte."))
    with service(tmp_path) as made, made.client(**access()) as client:
        made.http = client
        made.outbox.enqueue([one])
        made.outbox.enqueue([other])
        assert [r["status"] for r in found(get(made, "DocumentReference"))] == ["superseded", "current"]
        for status in ("superseded", "current"):
            (resource,) = found(get(made, f"DocumentReference?status={status}"))
            assert resource["status"] == status
            assert get(made, f"DocumentReference/{resource['id']}")["status"] == status


def test_a_document_of_another_version_stays_when_the_one_that_it_replaced_is_recalled(tmp_path):
    one = ONCOLOGY_TIMELINE
    other = replace(one, model_version="9.0.0", document=replace(one.document, text="Autre texte."))
    with service(tmp_path) as made, made.client(**access()) as client:
        made.http = client
        made.outbox.enqueue([one])
        made.outbox.enqueue([other])
        made.outbox.recall(one.model, one.model_version, "Erreur de lecture.")
        statuses = {r["status"]: r["meta"]["versionId"] for r in found(get(made, "DocumentReference"))}
        assert statuses == {"entered-in-error": "3", "current": "2"}
        for status in statuses:
            assert [r["status"] for r in found(get(made, f"DocumentReference?status={status}"))] == [status]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [1, 2, 3, 4, 5]),
        ("_sort=-_lastUpdated", [5, 4, 3, 2, 1]),
        ("patient=Patient/pat-1002", [2]),
        ("patient=pat-1002", [2]),
        ("patient:Patient=pat-1002", [2]),
        ("patient=https://dpi.example/fhir/Patient/pat-1002", [2]),
        ("patient=Group/pat-1002", []),
        ("patient=nobody", []),
        (f"patient:identifier={IPP}|IPPSECRET1003", [3]),
        ("patient:identifier=urn:oid:9.9|IPPSECRET1003", [3]),
        (f"patient.identifier={IPP}|IPPSECRET1003", [3]),
        ("patient:identifier=IPPSECRET1003", []),  # of which system?
        ("patient:identifier=urn:passerelle:person|1003", []),  # a pseudonym opens nothing outside the demo
        (f"patient:identifier={IPP}|IPPSECRET1003&patient=pat-1002", []),
        (f"identifier={SITE.prediction_system}|{prediction(4).prediction_id}", [4]),
        (f"identifier={prediction(4).prediction_id},{prediction(5).prediction_id}", [4, 5]),
        ("identifier=urn:other|1", []),
        (f"_id={prediction(1).prediction_id},{prediction(3).prediction_id}", [1, 3]),
        (f"_id={prediction(1).prediction_id}&_id={prediction(3).prediction_id}", []),
        ("status=preliminary", [1, 2, 3, 4, 5]),
        ("status=final,entered-in-error", []),
        ("_lastUpdated=2026-03-01", [1, 2, 3, 4, 5]),
        ("_lastUpdated=2026-03-02", []),
        ("_lastUpdated=gt2026-03-01T00:02:00Z&_lastUpdated=lt2026-03-01T00:05:00Z", [3, 4]),
        ("_lastUpdated=ge2026-03-01T00:02:00Z&_lastUpdated=le2026-03-01T00:04:00Z", [2, 3, 4]),
        ("_lastUpdated=ge2026-03-01T01:02:00%2B01:00&_lastUpdated=eb2026-03-01T00:04Z", [2, 3]),
        ("_lastUpdated=sa2026-03-01T00:03:00.000Z", [4, 5]),
        ("_format=json&_pretty=true&_summary=false&_total=accurate", [1, 2, 3, 4, 5]),
    ],
)
def test_a_search_finds_what_it_asks_for(here, query, expected):
    assert lines(get(here, f"DetectedIssue?{query}")) == expected


def test_a_search_by_model_version_finds_everything_that_it_said(here):
    (device,) = found(get(here, "Device"))
    assert lines(get(here, f"DetectedIssue?author=Device/{device['id']}")) == [1, 2, 3, 4, 5]
    assert len(found(get(here, f"Provenance?agent=Device/{device['id']}"))) == 5
    named = device["identifier"][0]
    assert found(get(here, f"Device?identifier={named['system']}|{named['value']}")) == [device]
    assert not found(get(here, "Device?identifier=urn:other|1"))


def test_provenance_is_found_by_its_target(here):
    id_ = prediction(1).prediction_id
    here.outbox.mitigate(id_, JUDGED, "Vu.")
    two = found(get(here, f"Provenance?target=DetectedIssue/{id_}"))
    assert [r["activity"]["coding"][0]["code"] for r in two] == ["CREATE", "UPDATE"]
    assert [r["id"] for r in two] == [f"{id_}.1", f"{id_}.2"] and len({r["id"] for r in two}) == 2
    assert found(get(here, f"Provenance?_id={id_}.2")) == [two[1]]


def test_a_stay_is_searched_by_its_number(tmp_path):
    one = replace(SEPSIS_STEROIDS, visit_occurrence_id=77)
    with service(tmp_path) as made, made.client(**access()) as client:
        made.http = client
        made.hospital.visits["urn:stays", "IEP1"] = 77
        made.outbox.enqueue([one])
        assert len(found(get(made, "RiskAssessment?encounter:identifier=urn:stays|IEP1"))) == 1
        assert not found(get(made, "RiskAssessment?encounter:identifier=urn:stays|IEP2"))


@pytest.mark.parametrize("sort", ["", "&_sort=-_lastUpdated"])
def test_pages_do_not_move_while_new_contents_arrive(here, sort):
    seen = []
    for number, page in enumerate(pages(here, f"DetectedIssue?_count=2{sort}")):
        seen += lines(page)
        assert len(found(page)) <= 2
        here.outbox.clock = lambda number=number: START + timedelta(hours=1 + number)
        here.outbox.enqueue([prediction(10 + number)])
        here.outbox.mitigate(prediction(1 + number).prediction_id, JUDGED, "Vu.")
    assert sorted(seen) == [1, 2, 3, 4, 5]
    assert len(lines(get(here, "DetectedIssue"))) == 8


def test_ties_of_time_are_paged_once_each(here):
    here.outbox.clock = lambda: START + timedelta(days=1)
    here.outbox.enqueue([prediction(line) for line in range(10, 30)])
    seen = [line for page in pages(here, "DetectedIssue?_count=3") for line in lines(page)]
    assert sorted(seen) == [1, 2, 3, 4, 5, *range(10, 30)] and len(seen) == len(set(seen))


def test_a_count_is_no_more_than_a_count(here):
    for query in ("_summary=count", "_count=0"):
        body = get(here, f"DetectedIssue?{query}")
        assert body["total"] == 5 and "entry" not in body


def test_an_identifier_stays_out_of_every_link_of_ours(here):
    form = {"patient:identifier": f"{IPP}|IPPSECRET1001", "_count": "1"}
    reply = here.http.post("/fhir/DetectedIssue/_search", data=form)
    assert reply.status_code == 200 and lines(reply.json()) == [1]
    for body in (reply.json(), get(here, f"DetectedIssue?patient:identifier={IPP}|IPPSECRET1001")):
        for one in body["link"]:
            assert "IPPSECRET" not in one["url"] and "1001" not in one["url"]
            assert set(parse_qs(urlsplit(one["url"]).query)) == {"_cursor"}
    assert lines(get(here, link(reply.json(), "self").removeprefix(f"{BASE}/fhir/"))) == [1]


def test_a_post_search_takes_parameters_of_both_places(here):
    reply = here.http.post("/fhir/DetectedIssue/_search?_sort=-_lastUpdated", data={"_count": "2"})
    assert lines(reply.json()) == [5, 4]
    assert here.http.post("/fhir/DetectedIssue/_search", json={}).status_code == 415


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("unknown=1", 400, "not-supported"),
        ("subject=1", 400, "not-supported"),  # R4 calls it patient here
        ("patient:missing=true", 400, "not-supported"),
        ("_include=DetectedIssue:author", 400, "not-supported"),
        ("patient=", 400, "value"),
        ("_count=x", 400, "value"),
        ("_count=-1", 400, "value"),
        ("_count=٣", 400, "value"),
        ("_sort=status", 400, "not-supported"),
        ("_summary=text", 400, "not-supported"),
        ("_lastUpdated=yesterday", 400, "value"),
        ("_lastUpdated=2026-13-01", 400, "value"),
        ("_lastUpdated=0000", 400, "value"),
        ("_lastUpdated=ap2026", 400, "value"),
        ("identifier=%00", 400, "value"),
        ("_format=xml", 406, "not-supported"),
        ("_cursor=nonsense", 400, "expired"),
        (f"{HOSTILE}=1", 400, "not-supported"),
    ],
)
def test_what_is_not_understood_is_refused(here, query, status, code):
    body = get(here, f"DetectedIssue?{query}", status)
    assert body["resourceType"] == "OperationOutcome" and body["issue"][0]["code"] == code
    assert "<script" not in str(body)


@pytest.mark.parametrize(
    ("path", "status"),
    [("DetectedIssue/nobody", 404), ("DetectedIssue/a b", 404), (f"DetectedIssue/{'x' * 65}", 404), ("Patient", 404),
     ("Patient/1", 404), ("DetectedIssue/nobody/_history", 404), ("", 404), ("Provenance/x.999999999999", 404)],
)  # fmt: skip
def test_what_is_not_there_is_an_operation_outcome(here, path, status):
    assert get(here, path, status)["resourceType"] == "OperationOutcome"


def test_nothing_can_be_written(here):
    for method, path in (
        ("PUT", "DetectedIssue/1"),
        ("POST", "DetectedIssue"),
        ("DELETE", "DetectedIssue/1"),
        ("PATCH", "Device/1"),
    ):
        reply = here.http.request(method, f"/fhir/{path}", json={})
        assert reply.status_code == 405 and reply.json()["resourceType"] == "OperationOutcome"


def test_only_json_is_spoken(here):
    assert here.http.get("/fhir/DetectedIssue", headers={"accept": "application/fhir+xml"}).status_code == 406
    assert here.http.get("/fhir/DetectedIssue", headers={"accept": "text/html, */*;q=0.1"}).status_code == 200


def test_the_capability_statement_is_valid_and_tells_no_lie(here):
    body = get(here, "metadata")
    for resource in body["rest"][0]["resource"]:
        assert {p["name"] for p in resource["searchParam"]} == set(SEARCHES[resource["type"]])
        get(here, f"{resource['type']}?_count=1")


def test_a_cohort_has_its_group_and_no_patient(tmp_path):
    with service(tmp_path) as made, made.client(**access()) as client:
        made.http = client
        made.outbox.enqueue(EXAMPLES)
        (group,) = found(get(made, "Group"))
        risk = [
            r for r in found(get(made, "RiskAssessment")) if r["subject"].get("reference") == f"Group/{group['id']}"
        ]
        assert len(risk) == 1
        mine = access(scope="patient/*.rs", patient="pat-1001")
        assert not found(get(made, "Group", **mine)) and not found(get(made, "RiskAssessment", **mine))


def test_a_patient_whom_the_crosswalk_lacks_stays_a_pseudonym(here):
    here.hospital.unknown = frozenset({1001})
    issue = found(get(here, "DetectedIssue"))[0]
    assert issue["patient"]["identifier"] == {"system": "urn:passerelle:person", "value": "1001"}


def test_each_opening_of_the_crosswalk_says_for_whom(here):
    here.hospital.asked.clear()
    get(here, f"DetectedIssue/{prediction(2).prediction_id}", **access(client_id="viewer"))
    assert here.hospital.asked == [(1002, "serve DetectedIssue to viewer")]


def test_a_reader_never_waits_for_a_writer(tmp_path):
    with service(tmp_path) as made:
        made.outbox.enqueue([prediction(1)])
        reader = open_reader(f"sqlite:///{tmp_path}/outbox.sqlite")
        with made.outbox.transaction():  # a delivery is at work
            assert len(reader.find(Wanted("DetectedIssue"), limit=5)) == 1
        reader.close()


def test_a_reader_cannot_write(tmp_path):
    from sqlalchemy import delete
    from sqlalchemy.exc import OperationalError

    from fhir_adapters.outbox.schema import prediction as table

    with service(tmp_path) as made:
        made.outbox.enqueue([prediction(1)])
        reader = open_reader(f"sqlite:///{tmp_path}/outbox.sqlite")
        with pytest.raises(OperationalError, match="readonly"), reader._engine.begin() as connection:
            connection.execute(delete(table))
        reader.close()


def test_the_links_hold_nothing_that_can_be_read(here):
    sealed = parse_qs(urlsplit(link(get(here, "DetectedIssue?_count=1"), "next")).query)["_cursor"][0]
    assert re.fullmatch(r"[\w\-=]+", sealed) and "DetectedIssue" not in sealed
    get(here, f"DetectedIssue?_cursor={sealed[:-4]}AAAA", 400)
    get(here, f"RiskAssessment?_cursor={sealed}", 400)
