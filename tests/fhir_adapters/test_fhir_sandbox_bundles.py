# ruff: noqa: E501  resources on one line
"""Batches and transactions of the sandbox: order, identity, references, atomicity, and what the answer tells."""

import pytest

from fhir_adapters.rules import errors
from tests.fhir_adapters.fhir_cases import NARRATIVE
from tests.fhir_adapters.fhir_helpers import CLIENT

BY_IDENTIFIER = "Device?identifier=urn:x%7C{}"


def device(value="1", **more):
    return {"resourceType": "Device", "text": NARRATIVE, "identifier": [{"system": "urn:x", "value": value}]} | more


def issue(author, **more):
    return {
        "resourceType": "DetectedIssue",
        "text": NARRATIVE,
        "status": "final",
        "author": {"reference": author},
    } | more


def entry(method, url, resource=None, full_url=None, **request):
    given = {"request": {"method": method, "url": url} | request}
    return given | ({"resource": resource, "fullUrl": full_url or f"https://x/{url}"} if resource else {})


def send(server, *entries, kind="transaction", prefer="return=minimal"):
    body = {"resourceType": "Bundle", "type": kind, "entry": list(entries)}
    return CLIENT.post(server.url, json=body, headers={"Prefer": prefer})


def statuses(reply):
    assert reply.status_code == 200, reply.text
    assert errors(reply.json()) == []
    return [e["response"]["status"][:3] for e in reply.json()["entry"]]


def test_entries_are_done_in_the_order_of_r4_and_answered_in_their_own(server):
    server.put(device("old", id="old"))
    reply = send(server, entry("GET", "Device/new"), entry("PUT", "Device/new", device("2", id="new")),
                 entry("POST", "Device", device("3"), "urn:uuid:3"), entry("DELETE", "Device/old"))  # fmt: skip
    assert statuses(reply) == ["200", "201", "201", "204"]
    assert reply.json()["entry"][0]["resource"]["id"] == "new"
    order = CLIENT.get(f"{server.url}/_history").json()["entry"]
    assert [e["request"]["method"] for e in order[:3]] == ["PUT", "POST", "DELETE"]  # newest first


@pytest.mark.parametrize(
    ("late", "status"),
    [
        (entry("PUT", "Device/b", device(id="b"), ifMatch='W/"7"'), 412),
        (entry("PUT", "Device/b", device(id="b", status="on")), 422),
        (entry("PUT", "Device/b", device(id="other")), 400),
        (entry("PUT", BY_IDENTIFIER.format("twice"), device()), 412),
        (entry("GET", "Device/nowhere"), 404),
        (entry("PUT", "DetectedIssue/i", issue("Device?identifier=urn:x|nobody", id="i")), 412),
        (entry("PATCH", "Device/a"), 405),
    ],
)
def test_a_late_failure_takes_everything_back(server, late, status):
    for id_ in ("one", "two"):
        server.put(device("twice", id=id_))
    server.put(device("old", id="old"))
    before = CLIENT.get(f"{server.url}/_history").json()["entry"]
    reply = send(server, entry("DELETE", "Device/old"), entry("PUT", "Device/one", device("changed", id="one")),
                 entry("POST", "Device", device("new"), "urn:uuid:1"), late)  # fmt: skip
    assert reply.status_code == status, reply.text
    assert CLIENT.get(f"{server.url}/_history").json()["entry"] == before
    found = CLIENT.get(f"{server.url}/Device", params={"identifier": "urn:x|twice"}).json()
    assert found["total"] == 2  # the index as well


def test_the_entry_that_failed_is_named(server):
    reply = send(
        server, entry("PUT", "Device/a", device(id="a")), entry("PUT", "Device/b", device(id="b", status="on"))
    )
    assert reply.json()["issue"][0]["expression"] == ["Bundle.entry[1].resource.status"]
    reply = send(server, entry("PUT", "Device/a", device(id="a")), entry("GET", "Device/none"))
    assert reply.json()["issue"][0]["expression"] == ["Bundle.entry[1]"]


@pytest.mark.parametrize(
    "twins",
    [
        [entry("PUT", "Device/a", device(id="a")), entry("PUT", "Device/a", device(id="a"), "https://x/twice")],
        [entry("PUT", "Device/a", device(id="a")), entry("DELETE", "Device/a")],
        [entry("PUT", "Device/there", device("t", id="there")), entry("PUT", BY_IDENTIFIER.format("t"), device("t"), "urn:uuid:1")],
        [entry("PUT", BY_IDENTIFIER.format("n"), device("n"), "urn:uuid:1"), entry("PUT", BY_IDENTIFIER.format("n"), device("n"), "urn:uuid:2")],
        [entry("POST", "Device", device("n"), "urn:uuid:1", ifNoneExist="identifier=urn:x%7Cn"), entry("PUT", BY_IDENTIFIER.format("n"), device("n"), "urn:uuid:2")],
    ],
)  # fmt: skip
def test_two_entries_never_write_to_one_identity(server, twins):
    server.put(device("t", id="there"))
    reply = send(server, *twins)
    assert reply.status_code == 400, reply.text
    assert len(server.all("Device")) == 1


def test_a_conditional_update_in_a_transaction_gives_its_id_to_the_others(server):
    for expected in (["201", "201"], ["200", "200"]):
        reply = send(server, entry("PUT", "DetectedIssue/i", issue("urn:uuid:d", id="i")),
                     entry("PUT", BY_IDENTIFIER.format("1"), device(), "urn:uuid:d"))  # fmt: skip
        assert statuses(reply) == expected
    assert server.all("DetectedIssue")[0]["author"]["reference"] == f"Device/{server.all('Device')[0]['id']}"
    assert len(server.all("Device")) == 1


def test_an_absolute_address_of_a_new_resource_becomes_its_id(server):
    send(server, entry("POST", "Device", device(), "https://x/Device/1"),
         entry("POST", "DetectedIssue", issue("https://x/Device/1"), "urn:uuid:i"))  # fmt: skip
    assert server.all("DetectedIssue")[0]["author"]["reference"] == f"Device/{server.all('Device')[0]['id']}"


def test_a_conditional_reference_finds_what_is_there_and_what_the_transaction_brings(server):
    server.put(device("there", id="there"))
    reply = send(server, entry("PUT", "DetectedIssue/i", issue("Device?identifier=urn:x|there", id="i")),
                 entry("PUT", "DetectedIssue/j", issue("Device?identifier=urn:x|new", id="j")),
                 entry("PUT", "Device/new", device("new", id="new")))  # fmt: skip
    assert statuses(reply) == ["201", "201", "201"]
    assert [i["author"]["reference"] for i in server.all("DetectedIssue")] == ["Device/there", "Device/new"]
    assert CLIENT.get(f"{server.url}/Device/new").json()["meta"]["versionId"] == "1"


def test_a_conditional_delete_and_a_create_that_finds_its_resource(server):
    server.put(device("there", id="there"))
    reply = send(server, entry("DELETE", BY_IDENTIFIER.format("nobody")),
                 entry("POST", "Device", device("there"), "urn:uuid:1", ifNoneExist="identifier=urn:x%7Cthere"),
                 entry("PUT", "DetectedIssue/i", issue("urn:uuid:1", id="i")))  # fmt: skip
    assert statuses(reply) == ["204", "200", "201"]
    assert server.all("DetectedIssue")[0]["author"]["reference"] == "Device/there"


def test_each_entry_of_the_answer_tells_status_place_and_version(server):
    told = send(server, entry("PUT", "Device/a", device(id="a"))).json()["entry"][0]
    assert told["response"].keys() == {"status", "location", "etag", "lastModified"}
    assert told["response"]["location"] == "Device/a/_history/1"
    assert "resource" not in told
    full = send(server, entry("PUT", "Device/a", device(id="a")), prefer="return=representation").json()["entry"][0]
    assert full["resource"]["meta"]["versionId"] == "2"
    outcome = send(server, entry("PUT", "Device/a", device(id="a")), prefer="return=OperationOutcome").json()["entry"][
        0
    ]
    assert outcome["response"]["outcome"]["resourceType"] == "OperationOutcome"


def test_a_batch_does_what_it_can(server):
    server.put(device("there", id="there"))
    reply = send(server, entry("PUT", "Device/a", device(id="a")), entry("PUT", "Device/b", device(id="b", status="on")),
                 entry("PUT", "Device/there", device("there", id="there"), ifMatch='W/"9"'),
                 entry("PUT", BY_IDENTIFIER.format("there"), device("there")), entry("GET", "Device?identifier=urn:x|there"),
                 entry("POST", "", device(), "urn:uuid:1"), entry("HEAD", "Device/a"), entry("DELETE", "Device/none"),
                 kind="batch")  # fmt: skip
    assert statuses(reply) == ["201", "422", "412", "200", "200", "405", "405", "204"]
    assert reply.json()["entry"][1]["response"]["outcome"]["issue"][0]["expression"] == ["Device.status"]
    assert reply.json()["entry"][4]["resource"]["total"] == 1


@pytest.mark.parametrize(
    "body",
    [
        {"resourceType": "Bundle", "type": "collection", "entry": []},
        {"resourceType": "Bundle", "type": "transaction", "entry": ["x"]},
        {"resourceType": "Bundle", "type": "transaction", "entry": "x"},
        {"resourceType": "Bundle", "type": "batch", "entry": [{"request": []}]},
        {"resourceType": "Device"},
        [],
    ],
)  # fmt: skip
def test_what_is_no_bundle_of_requests_is_refused(server, body):
    assert CLIENT.post(server.url, json=body).status_code in (400, 422)


def test_an_empty_transaction_is_answered(server):
    assert CLIENT.post(server.url, json={"resourceType": "Bundle", "type": "transaction"}).status_code == 200
