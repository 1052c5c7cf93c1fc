"""The rules of each message: every broken one is caught by its rule, every right one raises no alarm."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapters.cds_hooks.messages import (
    check_discovery,
    check_feedback,
    check_request,
    check_response,
    errors,
    has_prefetch,
    source_of,
    unsatisfied,
)
from fhir_adapters.cds_hooks.messages.shapes import SHAPES
from fhir_adapters.cds_hooks.messages.sources import INVARIANTS
from fhir_adapters.cds_hooks.messages.values import KINDS
from fhir_adapters.cds_hooks.suite.requests import invented

UUID = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
SERVICE = {
    "hook": "order-select", "id": "prescription-review", "title": "Revue", "description": "Relit une ordonnance.",
    "prefetch": {"patient": "Patient/{{context.patientId}}", "user": "{{context.userId}}",
                 "labs": "Observation?patient={{context.patientId}}&code=14682-9&_count=5",
                 "role": "PractitionerRole?_id={{userPractitionerRoleId}}"},
    "usageRequirements": "R4", "extension": {"com.example": None},
}  # fmt: skip
DISCOVERY = {"services": [SERVICE, SERVICE | {"hook": "order-sign"}]}
REQUEST = invented(SERVICE) | {
    "hookInstance": UUID,
    "fhirServer": "https://dpi.example/fhir",
    "fhirAuthorization": {"access_token": "opaque", "token_type": "Bearer", "expires_in": 300, "subject": "cds",
                          "scope": "patient/Patient.read", "patient": "exemple-patiente"},
    "extension": {"com.example.ward": [None]},
}  # fmt: skip
SIGN = {name: value for name, value in REQUEST.items() if name != "context"} | {
    "hook": "order-sign",
    "context": {name: value for name, value in REQUEST["context"].items() if name != "selections"},
}
ORDER = REQUEST["context"]["draftOrders"]["entry"][0]["resource"]
CODING = {"code": "a", "system": "https://x.example/reasons", "display": "Raison"}
RESPONSE = {
    "cards": [
        {
            "uuid": UUID, "summary": "Interaction", "detail": "**texte**", "indicator": "critical",
            "source": {"label": "Thésaurus", "url": "https://x.example", "icon": "https://x.example/i.png",
                       "topic": {"code": "DRG", "system": "https://x.example/topics"}},
            "suggestions": [
                {"label": "Retirer", "uuid": UUID.replace("d", "e"), "isRecommended": True,
                 "actionSelectionBehavior": "all",
                 "actions": [{"type": "delete", "description": "Retirer", "resourceId": "MedicationRequest/1"},
                             {"type": "update", "description": "Réduire", "resource": ORDER | {
                                 "text": {"status": "generated",
                                          "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}}}]},
                {"label": "Surveiller"},
            ],
            "selectionBehavior": "at-most-one", "overrideReasons": [CODING],
            "links": [{"label": "a", "url": "https://x.example/a", "type": "absolute", "autolaunchable": False},
                      {"label": "b", "url": "https://x.example/launch", "type": "smart", "appContext": "{}"}],
            "extension": {"com.example.score": 85.3},
        },
        {"summary": "x" * 139, "indicator": "info", "source": {"label": "x"}},
    ],
    "systemActions": [{"type": "delete", "description": "x", "resourceId": "Task/1"}],
}  # fmt: skip
FEEDBACK = {
    "feedback": [
        {"card": UUID, "outcome": "accepted", "acceptedSuggestions": [{"id": UUID}],
         "outcomeTimestamp": "2025-03-05T10:05:31Z"},
        {"card": UUID, "outcome": "overridden", "outcomeTimestamp": "2025-03-05T10:05:31.52Z"},
        {"card": UUID, "outcome": "overridden", "outcomeTimestamp": "2025-03-05T10:05:31+00:00",
         "overrideReason": {"reason": CODING, "userComment": "Vu."}},
    ]
}  # fmt: skip
CHECKS = {
    "discovery": (check_discovery, DISCOVERY),
    "request": (lambda body: check_request(body, SERVICE), REQUEST),
    "order-sign": (check_request, SIGN),
    "response": (check_response, RESPONSE),
    "feedback": (check_feedback, FEEDBACK),
}
GONE = object()

# (message, path, value, rule): the value at the path of the right message, and the rule that it breaks.
BROKEN = [
    # discovery
    ("discovery", "services", GONE, "response:required"),
    ("discovery", "services", {}, "use-of-json:empty"),
    ("discovery", "services", "x", "response:type"),
    ("discovery", "services.0.hook", GONE, "response:required"),
    ("discovery", "services.0.id", GONE, "response:required"),
    ("discovery", "services.0.description", GONE, "response:required"),
    ("discovery", "services.0.description", " ", "use-of-json:empty"),
    ("discovery", "services.0.usageRequirements", None, "use-of-json:null"),
    ("discovery", "services.0.id", "a/b", "response:id"),
    ("discovery", "services.1.hook", "order-select", "response:repeated"),
    ("discovery", "services.0.prefetch", {}, "use-of-json:empty"),
    ("discovery", "services.0.prefetch", ["Patient"], "response:type"),
    ("discovery", "services.0.prefetch.patient", 12, "prefetch-template:type"),
    ("discovery", "services.0.prefetch.patient", None, "use-of-json:null"),
    ("discovery", "services.0.prefetch.patient", "", "use-of-json:empty"),
    ("discovery", "services.0.prefetch.patient", "Patient/{{context.patient.id}}", "prefetch-tokens:token"),
    ("discovery", "services.0.prefetch.patient", "Patient/{{context.draftOrders}}", "prefetch-tokens:token"),
    ("discovery", "services.0.prefetch.patient", "Patient/{{Patient.id}}", "prefetch-tokens:token"),
    ("discovery", "services.0.prefetch.patient", "Patient/{{context.patientId", "prefetch-tokens:token"),
    ("discovery", "services.0.prefetch.patient", "https://x.example/Patient/1", "prefetch-template:query"),
    ("discovery", "services.0.extension", None, "extensions:type"),
    # request
    ("request", "hook", GONE, "http-request_1:required"),
    ("request", "hook", "order-sign", "http-request_1:hook"),
    ("request", "hook", 5, "http-request_1:type"),
    ("request", "hookInstance", GONE, "http-request_1:required"),
    ("request", "hookInstance", f"urn:uuid:{UUID}", "http-request_1:type"),
    ("request", "hookInstance", None, "use-of-json:null"),
    ("request", "context", GONE, "http-request_1:required"),
    ("request", "context", {}, "use-of-json:empty"),
    ("request", "context", "Patient/1", "http-request_1:type"),
    ("request", "fhirServer", GONE, "cds-r-1"),
    ("request", "fhirServer", "dpi.example/fhir", "http-request_1:type"),
    ("request", "fhirAuthorization.access_token", GONE, "passing-the-access-token-to-the-cds-service:required"),
    ("request", "fhirAuthorization.token_type", "bearer", "passing-the-access-token-to-the-cds-service:code"),
    ("request", "fhirAuthorization.expires_in", "300", "passing-the-access-token-to-the-cds-service:type"),
    ("request", "context.userId", GONE, "order-select:required"),
    ("request", "context.userId", "12", "order-select:user"),
    ("request", "context.patientId", GONE, "order-select:required"),
    ("request", "context.patientId", "Patient/exemple-patiente", "order-select:type"),
    ("request", "context.patientId", "another", "order-select:patient"),
    ("request", "context.encounterId", None, "use-of-json:null"),
    ("request", "context.encounterId", "", "use-of-json:empty"),
    ("request", "context.selections", GONE, "order-select:required"),
    ("request", "context.selections", [], "use-of-json:empty"),
    ("request", "context.selections", ["exemple-dabigatran"], "ord-1"),
    ("request", "context.selections", ["MedicationRequest/no-such"], "order-select:selections"),
    ("request", "context.selections", [5], "order-select:type"),
    ("request", "context.selections", [None], "use-of-json:null"),
    ("request", "context.draftOrders", GONE, "order-select:required"),
    ("request", "context.draftOrders", {"resourceType": "Patient"}, "order-select:bundle"),
    ("request", "context.draftOrders", [ORDER], "order-select:type"),
    ("request", "context.draftOrders.entry.0.resource", {"resourceType": "Order"}, "order-select:resource"),
    ("request", "prefetch", {}, "use-of-json:empty"),
    ("request", "prefetch", None, "use-of-json:null"),
    ("request", "prefetch.patient", "123", "prefetch-template:resource"),
    ("request", "prefetch.patient", {}, "prefetch-template:resource"),
    ("request", "extension", "x", "extensions:type"),
    ("order-sign", "context.draftOrders", GONE, "order-sign:required"),
    ("order-sign", "context.draftOrders.entry.0.resource.subject.reference", "Patient/2", "order-sign:patient"),
    # response
    ("response", "cards", GONE, "http-response:required"),
    ("response", "cards", None, "use-of-json:null"),
    ("response", "cards.0", None, "use-of-json:null"),
    ("response", "systemActions", [], "use-of-json:empty"),
    ("response", "systemActions.0.type", "patch", "system-action:code"),
    ("response", "cards.0.summary", GONE, "card-attributes:required"),
    ("response", "cards.0.summary", "x" * 140, "card-attributes:summary"),
    ("response", "cards.0.detail", "", "use-of-json:empty"),
    ("response", "cards.0.indicator", GONE, "card-attributes:required"),
    ("response", "cards.0.indicator", "hard-stop", "card-attributes:code"),
    ("response", "cards.0.source", GONE, "card-attributes:required"),
    ("response", "cards.0.source.label", GONE, "source:required"),
    ("response", "cards.0.source.url", "thesaurus", "source:type"),
    ("response", "cards.0.source.icon", "data:image/png;base64,AA", "source:type"),
    ("response", "cards.0.source.topic.system", GONE, "coding:required"),
    ("response", "cards.0.selectionBehavior", GONE, "cds-resp-6"),
    ("response", "cards.0.selectionBehavior", "all", "card-attributes:code"),
    ("response", "cards.0.suggestions.1.isRecommended", True, "cds-resp-1"),
    ("response", "cards.0.suggestions.0.isRecommended", "true", "suggestion:type"),
    ("response", "cards.0.suggestions.0.label", GONE, "suggestion:required"),
    ("response", "cards.0.suggestions.0.uuid", UUID, "card-attributes:repeated"),
    ("response", "cards.0.suggestions.0.actions", [], "use-of-json:empty"),
    ("response", "cards.0.suggestions.0.actionSelectionBehavior", "some", "cds-resp-7"),
    ("response", "cards.0.suggestions.0.actions.0.description", GONE, "cds-resp-5"),
    ("response", "cards.0.suggestions.0.actions.0.resourceId", "https://x.example/Task/1", "action:resourceId"),
    ("response", "cards.0.suggestions.0.actions.1.resource", GONE, "action:resource"),
    ("response", "cards.0.suggestions.0.actions.1.resource.status", "now", "r4:binding"),
    ("response", "cards.0.overrideReasons.0.display", GONE, "cds-resp-4"),
    ("response", "cards.0.overrideReasons.0.system", GONE, "coding:required"),
    ("response", "cards.0.links.0.appContext", "x", "cds-resp-3"),
    ("response", "cards.0.links.0.type", "relative", "link:code"),
    ("response", "cards.0.links.0.url", "javascript:alert(1)", "link:type"),
    ("response", "cards.0.links.0.url", "https://", "link:type"),
    ("response", "cards.0.links.0.url", "https://[", "link:type"),
    # feedback
    ("feedback", "feedback", GONE, "feedback:required"),
    ("feedback", "feedback", [], "use-of-json:empty"),
    ("feedback", "feedback.0.card", GONE, "feedback:required"),
    ("feedback", "feedback.0.outcome", GONE, "feedback:required"),
    ("feedback", "feedback.0.outcome", "ignored", "cds-fb-1"),
    ("feedback", "feedback.0.acceptedSuggestions", GONE, "cds-fb-2"),
    ("feedback", "feedback.0.acceptedSuggestions.0", {"extension": {}}, "suggestion-accepted:required"),
    ("feedback", "feedback.2.overrideReason", {"extension": {"a": 1}}, "cds-fb-3"),
    ("feedback", "feedback.2.overrideReason", {}, "use-of-json:empty"),
    ("feedback", "feedback.2.overrideReason.reason.code", GONE, "coding:required"),
    ("feedback", "feedback.1.outcomeTimestamp", GONE, "feedback:required"),
    ("feedback", "feedback.1.outcomeTimestamp", "2025-03-05", "feedback:type"),
]
WARNED = [
    ("discovery", "services.0.title", GONE, "response:title"),
    ("discovery", "services.0.prefetchs", "x", "response:unknown"),
    ("request", "fhirServer", "http://dpi.example/fhir", "http-request_1:https"),
    ("request", "fhirAuthorization.patient", GONE, "cds-r-2"),
    ("request", "context.userId", "Device/1", "order-select:user"),
    ("request", "prefetch.other", None, "prefetch-template:key"),
    ("request", "context.draftOrders.type", GONE, "r4:required"),
    ("request", "prefetch.patient.gender", "f", "r4:binding"),
    ("response", "cards.0.uuid", "card-1", "card-attributes:uuid"),
    ("response", "cards.0.detail", "<script>alert(1)</script>", "security-and-safety:active"),
    ("response", "cards.0.detail", "[a](javascript:alert)", "security-and-safety:active"),
    ("response", "cards.0.selectionBehaviour", "any", "card-attributes:unknown"),
    ("response", "cards.0.suggestions.0.actions.0.resourceId", GONE, "cds-resp-2"),
    ("response", "systemActions.0.description", GONE, "system-action:description"),
    ("feedback", "feedback.0.overrideReason", {"userComment": "x"}, "feedback:outcome"),
    ("feedback", "feedback.1.acceptedSuggestions", [{"id": "x"}], "feedback:outcome"),
    ("feedback", "feedback.1.outcomeTimestamp", "2025-03-05T10:05:31+01:00", "feedback:utc"),
]


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def changed(message, path, value):
    """The right message with another value at a path."""
    body = copy.deepcopy(message)
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    inner = body
    for part in way:
        inner = inner[part]
    if value is GONE:
        del inner[last]
    else:
        inner[last] = value
    return body


@pytest.mark.parametrize("name", CHECKS)
def test_a_right_message_raises_no_alarm(name):
    check, message = CHECKS[name]
    assert check(message) == []


@pytest.mark.parametrize(("name", "path", "value", "rule"), BROKEN)
def test_a_broken_message_is_caught_by_its_rule(name, path, value, rule):
    check, message = CHECKS[name]
    assert rule in {problem.rule for problem in errors(check(changed(message, path, value)))}


@pytest.mark.parametrize(("name", "path", "value", "rule"), WARNED)
def test_what_the_text_only_recommends_is_a_warning(name, path, value, rule):
    check, message = CHECKS[name]
    found = check(changed(message, path, value))
    assert {(problem.rule, problem.severity) for problem in found} == {(rule, "warning")}


def test_all_twelve_invariants_of_hl7_are_tested():
    tested = {rule for *_, rule in (*BROKEN, *WARNED)}
    assert {rule for rule in INVARIANTS if rule.startswith("cds-")} <= tested
    assert len([rule for rule in INVARIANTS if rule.startswith("cds-")]) == 12


@pytest.mark.parametrize("rule", sorted({rule for *_, rule in (*BROKEN, *WARNED)}))
def test_every_rule_names_its_source(rule):
    assert source_of(rule).startswith(("CDS Hooks 2.0, https://", "HL7 logical model ", "hook ", "FHIR R4, "))


def test_no_guidance_and_no_service_are_said_by_an_empty_array():
    assert check_response({"cards": []}) == []
    assert check_discovery({"services": []}) == []


def test_a_body_that_is_no_object_is_told():
    for check, _ in CHECKS.values():
        for body in ([], None, "x", 5):
            assert [problem.path for problem in check(body)] == ["body"]


def test_the_published_example_of_order_sign_is_taken_with_warnings():
    """HL7's own draftOrders have no Bundle.type and no fullUrl, which R4 requires."""
    published = copy.deepcopy(SIGN)
    del published["context"]["draftOrders"]["type"]
    del published["context"]["draftOrders"]["entry"][0]["fullUrl"]
    found = check_request(published)
    assert {problem.severity for problem in found} == {"warning"}
    assert check_request(published, resources=False) == []


def test_an_order_of_the_same_patient_is_recognised_in_every_form():
    for reference in ("Patient/exemple-patiente/_history/2", "https://dpi.example/fhir/Patient/exemple-patiente", "#p"):
        body = changed(SIGN, "context.draftOrders.entry.0.resource.subject.reference", reference)
        assert errors(check_request(body)) == []


def test_a_prefetch_key_is_satisfied_by_data_or_by_null_and_not_by_an_error():
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
    failed = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": outcome}]}
    request = {"prefetch": {"patient": None, "user": outcome, "labs": failed}}
    assert has_prefetch(request, "patient")
    assert unsatisfied(request, SERVICE) == ["user", "labs", "role"]
    assert unsatisfied({}, {"hook": "x"}) == []
    assert errors(check_request(REQUEST | request, SERVICE)) == []


def test_a_message_never_repeats_what_was_sent():
    leaking = json.loads(json.dumps(REQUEST, default=float).replace("exemple-patiente", "DUPONT"))
    leaking["context"] |= {"DUPONT Jean": "DUPONT", "encounterId": "DUPONT Jean", "selections": ["DUPONT Jean"]}
    leaking["prefetch"] |= {"DUPONT Jean": "DUPONT", "patient": {"resourceType": "DUPONT"}}
    leaking |= {"hook": "order-select", "fhirServer": "DUPONT"}
    found = check_request(leaking, SERVICE)
    assert len(errors(found)) >= 5
    assert "DUPONT" not in " ".join(map(str, found))


def test_every_kind_of_a_member_is_known():
    kinds = {member.kind for shape in SHAPES.values() for member in shape.members.values()}
    assert kinds <= KINDS.keys() | SHAPES.keys()


@given(st.dictionaries(st.sampled_from(["hook", "hookInstance", "context", "prefetch", "cards", "feedback"]), junk))
def test_no_json_makes_a_check_fall_over(body):
    for check, _ in CHECKS.values():
        check(body)
    known = ((REQUEST, "context"), (SIGN, "context"), (REQUEST, "prefetch"), (REQUEST, "fhirAuthorization"))
    for message, name in known:
        for value in body.values():
            check_request(message | {name: value}, SERVICE)
            if isinstance(message[name], dict):
                check_request(message | {name: message[name] | dict.fromkeys(message[name], value)}, SERVICE)
    for value in body.values():
        check_response({"cards": [dict.fromkeys(RESPONSE["cards"][0], value)], "systemActions": value})
        check_response({"cards": [{"suggestions": [dict.fromkeys(("actions", "uuid", "label"), value)]}]})
        check_discovery({"services": [dict.fromkeys(SERVICE, value)]})
        check_feedback({"feedback": [dict.fromkeys(FEEDBACK["feedback"][0] | FEEDBACK["feedback"][2], value)]})
