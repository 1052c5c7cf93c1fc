"""The sandbox speaks HTTP as R4 says: formats, encodings, preferences, conditional reads, errors, its page."""

import gzip

import pytest

from fhir_adapters.exact_json import dumps
from fhir_adapters.rules import errors
from fhir_adapters.sandbox import Abilities, run_sandbox
from fhir_adapters.sandbox.page import page
from fhir_adapters.sandbox.repository import Repository
from fhir_adapters.sandbox.store import Version
from tests.fhir_adapters.fhir_cases import NARRATIVE
from tests.fhir_adapters.fhir_helpers import CLIENT

DEVICE = {"resourceType": "Device", "text": NARRATIVE, "identifier": [{"system": "urn:x", "value": "1"}]}


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Content-Type", "application/fhir+json", 201),
        ("Content-Type", "application/json; charset=utf-8", 201),
        ("Content-Type", "application/fhir+json; fhirVersion=4.0", 201),
        ("Content-Type", "application/fhir+json; fhirVersion=5.0", 415),
        ("Content-Type", "application/fhir+xml", 415),
        ("Content-Type", "text/plain", 415),
        ("Content-Encoding", "br", 415),
        ("Content-Encoding", "gzip", 400),
        ("Accept", "application/fhir+json", 201),
        ("Accept", "text/html, */*;q=0.8", 201),
        ("Accept", "application/fhir+xml", 406),
        ("Accept", "application/fhir+json; fhirVersion=5.0", 406),
    ],
)
def test_formats_it_cannot_read_or_write_are_refused(server, header, value, status):
    reply = CLIENT.post(f"{server.url}/Device", json=DEVICE, headers={header: value})
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/fhir+json"
    assert errors(reply.json()) == []


def test_format_of_the_url_is_stronger_than_that_of_the_header(server):
    assert CLIENT.get(f"{server.url}/Device?_format=xml").status_code == 406
    read = CLIENT.get(f"{server.url}/Device?_format=json", headers={"Accept": "application/fhir+xml"})
    assert read.status_code == 200


def test_a_body_may_be_packed(server):
    headers = {"Content-Type": "application/fhir+json", "Content-Encoding": "gzip"}
    assert CLIENT.post(f"{server.url}/Device", content=_packed(DEVICE), headers=headers).status_code == 201


def test_a_body_that_unpacks_to_too_much_is_refused():
    with run_sandbox(abilities=Abilities(max_bytes=2000)) as url:
        headers = {"Content-Type": "application/fhir+json", "Content-Encoding": "gzip"}
        assert CLIENT.post(f"{url}/Device", content=_packed(DEVICE), headers=headers).status_code == 201
        bomb = gzip.compress(b" " * 5_000_000)
        reply = CLIENT.post(f"{url}/Device", content=bomb, headers=headers)
        assert (reply.status_code, reply.json()["resourceType"]) == (413, "OperationOutcome")


def _packed(resource):
    return gzip.compress(dumps(resource).encode())


def test_prefer_decides_how_much_of_a_write_comes_back(server):
    def created(prefer):
        reply = CLIENT.post(f"{server.url}/Device", json=DEVICE, headers={"Prefer": prefer} if prefer else {})
        assert reply.headers["location"].startswith(f"{server.url}/Device/")
        assert reply.headers["location"].endswith("/_history/1")
        assert (reply.headers["etag"], "last-modified" in reply.headers) == ('W/"1"', True)
        return reply

    assert created("return=minimal").content == b""
    assert created("return=representation").json()["resourceType"] == "Device"
    assert created("").json()["resourceType"] == "Device"
    outcome = created("return=OperationOutcome").json()
    assert outcome["issue"][0]["severity"] == "information"


def test_a_read_of_the_version_that_one_has_brings_nothing(server):
    at = CLIENT.post(f"{server.url}/Device", json=DEVICE).headers["location"].partition("/_history")[0]
    reply = CLIENT.get(at, headers={"If-None-Match": 'W/"1"'})
    assert (reply.status_code, reply.content, reply.headers["etag"]) == (304, b"", 'W/"1"')
    assert CLIENT.get(at, headers={"If-None-Match": 'W/"2"'}).status_code == 200
    assert CLIENT.head(at).headers["etag"] == 'W/"1"'


def test_an_error_says_where_it_is(server):
    reply = CLIENT.post(f"{server.url}/Device", json=DEVICE | {"status": "on"})
    assert reply.json()["issue"][0]["expression"] == ["Device.status"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "fhir/Nothing/1", 404),
        ("GET", "fhir", 404),
        ("PUT", "fhir/Device", 405),
        ("PATCH", "fhir/Device/1", 405),
        ("DELETE", "fhir/Device", 405),
        ("OPTIONS", "fhir/Device", 405),
        ("GET", "elsewhere", 404),
        ("GET", "fhir/Device/1/2/3", 404),
        ("GET", "fhir/Device?_count=many", 400),
        ("GET", "fhir/.well-known/smart-configuration", 404),
        ("POST", "token", 404),
    ],
)
def test_addresses_that_lead_nowhere_are_told_in_the_words_of_fhir(server, method, path, status):
    reply = CLIENT.request(method, f"{server.root}/{path}")
    assert (reply.status_code, reply.json()["resourceType"]) == (status, "OperationOutcome")


@pytest.mark.parametrize("depth", [100, 300, 5000])
def test_a_body_that_is_nested_without_end_is_refused(server, depth):
    deep = '{"resourceType":"Device","extension":' + '[{"extension":' * depth + "[]" + "}]" * depth + "}"
    assert CLIENT.post(f"{server.url}/Device", content=deep).status_code in (400, 422)


def test_a_bug_of_its_own_is_told_in_the_words_of_fhir(server, monkeypatch):
    monkeypatch.setattr("fhir_adapters.sandbox.routes.perform", lambda *_: 1 / 0)
    reply = CLIENT.get(f"{server.url}/Device")
    assert (reply.status_code, reply.json()["issue"][0]["code"]) == (500, "exception")


def test_its_page_shows_what_is_there(server):
    CLIENT.post(f"{server.url}/Device", json=DEVICE)
    shown = CLIENT.get(server.root).text
    assert f'<a href="{server.url}/Device">Device</a>: 1' in shown
    assert "Last changes" in shown and "POST" in shown


def test_its_page_escapes_whatever_is_stored():
    repository = Repository("http://x/fhir", Abilities())
    evil = "<script>alert(1)</script>"
    repository.store.add(Version("Device", evil, evil, evil, "PUT", {"resourceType": "Device", "id": evil}))
    assert "<script>" not in page(repository)


def test_a_page_of_another_site_has_no_way_in(server):
    assert CLIENT.get(f"{server.url}/Device", headers={"Host": "evil.example"}).status_code == 400
    plan = {"content": b'[{"kind": "reset"}]', "headers": {"Content-Type": "text/plain"}}
    assert CLIENT.post(f"{server.root}/sandbox/faults", **plan).status_code == 415
