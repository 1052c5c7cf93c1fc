"""Faults on demand: what the client sees of each, and what was done."""

import signal
import subprocess
import sys
import time

import httpx
import pytest

from fhir_adapters.exact_json import dumps
from fhir_adapters.sandbox import run_sandbox
from tests.fhir_adapters.fhir_cases import NARRATIVE
from tests.fhir_adapters.fhir_helpers import CLIENT, Server


def device(id_, value="1", **more):
    return {
        "resourceType": "Device",
        "id": id_,
        "text": NARRATIVE,
        "identifier": [{"system": "urn:x", "value": value}],
    } | more


def put(server, id_="a", **arguments):
    return CLIENT.put(f"{server.url}/Device/{id_}", json=device(id_), **arguments)


def send(server, number, kind="batch"):
    entries = [
        {"fullUrl": f"https://x/{id_}", "resource": device(id_), "request": {"method": "PUT", "url": f"Device/{id_}"}}
        for id_ in (f"d{index}" for index in range(number))
    ]
    return CLIENT.post(server.url, json={"resourceType": "Bundle", "type": kind, "entry": entries})


def statuses(reply):
    return [entry["response"]["status"][:3] for entry in reply.json()["entry"]]


@pytest.mark.parametrize("status", ["400", "401", "409", "412", "429", "500", "502", "503", "504"])
def test_a_status_is_answered_and_nothing_is_done(server, status):
    server.fail(status, seconds=3)
    reply = put(server)
    assert (reply.status_code, reply.json()["resourceType"]) == (int(status), "OperationOutcome")
    assert reply.headers.get("retry-after") == ("3" if status in ("429", "503") else None)
    assert server.all("Device") == []
    assert put(server).status_code == 201


@pytest.mark.parametrize(
    ("kind", "done"),
    [
        ("reset", 0), ("timeout", 0), ("reset-after-commit", 1), ("timeout-after-commit", 1), ("cut-answer", 1),
    ],
)  # fmt: skip
def test_a_connection_that_breaks_leaves_the_client_in_doubt(server, kind, done):
    server.fail(kind)
    with pytest.raises(httpx.RemoteProtocolError):
        put(server)
    assert len(server.all("Device")) == done


@pytest.mark.parametrize(("kind", "done"), [("slow", 1), ("timeout", 0), ("timeout-after-commit", 1)])
def test_an_answer_comes_later_than_the_client_waits(server, kind, done):
    server.fail(kind, seconds=0.5)
    with pytest.raises(httpx.ReadTimeout):
        put(server, timeout=0.1)
    deadline = time.monotonic() + 20
    while len(server.all("Device")) < done and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(server.all("Device")) == done


def test_answers_that_are_no_fhir(server):
    server.fail("html", "truncated-json")
    page, half = put(server), put(server)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert half.status_code == 201
    with pytest.raises(ValueError):
        half.json()
    assert set(server.versions("Device").values()) == {"1"}  # of the second one


def test_a_request_comes_twice_at_once_or_later(server):
    server.fail("duplicate")
    assert put(server).headers["etag"] == 'W/"2"'
    server.fail("duplicate-later", requests=2)
    put(server, "b")
    newer = CLIENT.put(f"{server.url}/Device/b", json=device("b", "newer"))
    assert newer.headers["etag"] == 'W/"2"'
    CLIENT.get(f"{server.url}/Device/b")
    after = CLIENT.get(f"{server.url}/Device/b").json()
    assert (after["meta"]["versionId"], after["identifier"][0]["value"]) == ("3", "1")  # the old copy came last


def test_a_late_copy_is_refused_where_it_names_a_version(server):
    put(server)
    server.fail("duplicate-later", requests=1)
    put(server, headers={"If-Match": 'W/"1"'})
    CLIENT.put(f"{server.url}/Device/a", json=device("a", "newer"), headers={"If-Match": 'W/"2"'})
    assert CLIENT.get(f"{server.url}/Device/a").json()["identifier"][0]["value"] == "newer"


def test_a_search_stays_behind_for_a_while_and_a_read_does_not(server):
    server.put(device("old", "1"))
    server.fail("stale-search", requests=3)
    put(server)
    found = [CLIENT.get(f"{server.url}/Device", params={"identifier": "urn:x|1"}).json()["total"] for _ in range(2)]
    assert found == [1, 1]
    assert CLIENT.get(f"{server.url}/Device/a").status_code == 200
    assert CLIENT.get(f"{server.url}/Device", params={"identifier": "urn:x|1"}).json()["total"] == 2


def test_a_stale_search_shows_the_version_before(server):
    server.put(device("a", "1"))
    server.fail("stale-search")
    server.put(device("a", "1", status="inactive"))
    assert "status" not in CLIENT.get(f"{server.url}/Device", params={"_id": "a"}).json()["entry"][0]["resource"]


@pytest.mark.parametrize(
    ("kind", "answered", "done"),
    [
        ("429-in-entry", ["429"] * 4, []),
        ("429-in-half", ["201", "429", "201", "429"], ["d0", "d2"]),
        ("first-entry-only", ["201", "500", "500", "500"], ["d0"]),
        ("drop-entry", ["201"] * 3, ["d0", "d1", "d2", "d3"]),
        ("none", ["201"] * 4, ["d0", "d1", "d2", "d3"]),
    ],
)
@pytest.mark.parametrize("bundle", ["batch", "transaction"])
def test_entries_of_a_bundle_fail_for_themselves(server, kind, answered, done, bundle):
    server.fail(kind)
    reply = send(server, 4, bundle)
    assert (reply.status_code, statuses(reply)) == (200, answered)
    assert [resource["id"] for resource in server.all("Device")] == done


def test_half_of_a_bundle_is_done_and_the_whole_is_said_to_have_failed(server):
    server.fail("half-applied")
    assert send(server, 5).status_code == 500
    assert [resource["id"] for resource in server.all("Device")] == ["d0", "d1", "d2"]


@pytest.mark.parametrize("kind", ["429-in-entry", "429-in-half", "first-entry-only", "drop-entry", "half-applied"])
def test_a_fault_of_entries_leaves_a_single_write_alone(server, kind):
    server.fail(kind)
    assert put(server).status_code == 201


def test_faults_come_in_their_order_and_reads_have_their_own(server):
    server.fail("none", "429", times=2)
    server.fail("503", on="read")
    assert [put(server).status_code for _ in range(5)] == [201, 200, 429, 429, 200]
    assert [CLIENT.get(f"{server.url}/Device").status_code for _ in range(2)] == [503, 200]


def test_faults_by_chance_are_the_same_for_the_same_seed(server):
    def told():
        server.reset()
        server.fail_by_chance(seed=7, rate=0.4, kinds=["429", "500", "409"], seconds=0)
        return [put(server).status_code for _ in range(40)]

    first = told()
    assert first == told()
    assert {429, 500, 409, 200} < set(first)
    done = server.faults_done()
    assert sum(done.values()) == sum(status >= 400 for status in first)
    server.heal()
    assert put(server).status_code == 200


@pytest.mark.parametrize(
    "wanted",
    [
        [{"kind": "earthquake"}], [{"kind": "429", "colour": "red"}], ["429"], {"seed": 1},
        {"seed": 1, "rate": "x", "kinds": ["429"]},
        7, [{"kind": "kill-after-commit", "pid": 12345}],
    ],
)  # fmt: skip
def test_a_plan_that_is_not_understood_is_refused(server, wanted):
    reply = CLIENT.post(server.root + "/sandbox/faults", json=wanted)
    assert (reply.status_code in (400, 403), reply.json()["resourceType"]) == (True, "OperationOutcome")
    assert put(server).status_code == 201
    json = {"Content-Type": "application/json"}
    assert CLIENT.post(server.root + "/sandbox/faults", content=b"{", headers=json).status_code == 400


CLIENT_PROGRAM = """
import sys, httpx
url, body = sys.argv[1:]
with httpx.Client(trust_env=False) as client:
    for number in range(5):
        client.put(f"{url}/Device/a", content=body, headers={"Content-Type": "application/fhir+json"})
        print(number, flush=True)
"""


@pytest.mark.parametrize(("kind", "versions"), [("kill-before-commit", "2"), ("kill-after-commit", "3")])
def test_the_client_is_killed_at_the_third_request(kind, versions):
    with run_sandbox(may_kill=True) as url:
        command = [sys.executable, "-c", "input()\n" + CLIENT_PROGRAM, url, dumps(device("a"))]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
            plan = [{"kind": "none", "times": 2}, {"kind": kind, "pid": client.pid}]
            assert CLIENT.post(url.replace("/fhir", "/sandbox/faults"), json=plan).status_code == 200
            said, _ = client.communicate("go\n", timeout=60)
        assert (client.returncode, said.split()) == (-signal.SIGKILL, ["0", "1"])
        assert Server(url).versions("Device") == {"a": versions}
