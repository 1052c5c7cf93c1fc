"""The sandbox as the OAuth 2 server of its clients (SMART Backend Services), and behind certificates."""

import base64
import datetime
import hashlib
import hmac
import ipaddress
import ssl
import time
import uuid

import httpx
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from fhir_adapters.rules import errors
from fhir_adapters.sandbox import Tls, run_sandbox
from fhir_adapters.sandbox.authorization import ASSERTION_TYPE, RegisteredClient
from tests.fhir_adapters.fhir_cases import NARRATIVE
from tests.fhir_adapters.fhir_helpers import CLIENT

KEYS = {"rsa": rsa.generate_private_key(65537, 2048), "ec": ec.generate_private_key(ec.SECP384R1())}
ALGORITHM = {"rsa": "RS384", "ec": "ES384"}
STRANGER = ec.generate_private_key(ec.SECP384R1())
DEVICE = {"resourceType": "Device", "text": NARRATIVE, "identifier": [{"system": "urn:x", "value": "1"}]}
SCOPES = "system/Device.cru system/DetectedIssue.cu"


def public(kid):
    converter = jwt.algorithms.RSAAlgorithm if kid == "rsa" else jwt.algorithms.ECAlgorithm
    return converter.to_jwk(KEYS[kid].public_key(), as_dict=True) | {"kid": kid}


CLIENTS = [RegisteredClient("passerelle", {"keys": [public("rsa"), public("ec")]}, frozenset(SCOPES.split()))]


@pytest.fixture(scope="module")
def url():
    with run_sandbox(clients=CLIENTS) as url:
        yield url


def token_url(url):
    return CLIENT.get(f"{url}/.well-known/smart-configuration").json()["token_endpoint"]


def assertion(url, kid="ec", key=None, algorithm=None, headers=None, **changes):
    claims = {
        "iss": "passerelle", "sub": "passerelle", "aud": token_url(url), "exp": int(time.time()) + 200,
        "jti": str(uuid.uuid4()),
    } | changes  # fmt: skip
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(
        claims, KEYS[kid] if key is None else key, algorithm or ALGORITHM[kid], {"kid": kid} | (headers or {})
    )


def ask(url, signed, scope=SCOPES, **changes):
    form = {
        "grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": signed,
        "scope": scope,
    } | changes  # fmt: skip
    return CLIENT.post(token_url(url), data=form)


def bearer(url, scope=SCOPES):
    return {"Authorization": f"Bearer {ask(url, assertion(url), scope).json()['access_token']}"}


@pytest.mark.parametrize("kid", ["rsa", "ec"])
def test_a_signed_assertion_brings_a_token_that_opens(url, kid):
    reply = ask(url, assertion(url, kid))
    told = reply.json()
    assert (reply.status_code, told["token_type"], told["expires_in"], told["scope"]) == (200, "bearer", 300, SCOPES)
    assert reply.headers["cache-control"] == "no-store"
    headers = {"Authorization": f"Bearer {told['access_token']}"}
    assert CLIENT.post(f"{url}/Device", json=DEVICE, headers=headers).status_code == 201


def test_an_assertion_is_used_once(url):
    signed = assertion(url)
    assert [ask(url, signed).status_code for _ in range(2)] == [200, 401]


@pytest.mark.parametrize(
    "wrong",
    [
        {"exp": int(time.time()) + 100_000}, {"exp": int(time.time()) - 60}, {"exp": None}, {"jti": None},
        {"aud": "https://elsewhere/token"}, {"sub": "other"}, {"iss": "other"}, {"iss": None}, {"key": STRANGER},
        {"headers": {"kid": "unknown"}}, {"key": KEYS["rsa"], "algorithm": "RS256", "kid": "rsa"},
        {"key": KEYS["rsa"], "algorithm": "RS384", "kid": "ec"}, {"key": "k" * 64, "algorithm": "HS384"},
        {"key": "", "algorithm": "none"}, {"key": ec.generate_private_key(ec.SECP256R1()), "algorithm": "ES256"},
    ],
)  # fmt: skip
def test_an_assertion_that_is_not_right_brings_nothing(url, wrong):
    reply = ask(url, assertion(url, **wrong))
    assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")


def test_a_public_key_used_as_a_secret_opens_nothing(url):
    pem = (
        KEYS["rsa"]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    signed = assertion(url, "rsa", key="x" * 64, algorithm="HS384")
    head, body, _ = signed.split(".")
    forged = hmac.new(pem, f"{head}.{body}".encode(), hashlib.sha384).digest()
    signature = base64.urlsafe_b64encode(forged).rstrip(b"=").decode()
    assert ask(url, f"{head}.{body}.{signature}").status_code == 401


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_assertion_type": "other"}, "invalid_client"),
        ({"client_assertion": "nonsense"}, "invalid_client"),
        ({"scope": "system/Patient.rs"}, "invalid_scope"),
        ({"scope": "system/*.cruds"}, "invalid_scope"),
        ({"scope": "system/Device.uc"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
    ],
)
def test_a_request_for_a_token_that_is_not_right_is_told_why(url, changes, error):
    reply = ask(url, assertion(url), **changes)
    assert (reply.status_code >= 400, reply.json()["error"]) == (True, error)


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic x"}])
def test_without_a_token_nothing_is_read_or_written(url, header):
    for reply in (
        CLIENT.get(f"{url}/Device", headers=header),
        CLIENT.post(f"{url}/Device", json=DEVICE, headers=header),
        CLIENT.post(url, json={"resourceType": "Bundle", "type": "batch"}, headers=header),
        CLIENT.post(f"{url}/Device/_search", headers=header),
    ):
        assert (reply.status_code, reply.json()["resourceType"]) == (401, "OperationOutcome")
        assert reply.headers["www-authenticate"].startswith("Bearer")


def test_the_statement_is_open_and_says_that_a_token_is_needed(url):
    told = CLIENT.get(f"{url}/metadata").json()
    assert told["rest"][0]["security"]["service"][0]["coding"][0]["code"] == "SMART-on-FHIR"
    assert errors(told) == []


def test_a_token_ends(url):
    with run_sandbox(clients=CLIENTS, token_seconds=0.0) as short:
        headers = bearer(short)
        reply = CLIENT.get(f"{short}/Device", headers=headers)
    assert (reply.status_code, "invalid_token" in reply.headers["www-authenticate"]) == (401, True)


def test_scopes_are_enforced_for_every_interaction(url):
    headers = bearer(url)
    created = CLIENT.post(f"{url}/Device", json=DEVICE, headers=headers)
    at = f"{url}/Device/{created.json()['id']}"

    def status(method, address, **more):
        return CLIENT.request(method, address, headers=headers, **more).status_code

    assert [status("GET", at), status("GET", f"{at}/_history"), status("PUT", at, json=created.json())] == [200] * 3
    refused = [status("GET", f"{url}/Device"), status("DELETE", at), status("GET", f"{url}/_history"),
               status("GET", f"{url}/Device/_history"), status("POST", f"{url}/Device/_search"),
               status("GET", f"{url}/DetectedIssue/1"), status("POST", f"{url}/Patient", json={}),
               status("DELETE", f"{url}/Device?identifier=urn:x|1")]  # fmt: skip
    assert refused == [403] * len(refused)


def test_scopes_are_enforced_for_every_entry(url):
    headers = bearer(url, "system/Device.c")
    entries = [
        {"fullUrl": "urn:uuid:1", "resource": DEVICE, "request": {"method": "POST", "url": "Device"}},
        {"request": {"method": "GET", "url": "Device/1"}},
    ]
    for kind, expected in (("batch", 200), ("transaction", 403)):
        reply = CLIENT.post(url, json={"resourceType": "Bundle", "type": kind, "entry": entries}, headers=headers)
        assert reply.status_code == expected
        if kind == "batch":
            assert [e["response"]["status"][:3] for e in reply.json()["entry"]] == ["201", "403"]


def certificate(name, issuer=None, issuer_key=None):
    """A certificate and its key; of its own authority when no other is given."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    )
    return builder.sign(issuer_key or key, hashes.SHA256()), key


def write(folder, name, made, key):
    pem = serialization.Encoding.PEM
    (folder / f"{name}.pem").write_bytes(made.public_bytes(pem))
    plain = serialization.NoEncryption()
    (folder / f"{name}.key").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return folder / f"{name}.pem", folder / f"{name}.key"


def test_only_clients_with_a_certificate_may_connect(tmp_path):
    authority, authority_key = certificate("authority")
    ca, _ = write(tmp_path, "ca", authority, authority_key)
    server = write(tmp_path, "server", *certificate("server", authority, authority_key))
    known = write(tmp_path, "client", *certificate("client", authority, authority_key))
    stranger = write(tmp_path, "stranger", *certificate("stranger"))

    def status(url, *own):
        context = ssl.create_default_context(cafile=str(ca))
        if own:
            context.load_cert_chain(*map(str, own))
        with httpx.Client(verify=context, trust_env=False) as client:
            return client.get(f"{url}/metadata").status_code

    with run_sandbox(tls=Tls(*server, client_ca=ca)) as url:
        assert url.startswith("https://127.0.0.1:")
        assert status(url, *known) == 200
        for own in ((), stranger):
            with pytest.raises(httpx.HTTPError):
                status(url, *own)
    with run_sandbox(tls=Tls(*server)) as url:
        assert status(url) == 200
