"""Our R4 rules: every broken resource is caught by the right rule, every valid one passes."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_adapters.rules import check, errors
from fhir_adapters.rules.primitives import accepts
from fhir_adapters.rules.table import codes, resource_types, table
from tests.fhir_adapters.fhir_cases import BROKEN, ISSUE, RISK, VALID, changed

WARNINGS = {"when-absent", "dom-6", "ai-marking", "two-drugs", "preferred-binding"}


@pytest.mark.parametrize("name", VALID)
def test_valid_resource_raises_no_alarm(name):
    assert check(VALID[name]) == []


@pytest.mark.parametrize("name", BROKEN)
def test_broken_resource_is_caught_by_its_rule(name):
    resource, path, value, rule = BROKEN[name]
    broken = changed(resource, path, value)
    if value is ...:
        broken = changed(resource, path, "x")
        broken[path] = None
    found = {problem.rule: problem.severity for problem in check(broken)}
    assert found.get(rule) == ("warning" if rule in WARNINGS else "error"), found


def test_the_corpus_is_large_enough():
    assert len(BROKEN) >= 30
    assert len(VALID) >= 10


def test_rare_event_passes_when_it_is_stated():
    rare = changed(RISK, "prediction.0.probabilityDecimal", 0.4)
    assert [p.rule for p in errors(rare)] == ["probability-below-one"]
    coding = [{"system": "http://terminology.hl7.org/CodeSystem/risk-probability", "code": "negligible"}]
    assert errors(changed(rare, "prediction.0.qualitativeRisk", {"coding": coding})) == []


def test_all_82_findings_of_the_value_set_are_known():
    # A reader that follows only the nesting of the code system finds 33 of them.
    assert len(codes("detectedissue-category")) == 82
    assert {"DUPTHPY", "DOSEH", "DOSECOND", "ALGY", "PREG", "LAB", "DRG"} <= codes("detectedissue-category")


def test_a_message_never_repeats_what_the_resource_says():
    leaking = copy.deepcopy(ISSUE)
    leaking["detail"], leaking["patient"] = ["DUPONT"], {"reference": "Location/DUPONT", "zzz": "DUPONT"}
    leaking["text"]["div"] = "<div>DUPONT"
    assert "DUPONT" not in " ".join(map(str, check(leaking)))


def test_every_type_of_the_tables_has_its_table():
    waiting = ["Bundle", "DetectedIssue", "Device", "Provenance", "RiskAssessment", "DocumentReference",
               "OperationOutcome", "Patient", "MedicationRequest", "CapabilityStatement"]  # fmt: skip
    seen = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        known = table(name)
        assert known is not None, name
        for element in known.elements.values():
            if element.accepts is not None:
                assert accepts(element.type, {"boolean": True, "decimal": 1.5}.get(element.type)) in (True, False)
            elif element.type != "Resource":
                waiting.append(element.type)
    assert len(resource_types()) == 146
    assert "SubscriptionStatus" not in resource_types()


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(data=st.data(), value=junk)
@settings(max_examples=300)
def test_no_json_makes_the_check_itself_fail(data, value):
    resource = copy.deepcopy(data.draw(st.sampled_from(list(VALID.values()))))
    node, name = data.draw(st.sampled_from(list(_places(resource))))
    node[name] = value
    json.dumps([str(problem) for problem in check(resource)])


def _places(node):
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for name, value in list(items):
        yield node, name
        if isinstance(value, dict | list):
            yield from _places(value)
