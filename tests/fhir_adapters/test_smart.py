"""SMART Backend Services: a statement that a strict server accepts, a token that is kept and renewed."""

from urllib.parse import parse_qsl

import httpx
import jwt
import pytest

from fhir_adapters.delivery.declaration import Declaration
from fhir_adapters.delivery.smart import BackendServices, SigningKey, key_set
from fhir_adapters.delivery.target import NotSent, Target
from passerelle.errors import UsageError

BASE = "https://dpi.example/fhir"
TOKEN_URL = "https://auth.example/token"


class Server:
    """A FHIR server and its authorization server, as strict as SMART wants them."""

    def __init__(self, keys, lifetime=300):
        self.keys = {key["kid"]: key for key in key_set(keys)["keys"]}
        self.lifetime, self.revoked = lifetime, set()
        self.tokens, self.statements, self.asked = [], [], []

    def __call__(self, request):
        url = str(request.url)
        if url.endswith("/.well-known/smart-configuration"):
            return httpx.Response(200, json={"token_endpoint": TOKEN_URL})
        if url == TOKEN_URL:
            return self.token(dict(parse_qsl(request.content.decode())))
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.asked.append(token)
        known = token in self.tokens and token not in self.revoked
        return httpx.Response(200 if known else 401, json={"resourceType": "Bundle"})

    def token(self, form):
        statement = form["client_assertion"]
        kid = jwt.get_unverified_header(statement)["kid"]
        key = jwt.PyJWK(self.keys[kid])
        claims = jwt.decode(
            statement, key.key, algorithms=["ES384", "RS384"], audience=TOKEN_URL,
            options={"require": ["exp", "jti", "iss", "sub", "aud"]},
        )  # fmt: skip
        assert claims["iss"] == claims["sub"] == "passerelle"
        assert claims["jti"] not in [c["jti"] for c in self.statements]
        self.statements.append(claims)
        self.tokens.append(f"token-{len(self.tokens)}")
        return httpx.Response(200, json={"access_token": self.tokens[-1], "expires_in": self.lifetime})


@pytest.fixture(params=["ES384", "RS384"])
def key(request, tmp_path):
    made = SigningKey.new(tmp_path / "key.pem", request.param)
    assert SigningKey.read(tmp_path / "key.pem").public == made.public
    assert (tmp_path / "key.pem").stat().st_mode & 0o077 == 0
    return made


def target(server, key, clock=lambda: 1_000_000.0, token_url=TOKEN_URL):
    auth = BackendServices(BASE, "passerelle", key, token_url=token_url, scopes="system/*.rs", clock=clock)
    return Target(BASE, timeout_s=1, auth=auth, transport=httpx.MockTransport(server))


@pytest.fixture(autouse=True)
def _no_expiry_by_the_wall_clock(monkeypatch):
    honest = jwt.decode
    monkeypatch.setattr(
        jwt, "decode", lambda *a, options, **k: honest(*a, options=options | {"verify_exp": False}, **k)
    )


def test_one_token_serves_many_requests_until_it_is_about_to_end(key):
    now = [1_000_000.0]
    server = Server([key])
    with target(server, key, clock=lambda: now[0]) as client:
        assert [client.get("Device").status for _ in range(3)] == [200] * 3
        assert len(server.tokens) == 1
        now[0] += 280  # within half a minute of its end
        client.get("Device")
    assert len(server.tokens) == 2
    assert all(claims["exp"] - 1_000_000 <= 300 + 280 for claims in server.statements)


def test_a_refused_token_is_renewed_once_and_no_more(key):
    server = Server([key])
    with target(server, key) as client:
        client.get("Device")
        server.revoked.add("token-0")
        assert client.get("Device").status == 200
        server.revoked.add("token-1")
        server.tokens.clear()
        server.revoked.add("token-0")
        assert client.get("Device").status == 401  # a new token does not help: configuration


def test_the_token_endpoint_is_found(key):
    server = Server([key])
    with target(server, key, token_url=None) as client:
        assert client.get("Device").status == 200


def test_without_a_token_nothing_is_sent(key):
    refusing = target(lambda _: httpx.Response(400, json={"error": "invalid_client"}), key)
    with refusing as client, pytest.raises(NotSent, match="the authorization server answers 400"):
        client.send("PUT", "Device/1", {"resourceType": "Device"})


def test_no_token_and_no_key_is_shown(key, caplog):
    server = Server([key])
    with caplog.at_level("DEBUG"), target(server, key) as client:
        client.get("Device")
    assert "token-0" not in caplog.text
    assert "PRIVATE" not in repr(key) + caplog.text


def test_two_keys_are_published_while_they_rotate(tmp_path):
    keys = [SigningKey.new(tmp_path / f"{name}.pem", "ES384") for name in ("new", "old")]
    published = key_set(keys)["keys"]
    assert len({key["kid"] for key in published}) == 2
    assert all("d" not in key for key in published)


def test_a_file_that_is_no_key_is_told(tmp_path):
    (tmp_path / "x.pem").write_text("no key")
    with pytest.raises(UsageError, match="no private key"):
        SigningKey.read(tmp_path / "x.pem")


DECLARED = """
site: {organization: CHU d'exemple, finess: "990000002", naming_base: "https://chu.example/fhir/NamingSystem"}
targets:
  dpi:
    url: https://dpi.example/fhir
    models: [prescription_review]
    smart: {client_id: passerelle, keys: [keys/dpi.pem]}
    tls: {authority: keys/ca.pem}
    options: {max_entries: 10, mark_ai: false, fallback: [Observation]}
  etude: {url: "https://etude.example/fhir"}
"""


def test_a_declaration_names_servers_keys_and_limits(tmp_path):
    (tmp_path / "fhir.yaml").write_text(DECLARED)
    declared = Declaration.read(tmp_path / "fhir.yaml")
    dpi = declared.targets["dpi"]
    assert (dpi.options.max_entries, dpi.options.mark_ai, dpi.options.fallback) == (10, False, ("Observation",))
    assert dpi.smart.keys == (tmp_path / "keys" / "dpi.pem",)
    assert dpi.tls.authority == tmp_path / "keys" / "ca.pem"
    assert declared.site.prediction_system == "https://chu.example/fhir/NamingSystem/prediction-id"
    assert [name for name, one in declared.targets.items() if one.takes("handwriting")] == ["etude"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("targets: {dpi: {urll: x}}", "urll"),
        ("targets: {dpi: {url: x, options: {max_entrys: 1}}}", "max_entrys"),
        ("targets: {dpi: {url: x, smart: {client_id: a, keys: []}}}", "keys"),
        ("targets: [", "cannot be used"),
    ],
)
def test_a_mistake_in_a_declaration_is_named(tmp_path, text, said):
    (tmp_path / "fhir.yaml").write_text(text)
    with pytest.raises(UsageError, match=said):
        Declaration.read(tmp_path / "fhir.yaml")
