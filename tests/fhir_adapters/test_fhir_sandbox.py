# ruff: noqa: E501  resources on one line
"""The sandbox behaves as R4 says a server does, and says what it is."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_adapters import exact_json
from fhir_adapters.r4b import structure_problems
from fhir_adapters.rules import errors
from fhir_adapters.sandbox import run_sandbox
from passerelle.errors import UsageError
from tests.fhir_adapters.fhir_cases import DEVICE, ISSUE, NARRATIVE, TRANSACTION
from tests.fhir_adapters.fhir_helpers import CLIENT

GIVEN_DEVICE = {"resourceType": "Device", "text": NARRATIVE, "identifier": [{"system": "urn:x", "value": "1"}]}


def test_it_says_that_it_is_a_stand_in(server):
    statement = CLIENT.get(f"{server.url}/metadata").json()
    for words in (statement["implementation"]["description"], CLIENT.get(server.root).text):
        assert "stand-in" in words
        assert "must not receive real patients" in words
    assert server.url.startswith("http://127.0.0.1:")


def test_its_capability_statement_is_r4(server):
    statement = CLIENT.get(f"{server.url}/metadata").json()
    assert errors(statement) == []
    assert structure_problems(statement) == []
    assert statement["fhirVersion"] == "4.0.1"


def test_create_read_update_history_delete(server):
    created = CLIENT.post(f"{server.url}/Device", json=GIVEN_DEVICE)
    assert (created.status_code, created.headers["etag"]) == (201, 'W/"1"')
    at = f"{server.url}/Device/{created.json()['id']}"
    changed = CLIENT.put(at, json=created.json() | {"status": "inactive"}, headers={"If-Match": 'W/"1"'})
    assert (changed.status_code, changed.json()["meta"]["versionId"]) == (200, "2")
    assert CLIENT.put(at, json=created.json(), headers={"If-Match": 'W/"1"'}).status_code == 412
    assert CLIENT.get(f"{at}/_history/1").json().get("status") is None
    history = CLIENT.get(f"{at}/_history").json()
    assert [e["response"]["etag"] for e in history["entry"]] == ['W/"2"', 'W/"1"']
    assert errors(history) == []
    assert CLIENT.delete(at).status_code == 204
    assert CLIENT.get(at).status_code == 410
    assert CLIENT.get(f"{server.url}/Device/none").status_code == 404


def test_errors_are_operation_outcomes(server):
    for reply in (
        CLIENT.post(f"{server.url}/DetectedIssue", json={"resourceType": "DetectedIssue", "status": "done"}),
        CLIENT.post(f"{server.url}/DetectedIssue", content=b"{nonsense"),
        CLIENT.put(f"{server.url}/Device/other", json=DEVICE),
        CLIENT.get(f"{server.url}/Device?unknown=1"),
        CLIENT.post(f"{server.url}/Citation", json={"resourceType": "Citation"}),
        CLIENT.patch(f"{server.url}/Device/1"),
    ):
        assert 400 <= reply.status_code < 500
        assert errors(reply.json()) == []
        assert reply.json()["resourceType"] == "OperationOutcome"


def test_a_resource_that_breaks_r4_is_refused(server):
    reply = CLIENT.put(
        f"{server.url}/DetectedIssue/{ISSUE['id']}", content=exact_json.dumps(ISSUE | {"severity": "critical"})
    )
    assert reply.status_code == 422
    assert server.all("DetectedIssue") == []


def test_a_transaction_is_all_or_nothing(server):
    broken = TRANSACTION | {"entry": [*TRANSACTION["entry"][:-1], TRANSACTION["entry"][-1] | {
        "request": TRANSACTION["entry"][-1]["request"] | {"ifMatch": 'W/"7"'}}]}  # fmt: skip
    assert CLIENT.post(server.url, content=exact_json.dumps(broken)).status_code == 412
    assert server.all("Device") == []
    answer = CLIENT.post(server.url, content=exact_json.dumps(TRANSACTION))
    assert [e["response"]["status"] for e in answer.json()["entry"]] == ["201 Created"] * 3
    assert errors(answer.json()) == []
    again = CLIENT.post(server.url, content=exact_json.dumps(TRANSACTION))
    assert [e["response"]["status"] for e in again.json()["entry"]] == ["200 OK"] * 3


def test_a_transaction_gives_ids_to_urns(server):
    issue = {
        "resourceType": "DetectedIssue",
        "text": NARRATIVE,
        "status": "final",
        "author": {"reference": "urn:uuid:1"},
    }
    entries = [
        {"fullUrl": "urn:uuid:2", "resource": issue, "request": {"method": "POST", "url": "DetectedIssue"}},
        {"fullUrl": "urn:uuid:1", "resource": GIVEN_DEVICE,
         "request": {"method": "POST", "url": "Device", "ifNoneExist": "identifier=urn:x|1"}},
    ]  # fmt: skip
    for _ in range(2):
        reply = CLIENT.post(server.url, json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
        assert reply.status_code == 200, reply.text
    device = server.all("Device")
    assert len(device) == 1
    assert {i["author"]["reference"] for i in server.all("DetectedIssue")} == {f"Device/{device[0]['id']}"}


def test_a_batch_answers_each_entry_for_itself(server):
    entries = [
        {"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Device", "status": "on"}, "request": {"method": "POST", "url": "Device"}},
        {"fullUrl": "urn:uuid:2", "resource": GIVEN_DEVICE, "request": {"method": "POST", "url": "Device"}},
    ]  # fmt: skip
    reply = CLIENT.post(server.url, json={"resourceType": "Bundle", "type": "batch", "entry": entries}).json()
    assert [e["response"]["status"] for e in reply["entry"]] == ["422 Unprocessable Entity", "201 Created"]


def test_twelve_conditional_creates_at_once_store_one(server):
    def create(_):
        headers = {"If-None-Exist": "identifier=urn:x|1"}
        return CLIENT.post(f"{server.url}/Device", json=GIVEN_DEVICE, headers=headers).status_code

    with ThreadPoolExecutor(12) as pool:
        assert sorted(pool.map(create, range(12))) == [200] * 11 + [201]


def test_search_by_identifier_patient_security_and_time(server):
    issue = {"resourceType": "DetectedIssue", "text": NARRATIVE, "status": "final", "patient": {"reference": "Patient/1"},
             "identifier": [{"system": "urn:s", "value": "a"}], "meta": {"security": [{"system": "urn:m", "code": "AIAST"}]}}  # fmt: skip
    for number in range(3):
        CLIENT.post(
            f"{server.url}/DetectedIssue", json=issue | {"identifier": [{"system": "urn:s", "value": f"a{number}"}]}
        )

    def total(**params):
        return CLIENT.get(f"{server.url}/DetectedIssue", params=params).json()["total"]

    assert total(identifier="urn:s|a1") == total(identifier="a1") == 1
    assert total(identifier="urn:s|") == total(patient="1") == total(patient="Patient/1") == 3
    assert total(_security="urn:m|AIAST") == total(_lastUpdated="gt2020-01-01T00:00:00Z") == 3
    assert total(identifier="urn:other|a1") == total(_lastUpdated="lt2020-01-01T00:00:00Z") == 0
    page = CLIENT.get(f"{server.url}/DetectedIssue", params={"_count": "2"}).json()
    following = CLIENT.get(next(link["url"] for link in page["link"] if link["relation"] == "next")).json()
    assert (len(page["entry"]), len(following["entry"])) == (2, 1)
    assert errors(page) == []


def test_decimals_come_back_as_they_were_sent(server):
    text = exact_json.dumps(ISSUE).replace('"value":85.3', '"value":85.30')
    CLIENT.put(f"{server.url}/DetectedIssue/{ISSUE['id']}", content=text)
    assert '"value":85.30' in CLIENT.get(f"{server.url}/DetectedIssue/{ISSUE['id']}").text


def test_a_fault_can_be_asked_for_in_a_header(server):
    reply = CLIENT.post(f"{server.url}/Device", json=GIVEN_DEVICE, headers={"X-Sandbox-Fault": "429"})
    assert (reply.status_code, "retry-after" in reply.headers) == (429, True)
    with pytest.raises(httpx.RemoteProtocolError):
        CLIENT.post(f"{server.url}/Device", json=GIVEN_DEVICE, headers={"X-Sandbox-Fault": "reset"})
    assert server.all("Device") == []
    assert CLIENT.post(server.root + "/sandbox/faults", json=[{"kind": "earthquake"}]).status_code == 400


def test_a_port_that_is_taken_is_said_to_be_taken(server):
    port = int(server.root.rpartition(":")[2])
    with pytest.raises(UsageError, match=f"port {port}"), run_sandbox(port):
        pass


@given(st.binary(max_size=60) | st.from_regex(rb'\{"resourceType": ?"(Bundle|Device)".{0,30}\}', fullmatch=True))
@settings(max_examples=40)
def test_no_body_makes_it_fall(_running, body):
    for path in ("", "/Device", "/Device/_search"):
        assert CLIENT.post(_running.url + path, content=body).status_code < 500
