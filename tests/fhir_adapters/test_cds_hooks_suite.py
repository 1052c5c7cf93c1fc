"""The suite passes a right service, and each flaw is caught by the check that is about it, and by no other."""

import json

import pytest
import typer
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fhir_adapters.cds_hooks.messages import check_request
from fhir_adapters.cds_hooks.suite import Signer, run_suite
from fhir_adapters.cds_hooks.suite.requests import invented
from fhir_adapters.cds_hooks.suite.run import SERVER_CHECKS, SERVICE_CHECKS
from passerelle.cli.cds_hooks import register
from passerelle.errors import SourceUnreachable, UsageError
from tests.fhir_adapters.cds_hooks_helpers import ISSUER, KID, ORIGIN, Flaw, World, entry, running

HOOKS = ("order-sign", "order-select", "patient-view")


def in_card(change):
    """An answer whose second card, the one with a suggestion, is changed."""

    def answer(body):
        change(body["cards"][1])
        return body

    return answer


def members(**changes):
    return in_card(lambda card: card.update(changes))


def in_suggestion(**changes):
    return in_card(lambda card: card["suggestions"][0].update(changes))


def without(name):
    return in_card(lambda card: card.pop(name))


def in_service(**changes):
    return lambda body: {"services": [service | changes for service in body["services"]]}


WRONG_CARDS = {"valid-request"}
CREATE = [{"type": "create", "description": "x", "resource": {"resourceType": "MedicationRequest", "status": "now"}}]

FLAWS = {
    # discovery
    "discovery is text": (Flaw(discovery=lambda body: b"services"), {"discovery", "discovery-message"}),
    "discovery without id": (
        Flaw(discovery=lambda body: {"services": [{"hook": "order-sign", "description": "x"}]}), {"discovery-message"}),
    "service without description": (Flaw(discovery=in_service(description="")), {"discovery-message"}),
    "token that the hook does not have": (
        Flaw(discovery=in_service(prefetch={"patient": "Patient/{{context.medication.id}}"}), needs=()),
        {"discovery-message"}),
    "unknown service is answered": (Flaw(unknown=200), {"unknown-service"}),
    "origin is not let in": (Flaw(allows_origin="https://other.example"), {"cors-preflight"}),
    "tokens are not let through": (Flaw(allows_headers="content-type"), {"cors-preflight"}),
    "anybody gets credentials": (Flaw(allows_origin="echo", allows_credentials=True), {"cors-credentials"}),
    # answers
    "content type is text": (Flaw(content_type="text/plain"), {"discovery", "discovery-message", "valid-request"}),
    "summary of 140 characters": (Flaw(answer=members(summary="x" * 140)), WRONG_CARDS),
    "unknown indicator": (Flaw(answer=members(indicator="hard-stop")), WRONG_CARDS),
    "no source": (Flaw(answer=without("source")), WRONG_CARDS),
    "source without label": (Flaw(answer=members(source={"url": "https://x.example"})), WRONG_CARDS),
    "empty list of links": (Flaw(answer=members(links=[])), WRONG_CARDS),
    "null detail": (Flaw(answer=members(detail=None)), WRONG_CARDS),
    "suggestions without selectionBehavior": (Flaw(answer=without("selectionBehavior")), WRONG_CARDS),
    "two recommended of at most one": (
        Flaw(answer=members(suggestions=[{"label": name, "isRecommended": True} for name in "ab"])),
        WRONG_CARDS),
    "action without description": (
        Flaw(answer=in_suggestion(actions=[{"type": "delete", "resourceId": "MedicationRequest/1"}])), WRONG_CARDS),
    "action with a broken resource": (Flaw(answer=in_suggestion(actions=CREATE)), WRONG_CARDS),
    "unknown action selection": (Flaw(answer=in_suggestion(actionSelectionBehavior="some")), WRONG_CARDS),
    "reason without display": (
        Flaw(answer=members(overrideReasons=[{"code": "a", "system": "https://x.example"}])), WRONG_CARDS),
    "appContext on an absolute link": (
        Flaw(answer=members(links=[{"label": "a", "url": "https://x.example", "type": "absolute", "appContext": "b"}])),
        WRONG_CARDS),
    "link that runs": (
        Flaw(answer=members(links=[{"label": "a", "url": "javascript:alert(1)", "type": "absolute"}])), WRONG_CARDS),
    "empty system actions": (Flaw(answer=lambda body: body | {"systemActions": []}), WRONG_CARDS),
    "no cards at all": (Flaw(answer=lambda body: {}), WRONG_CARDS),
    # calls
    "an instance only once": (Flaw(instances=True), {"same-instance-twice"}),
    "extensions are refused": (Flaw(extensions=False), {"extensions"}),
    "missing data is 400": (Flaw(missing=400), {"no-prefetch", "prefetch-errors"}),
    "missing data is 500": (Flaw(missing=500), {"no-prefetch", "prefetch-errors"}),
    "null data is 500": (Flaw(null_is_missing=500), {"null-prefetch"}),
    # broken requests
    "nonsense is answered": (
        Flaw(parses=("nonsense",)), {"refuses-not-json", "refuses-not-utf-8", "refuses-empty-body"}),
    "depth breaks it": (Flaw(breaks_down=("deep",)), {"refuses-deep-body"}),
    "text is read as JSON": (Flaw(parses=("text",)), {"refuses-text"}),
    "PUT is answered": (Flaw(parses=("put",)), {"refuses-put"}),
    "any hook will do": (Flaw(forgives=("http-request_1:hook",)), {"refuses-wrong-hook"}),
    "required members are not": (
        Flaw(forgives=("http-request_1:required",)),
        {"refuses-no-hook", "refuses-no-hook-instance", "refuses-no-context"}),
    "required context is not": (
        Flaw(forgives=("order-select:required", "order-select:selections")),
        {"refuses-no-patient", "refuses-no-user", "refuses-no-draft-orders", "refuses-no-selections",
         "refuses-selections"}),
    "types are not looked at": (
        Flaw(forgives=("http-request_1:type",), needs=()),
        {"refuses-array-body", "refuses-hook-instance", "refuses-context-type", "refuses-prefetch-type"}),
    "null is taken": (Flaw(forgives=("use-of-json:null",)), {"refuses-null-member"}),
    "empty is taken": (Flaw(forgives=("use-of-json:empty", "order-select:patient")), {"refuses-empty-member"}),
    "user without type": (Flaw(forgives=("order-select:user",)), {"refuses-user-type"}),
    "drafts in no bundle": (Flaw(forgives=("order-select:bundle",)), {"refuses-draft-orders"}),
    "drafts in no bundle break it": (Flaw(breaks_down=("order-select:bundle",)), {"refuses-draft-orders"}),
    "authorization alone": (Flaw(forgives=("cds-r-1",)), {"refuses-authorization-alone"}),
    # feedback
    "feedback breaks it": (
        Flaw(feedback=500), {f"feedback-{what}" for what in ("overridden", "reason", "accepted", "repeated")}),
    "feedback only once": (Flaw(feedback_once=True), {"feedback-repeated"}),
    "feedback to nobody": (Flaw(feedback_unknown=200), {"feedback-unknown-service"}),
    "any outcome": (Flaw(feedback_forgives=("cds-fb-1",)), {"feedback-refuses-outcome"}),
    "accepted nothing": (Flaw(feedback_forgives=("cds-fb-2",)), {"feedback-refuses-accepted-nothing"}),
    "reason of nothing": (Flaw(feedback_forgives=("cds-fb-3",)), {"feedback-refuses-reason-empty"}),
    "time without zone": (Flaw(feedback_forgives=("feedback:type",)), {"feedback-refuses-time"}),
    "entries without members": (
        Flaw(feedback_forgives=("feedback:required", "feedback:unknown")),
        {"feedback-refuses-entry-alone", "feedback-refuses-no-card", "feedback-refuses-no-time"}),
    "no entry": (Flaw(feedback_forgives=("use-of-json:empty",)), {"feedback-refuses-no-entry"}),
}  # fmt: skip

FORGOTTEN = {
    "none": {"token-none", "token-feedback"},
    "one audience": {"token-accepted"},
    "nonsense": {"token-nonsense"},
    "expired": {"token-expired"},
    "exp": {"token-no-expiry"},
    "jti": {"token-no-nonce"},
    "replay": {"token-replayed"},
    "aud": {"token-audience", "token-no-audience"},
    "iss": {"token-issuer"},
    "unsigned": {"token-unsigned"},
    "symmetric": {"token-symmetric"},
    "kid": {"token-unknown-key"},
    "signature": {"token-forged", "token-unsigned", "token-symmetric"},
    "jku": {"token-foreign-keys", "token-unknown-key"},
    "visits": {"token-foreign-keys"},
    "feedback": {"token-feedback"},
}

RIGHT = {"right": Flaw(hooks=HOOKS), "without feedback": Flaw(has_feedback=False), "locked": Flaw(locked=True),
         "open discovery": Flaw(locked=True, trusts=("discovery",)),
         "no cards": Flaw(answer=lambda body: {"cards": []}), "needs nothing": Flaw(needs=()),
         "limited": Flaw(limited=3), "appointments": Flaw(hooks=("appointment-book",))}  # fmt: skip
LOCKED = {f"forgets {name}": Flaw(locked=True, trusts=(name,)) for name in FORGOTTEN}


@pytest.fixture(scope="module")
def signer():
    return Signer(ec.generate_private_key(ec.SECP384R1()), "ES384", ISSUER, KID)


@pytest.fixture(scope="module")
def world(signer):
    flaws = RIGHT | {name.replace(" ", "-"): flaw for name, (flaw, _) in FLAWS.items()} | LOCKED
    made = World({name.replace(" ", "-"): flaw for name, flaw in flaws.items()}, signer)
    with running(made.app()) as url:
        yield url


def failed(report):
    return {verdict.check for verdict in report.verdicts if verdict.status == "fail"}


def by_check(report):
    return {verdict.check: verdict for verdict in report.verdicts}


def test_a_right_service_passes_every_check(world):
    report = run_suite(f"{world}/right", origin=ORIGIN)
    assert failed(report) == set()
    assert {v.check for v in report.verdicts} == {c.id for c in (*SERVER_CHECKS, *SERVICE_CHECKS)}
    skipped = {(v.check, v.service) for v in report.verdicts if v.status == "skipped" and "token" not in v.check}
    assert {check for check, service in skipped if "order-select" in service} == set()
    assert {service.split()[1] for _, service in skipped} == {"(order-sign)", "(patient-view)"}


@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
def test_a_locked_service_lets_the_client_in_and_nobody_else(signer, algorithm):
    if algorithm == "RS384":
        signer = Signer(rsa.generate_private_key(public_exponent=65537, key_size=2048), algorithm, ISSUER, KID)
    with running(World(RIGHT, signer).app()) as url:
        report = run_suite(f"{url}/locked", signer=signer, origin=ORIGIN)
    assert failed(report) == set()
    assert {v.check for v in report.verdicts if v.status == "skipped"} == set()


@pytest.mark.parametrize("name", FLAWS)
def test_a_flaw_is_caught_by_the_check_that_is_about_it(world, name):
    report = run_suite(f"{world}/{name.replace(' ', '-')}", origin=ORIGIN)
    assert failed(report) == FLAWS[name][1]


@pytest.mark.parametrize("name", FORGOTTEN)
def test_a_token_that_is_let_in_wrongly_is_caught(world, signer, name):
    report = run_suite(f"{world}/forgets-{name.replace(' ', '-')}", signer=signer, origin=ORIGIN)
    assert failed(report) == FORGOTTEN[name]


def test_every_check_has_a_flaw_that_it_catches():
    caught = {check for _, checks in FLAWS.values() for check in checks} | set().union(*FORGOTTEN.values())
    never = {c.id for c in (*SERVER_CHECKS, *SERVICE_CHECKS)} - caught
    assert never == set()
    assert len(FLAWS) + len(FORGOTTEN) >= 25


def test_every_check_names_the_text_that_it_rests_on():
    for check in (*SERVER_CHECKS, *SERVICE_CHECKS):
        assert check.source.startswith(("CDS Hooks 2.0, https://", "HL7 logical model", "hook order-"))
        assert check.asks


def test_without_a_key_a_locked_service_is_told_apart_from_a_wrong_one(world):
    report = run_suite(f"{world}/locked")
    assert "(see --token-key)" in by_check(report)["discovery"].sentence
    report = run_suite(f"{world}/open-discovery", origin=ORIGIN)
    assert "(see --token-key)" in by_check(report)["valid-request"].sentence
    assert by_check(report)["token-none"].status == "skipped"
    assert "was not judged" in by_check(report)["refuses-no-hook"].sentence


@pytest.mark.parametrize(
    ("name", "why"), [("without-feedback", "has no feedback endpoint"), ("no-cards", "no card with a uuid")]
)
def test_feedback_is_judged_only_where_there_is_some(world, name, why):
    report = run_suite(f"{world}/{name}", origin=ORIGIN)
    assert report.ok
    about = [v for v in report.verdicts if v.check == "feedback-overridden"]
    assert [v.status for v in about] == ["skipped"]
    assert why in about[0].sentence


def test_a_service_that_can_do_without_prefetch_is_right(world):
    report = run_suite(f"{world}/needs-nothing", origin=ORIGIN)
    assert report.ok
    assert by_check(report)["no-prefetch"].sentence == "200: it can do without"


def test_a_rate_limit_is_waited_for_and_is_no_fault(world):
    report = run_suite(f"{world}/limited", origin=ORIGIN)
    assert report.ok


def test_a_callers_own_requests_take_the_place_of_the_built_in_ones(world):
    own = invented(entry("order-sign")) | {"hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"}
    report = run_suite(f"{world}/right", requests=[own, own], hooks=["order-sign"], origin=ORIGIN)
    assert report.ok
    assert {v.service for v in report.verdicts} == {"", "prescription-review (order-sign)"}
    assert by_check(report)["valid-request"].sentence.startswith("200, 4 cards")


def test_a_broken_request_of_the_caller_is_refused_before_any_call():
    with pytest.raises(UsageError, match="hookInstance: the member must be there"):
        run_suite("http://127.0.0.1:1", requests=[{"hook": "unknown", "context": {"a": 1}}])


def test_a_hook_that_nobody_offers_is_said_with_those_that_are(world):
    with pytest.raises(UsageError, match="no service for the hook appointment-book") as refused:
        run_suite(f"{world}/right", hooks=["appointment-book"])
    assert "order-sign" in refused.value.looked


def test_an_unknown_hook_is_skipped_and_not_failed(world):
    report = run_suite(f"{world}/appointments", origin=ORIGIN)
    assert report.ok
    assert "give one with --request" in by_check(report)["valid-request"].sentence


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "127.0.0.1:1", "http://[", ""])
def test_an_address_where_nothing_answers_is_said(url):
    with pytest.raises(SourceUnreachable, match="nothing answers"):
        run_suite(url)


@pytest.mark.parametrize("hook", HOOKS)
def test_the_built_in_requests_keep_every_rule(hook):
    service = entry(hook)
    request = invented(service) | {"hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"}
    assert check_request(request, service) == []
    assert request["prefetch"]["creatinine"]["total"] == 1
    assert request["prefetch"]["orders"]["total"] == 3


def test_the_command_shows_each_check_and_fails_when_one_does(world, command):
    code, out = command("check", f"{world}/right/cds-services", "--origin", ORIGIN)
    assert code == 0
    assert out.splitlines()[-1].endswith("skipped")
    code, out = command("check", f"{world}/no-source", "--origin", ORIGIN)
    assert code == 1
    assert "source: the member must be there" in out
    assert "by:    CDS Hooks 2.0, https://cds-hooks.hl7.org/2.0/#http-response" in out


def test_the_command_speaks_json_and_never_shows_a_token(world, command, signer, tmp_path):
    key = tmp_path / "key.pem"
    key.write_bytes(signer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    code, out = command("check", f"{world}/locked", "--token-key", str(key), "--issuer", ISSUER, "--kid", KID,
                        "--origin", ORIGIN, "--json")  # fmt: skip
    found = json.loads(out)
    assert (code, found["ok"], found["fail"], found["skipped"]) == (0, True, 0, 0)
    assert set(found["checks"][0]) == {"check", "source", "asks", "service", "status", "sentence"}
    assert "eyJ" not in out
    assert "PRIVATE" not in out


@pytest.mark.parametrize(
    ("given", "words"),
    [(("--kid", "1"), "an issuer and a key id"), (("--issuer", "x", "--kid", "1"), "the key is not one for ES384")],
)
def test_a_key_that_cannot_sign_is_refused(world, command, tmp_path, given, words):
    key = tmp_path / "key.pem"
    other = ec.generate_private_key(ec.SECP256R1())
    key.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(UsageError, match=words):
        command("check", f"{world}/locked", "--token-key", str(key), *given)


def test_a_request_that_is_no_json_is_refused(world, command, tmp_path):
    path = tmp_path / "request.json"
    path.write_text("{")
    with pytest.raises(UsageError, match="no JSON"):
        command("check", f"{world}/right", "--request", str(path))
    path.write_text(json.dumps([1]))
    with pytest.raises(UsageError, match="an object is expected"):
        command("check", f"{world}/right", "--request", str(path))


@pytest.fixture
def command(capsys):
    """Run the command as it is registered; gives its exit code and what it printed."""
    app = typer.Typer()
    register(app)

    def run(*arguments):
        result = typer.main.get_command(app).main(["cds-hooks", *arguments], standalone_mode=False)
        return result or 0, capsys.readouterr().out

    return run
