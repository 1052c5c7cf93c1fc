"""Who is let in, and how far: tokens, scopes, limits, headers, audits."""

import json
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import jwt
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from fhir_adapters.rules import errors
from fhir_adapters.service.access.allowance import Allowance
from fhir_adapters.service.access.registry import Registry
from fhir_adapters.service.access.scopes import EVERYBODY, NOBODY, Reach, Reader
from passerelle.errors import UsageError
from tests.fhir_adapters.fhir_helpers import prediction
from tests.fhir_adapters.service_helpers import (
    BASE,
    ISSUER,
    KEY,
    SERVER,
    SIGN,
    access,
    bearer,
    call,
    eventually,
    hook,
    registry,
    service,
    signer,
)

PATH = f"/cds-services/{SIGN}"
URL = BASE + PATH
HOUR = 3600


@pytest.fixture
def here(tmp_path):
    with service(tmp_path) as made, made.client() as client:
        made.http = client
        made.outbox.enqueue([prediction(1), prediction(2)])
        yield made


def now():
    return int(time.time())


FORGED = {
    "no token": lambda: None,
    "nonsense": lambda: "nonsense",
    "an empty token": lambda: "",
    "expired": lambda: signer().token(URL, iat=now() - 2 * HOUR, exp=now() - HOUR),
    "for an hour": lambda: signer().token(URL, exp=now() + HOUR),
    "for ever": lambda: signer().token(URL, exp=None),
    "made tomorrow": lambda: signer().token(URL, iat=now() + 24 * HOUR, exp=now() + 24 * HOUR + 60),
    "made before the service began": lambda: signer().token(URL, iat=now() - 200, exp=now() + 60),
    "without iat": lambda: signer().token(URL, iat=None),
    "without jti": lambda: signer().token(URL, jti=None),
    "an empty jti": lambda: signer().token(URL, jti=" "),
    "for another address": lambda: signer().token(f"{URL}-other"),
    "for nobody": lambda: signer().token(URL, aud=None),
    "a stranger": lambda: signer("https://stranger.example/").token(URL),
    "the authorization server's": lambda: signer(SERVER).token(URL),
    "unsigned": lambda: signer().unsigned(URL),
    "symmetric": lambda: signer().symmetric(URL),
    "another key": lambda: signer().with_another_key().token(URL),
    "another key id": lambda: signer(kid="key-2").token(URL),
    "no key id": lambda: jwt.encode({"iss": ISSUER}, KEY, "ES384"),
    "keys at its own address": lambda: signer(jku="http://127.0.0.1:9/keys").token(URL),
    "another algorithm": lambda: jwt.encode({"iss": ISSUER}, KEY_256, "ES256", headers={"kid": "key-1"}),
}
KEY_256 = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_no_forged_token_is_let_in(here, forge):
    token = forge()
    reply = here.http.post(PATH, json=hook(), headers={} if token is None else {"authorization": f"Bearer {token}"})
    assert reply.status_code == 401 and reply.headers["www-authenticate"].startswith("Bearer ")
    assert reply.json()["issue"][0]["code"] == "login" and not here.reviewer.asked
    assert not token or token not in reply.text


def test_a_token_is_good_once(here):
    token = bearer(PATH)
    assert here.http.post(PATH, json=hook(), headers=token).status_code == 200
    assert here.http.post(PATH, json=hook(), headers=token).status_code == 401


def test_an_access_token_is_good_until_it_expires(here):
    token = access()
    assert [here.http.get("/fhir/DetectedIssue", headers=token).status_code for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("name", ["expired", "for an hour", "unsigned", "symmetric", "another key", "a stranger"])
def test_the_fhir_api_refuses_them_too(here, name):
    token = FORGED[name]().replace(URL, f"{BASE}/fhir")
    assert here.http.get("/fhir/DetectedIssue", headers={"authorization": f"Bearer {token}"}).status_code == 401


def test_a_token_of_a_hook_does_not_open_the_fhir_api(here):
    token = {"authorization": f"Bearer {signer().token(f'{BASE}/fhir', scope='system/*.rs')}"}
    assert here.http.get("/fhir/DetectedIssue", headers=token).status_code == 401


def test_rs384_is_taken_and_a_short_key_is_not(tmp_path):
    for bits, status in ((2048, 200), (1024, 401)):
        key = rsa.generate_private_key(65537, bits)
        one = replace(signer(), key=key, algorithm="RS384")
        declared = registry(clients=[{"name": "dpi", "issuer": ISSUER, "keys": {"jwks": one.key_set()}}])
        with service(tmp_path / str(bits), declared=declared) as made, made.client() as client:
            token = {"authorization": f"Bearer {one.token(URL)}"}
            assert client.post(PATH, json=hook(), headers=token).status_code == status


class Keys(BaseHTTPRequestHandler):
    """The keys of a client at an address; they can be changed."""

    published = None
    visits = 0

    def do_GET(self):
        type(self).visits += 1
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(self.published).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def address():
    with HTTPServer(("127.0.0.1", 0), Keys) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        Keys.published, Keys.visits = signer().key_set(), 0
        yield f"http://127.0.0.1:{server.server_port}/keys.json"
        server.shutdown()


def test_keys_are_read_from_the_declared_address_and_kept(tmp_path, address):
    declared = registry(clients=[{"name": "dpi", "issuer": ISSUER, "keys": {"url": address}}])
    with service(tmp_path, declared=declared) as made, made.client() as client:
        for jku in (None, address, None):
            token = {"authorization": f"Bearer {signer(jku=jku).token(URL)}"}
            assert client.post(PATH, json=hook(), headers=token).status_code == 200
        assert Keys.visits == 1
        for _ in range(3):  # whoever invents key ids cannot have the address asked again and again
            token = {"authorization": f"Bearer {signer(kid='unknown').token(URL)}"}
            assert client.post(PATH, json=hook(), headers=token).status_code == 401
        assert Keys.visits == 1


def test_an_address_that_nobody_declared_is_not_even_visited(here, address):
    token = {"authorization": f"Bearer {signer(jku=address).token(URL)}"}
    assert here.http.post(PATH, json=hook(), headers=token).status_code == 401
    assert Keys.visits == 0


def test_the_server_of_a_hook_is_never_called(here, address):
    granted = {"access_token": "x", "token_type": "Bearer", "expires_in": 60, "scope": "user/*.rs", "subject": "s"}
    body = hook(fhirServer=address, fhirAuthorization=granted)
    assert call(here.http, SIGN, body).status_code == 200 and Keys.visits == 0


# ---- how far a token reaches

ISSUE_1, ISSUE_2 = prediction(1).prediction_id, prediction(2).prediction_id
MINE = {"scope": "patient/*.rs", "patient": "pat-1001"}


@pytest.mark.parametrize(
    ("scopes", "patient", "kind", "interaction", "reach"),
    [
        ("system/*.rs", None, "DetectedIssue", "s", EVERYBODY),
        ("system/DetectedIssue.rs", None, "DetectedIssue", "r", EVERYBODY),
        ("system/DetectedIssue.r", None, "DetectedIssue", "s", None),
        ("system/DetectedIssue.rs", None, "RiskAssessment", "r", None),
        ("system/*.cud", None, "DetectedIssue", "r", None),
        ("user/*.rs", None, "DetectedIssue", "r", None),
        ("system/DetectedIssue.rs?patient=1", None, "DetectedIssue", "r", None),
        ("patient/*.rs", 1001, "DetectedIssue", "r", Reach(1001)),
        ("patient/*.rs", None, "DetectedIssue", "r", Reach(NOBODY)),
        ("patient/*.rs", 1001, "Device", "r", EVERYBODY),
        ("patient/*.rs system/DetectedIssue.rs", 1001, "DetectedIssue", "r", EVERYBODY),
        ("patient/*.rs system/DetectedIssue.rs", 1001, "RiskAssessment", "r", Reach(1001)),
        ("", None, "DetectedIssue", "r", None),
    ],
)
def test_scopes_say_how_far_a_token_reaches(scopes, patient, kind, interaction, reach):
    assert Reader("x", scopes.split(), patient).reach(kind, interaction) == reach


@pytest.mark.parametrize(
    "path",
    [
        f"/fhir/DetectedIssue/{ISSUE_2}",
        f"/fhir/DetectedIssue/{ISSUE_2}/_history",
        f"/fhir/DetectedIssue/{ISSUE_2}/_history/1",
        f"/fhir/Provenance/{ISSUE_2}.1",
    ],
)
def test_another_patient_looks_as_if_there_were_none(here, path):
    assert here.http.get(path, headers=access()).status_code == 200
    reply = here.http.get(path, headers=access(**MINE))
    nobody = here.http.get(path.replace(ISSUE_2, "5f0c3a52-6f39-4f38-9d0e-3d0d8b1f4c11"), headers=access(**MINE))
    assert (reply.status_code, reply.json()) == (404, nobody.json())


@pytest.mark.parametrize(
    "query",
    ["", "?patient=pat-1002", "?patient:identifier=urn:oid:1.2.250.1.999|IPPSECRET1002", f"?_id={ISSUE_2}",
     f"?_id={ISSUE_1},{ISSUE_2}", "?_summary=count"],
)  # fmt: skip
def test_a_search_finds_nobody_else(here, query):
    body = here.http.get(f"/fhir/DetectedIssue{query}", headers=access(**MINE)).json()
    assert {e["resource"]["id"] for e in body.get("entry", ())} <= {ISSUE_1}
    assert body.get("total", 0) <= 1
    assert (
        here.http.get(f"/fhir/Provenance?target=DetectedIssue/{ISSUE_2}", headers=access(**MINE)).json().get("entry")
        is None
    )


def test_a_link_to_a_page_is_worth_nothing_to_another_reader(here):
    pages = here.http.get("/fhir/DetectedIssue?_count=1", headers=access()).json()["link"]
    follow = next(link["url"] for link in pages if link["relation"] == "next").removeprefix(BASE)
    assert here.http.get(follow, headers=access()).status_code == 200
    assert here.http.get(follow, headers=access(**MINE)).status_code == 400
    assert here.http.get(follow, headers=access(client_id="somebody else")).status_code == 400


def test_a_token_without_the_scope_is_told_so(here):
    reply = here.http.get("/fhir/DetectedIssue", headers=access("system/RiskAssessment.rs"))
    assert reply.status_code == 403 and "insufficient_scope" in reply.headers["www-authenticate"]


# ---- limits


def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(tmp_path):
    with service(tmp_path, max_body_bytes=10_000) as made, made.client() as client:
        assert call(client, SIGN, hook(extension={"com.example": "x" * 20_000})).status_code == 413
        chunks = (b"x" * 1000 for _ in range(20))
        headers = bearer(PATH) | {"content-type": "application/json"}
        reply = client.post(PATH, content=chunks, headers=headers)
        assert reply.status_code == 413 and reply.json()["issue"][0]["code"] == "too-long"


def test_a_client_that_asks_too_much_is_told_when_to_come_again(tmp_path):
    with service(tmp_path, requests_a_minute=12) as made, made.client() as client:
        replies = [call(client, SIGN, hook()) for _ in range(4)]
        assert [r.status_code for r in replies] == [200, 200, 429, 429]
        assert 1 <= int(replies[-1].headers["retry-after"]) <= 60
        assert client.get("/fhir/DetectedIssue", headers=access()).status_code == 200  # another client


def test_whoever_guesses_tokens_is_slowed_down(tmp_path):
    with service(tmp_path, requests_a_minute=12) as made, made.client() as client:
        replies = [client.post(PATH, json=hook(), headers={"authorization": "Bearer x"}) for _ in range(4)]
        assert [r.status_code for r in replies] == [401, 401, 429, 429]


def test_an_allowance_fills_again():
    clock = iter([0.0, 0.0, 0.0, 5.0, 5.0]).__next__
    allowance = Allowance(12, clock)
    assert [allowance.wait_s("a") for _ in range(5)] == [0, 0, 5, 0, 5]


# ---- what is said, what is kept


@pytest.mark.parametrize("path", ["/health", "/nowhere", "/fhir/metadata", "/cds-services", "/openapi.json"])
def test_every_answer_has_its_headers_and_no_banner(here, path):
    headers = here.http.get(path).headers
    assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"] and "server" not in headers


def test_a_page_of_a_known_client_may_call_from_its_origin_and_no_other(tmp_path):
    one = {"name": "dpi", "issuer": ISSUER, "keys": {"jwks": signer().key_set()}, "origins": ["https://dpi.example"]}
    with service(tmp_path, declared=registry(clients=[one])) as made, made.client() as client:
        ask = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
        granted = client.options(PATH, headers=ask | {"origin": "https://dpi.example"})
        assert granted.is_success and granted.headers["access-control-allow-origin"] == "https://dpi.example"
        refused = client.options(PATH, headers=ask | {"origin": "https://evil.example"})
        assert "access-control-allow-origin" not in refused.headers


def test_every_access_is_an_audit_event_about_a_pseudonym(here):
    call(here.http, SIGN, hook())
    here.http.get(f"/fhir/DetectedIssue/{ISSUE_1}", headers=access(client_id="viewer"))
    here.http.get("/fhir/DetectedIssue?patient=pat-1002", headers=access())
    here.http.post(PATH, json=hook())
    events = eventually(lambda: [e for e in [here.audit()] if len(e) == 4])[0]
    assert all(not errors(event) for event in events)
    assert [e["outcome"] for e in events] == ["0", "0", "0", "4"]
    assert [e["agent"][0]["name"] for e in events] == ["dpi", "viewer", SERVER, "unknown"]
    people = [[x["what"]["identifier"]["value"] for x in e["entity"] if "what" in x] for e in events]
    assert people == [["1001"], ["1001"], ["1002"], []]
    assert "IPPSECRET" not in json.dumps(events) and "pat-" not in json.dumps(events)
    assert (here.folder / "audit.ndjson").stat().st_mode & 0o077 == 0


# ---- the clients' file


def test_the_file_is_read_with_keys_beside_it(tmp_path):
    (tmp_path / "dpi.json").write_text(json.dumps(signer().key_set()))
    declared = {"clients": [{"name": "dpi", "issuer": ISSUER, "keys": {"file": "dpi.json"}}], "public_url": BASE}
    (tmp_path / "clients.yaml").write_text(yaml.safe_dump(declared))
    with service(tmp_path, declared=Registry.read(tmp_path / "clients.yaml")) as made, made.client() as client:
        assert call(client, SIGN, hook()).status_code == 200


PRIVATE = {"keys": [{"kty": "EC", "kid": "1", "d": "secret"}]}


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"clients": [{"name": "a", "issuer": "b", "keys": {}}]}, "give one of jwks, file, url"),
        ({"clients": [{"name": "a", "issuer": "b", "keys": {"url": "http://far.example/k"}}]}, "https"),
        ({"clients": [{"name": "a", "issuer": "b", "keys": {"jwks": PRIVATE}}]}, "private key"),
        ({"client": []}, "client: Extra inputs"),
        (
            {"clients": [{"name": "a", "issuer": i, "keys": {"file": "x"}} for i in "bc"]},
            "the same issuer or the same name",
        ),
    ],
)
def test_a_file_that_is_wrong_says_where(tmp_path, declared, told):
    (tmp_path / "clients.yaml").write_text(yaml.safe_dump(declared))
    with pytest.raises(UsageError, match=told) as raised:
        Registry.read(tmp_path / "clients.yaml")
    assert "secret" not in str(raised.value)


def test_a_demo_lets_in_this_machine_alone(tmp_path):
    with service(tmp_path, demo=True, base_url="http://127.0.0.1") as made, made.client() as client:
        assert client.post(PATH, json=hook(), headers={"host": "evil.example"}).status_code == 400
        assert client.post(PATH, json=hook(), headers={"host": "127.0.0.1:8040"}).status_code == 200
        said = client.get("/fhir/metadata", headers={"host": "localhost"}).json()
        assert said["description"].startswith("DEMONSTRATION")


def test_the_example_of_the_guide_is_a_file_that_is_taken(repository):
    guide = (repository / "docs" / "howto" / "serve_results.md").read_text()
    example = Registry.model_validate(yaml.safe_load(guide.partition("```yaml\n")[2].partition("```")[0]))
    assert example.clients[0].name == "dpi" and example.limits == Registry().limits
