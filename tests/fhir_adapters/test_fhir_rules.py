"""Our R4 rules: every broken resource is caught by the right rule, every valid one passes."""

import copy
import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_adapters.rules import check, errors, tables
from fhir_adapters.rules.invariants import RULES
from fhir_adapters.rules.primitives import ACCEPTS, accepts
from fhir_adapters.rules.table import codes, resource_types, table
from tests.fhir_adapters.fhir_cases import BROKEN, ISSUE, RISK, VALID, changed
from tests.fhir_adapters.fhir_valid import ENCOUNTER

TABLES = Path(tables.__file__).parent
WARNINGS = {"when-absent", "dom-6", "ai-marking", "two-drugs", "preferred-binding", "code-unknown", "risk-words"}


@pytest.mark.parametrize("name", VALID)
def test_valid_resource_raises_no_alarm(name):
    assert check(VALID[name]) == []


@pytest.mark.parametrize("name", BROKEN)
def test_broken_resource_is_caught_by_its_rule(name):
    resource, path, value, rule = BROKEN[name]
    broken = changed(resource, path, value)
    found = {problem.rule: problem.severity for problem in check(broken)}
    assert found.get(rule) == ("warning" if rule in WARNINGS else "error"), found


def test_the_corpus_is_large_enough():
    assert len(BROKEN) >= 100
    assert len(VALID) >= 45


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


def test_every_type_of_the_tables_has_its_table_and_every_value_set_its_codes():
    waiting = [path.stem for path in TABLES.glob("[A-Z]*.json")]
    assert {"Bundle", "DetectedIssue", "Device", "Group", "AuditEvent", "StructureDefinition"} <= set(waiting)
    seen = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        known = table(name)
        assert known is not None, name
        for element in known.elements.values():
            if element.accepts is None and element.type != "Resource":
                waiting.append(element.type)
            assert not element.accepts or element.accepts(object()) is False
            assert element.value_set is None or element.value_set in ACCEPTS or codes(element.value_set)
    assert len(resource_types()) == 146
    assert "SubscriptionStatus" not in resource_types()


def test_every_invariant_is_of_a_table():
    assert [name for name in RULES if table(name) is None] == []


@pytest.mark.parametrize(
    ("kind", "accepted", "refused"),
    [
        ("date", ["1943", "1943-02", "1944-02-29"], ["1943-02-29", "1943-2", "43", "1943-02-30", "0000", "1943-13"]),
        ("dateTime", ["1943", "2025-03-05T08:00:00.125+01:00"], ["2025-03-05T08:00:00", "2025-03-05T08:00Z"]),
        ("instant", ["2025-03-05T08:00:60Z"], ["2025-03-05", "2025-02-30T08:00:00Z", "2025-03-05T24:00:00Z"]),
        ("time", ["08:00:00", "23:59:59.9"], ["8:00:00", "08:00", "24:00:00"]),
        ("decimal", [0, -1, 1.5, Decimal("63.50")], [True, "1", float("nan"), float("inf"), Decimal("NaN"), None]),
        ("integer", [0, -(2**31)], [2**31, 1.0, True, "1"]),
        ("unsignedInt", [0], [-1]),
        ("positiveInt", [1], [0]),
        ("string", ["a", " a\tb\n"], ["", " \n", "a\x07", 1, None, "a" * (1024 * 1024 + 1)]),
        ("code", ["a", "a b"], ["", " a", "a ", "a  b"]),
        ("id", ["A-1.b", "a" * 64], ["a_b", "a" * 65, ""]),
        ("uri", ["urn:oid:1.2.250.1", "a", "urn:x"], ["urn:oid:1.02", "urn:uuid:1", "a b", ""]),
        ("canonical", ["https://x.example/a|1", "#a", "urn:oid:1.2.250.1"], ["a", "/a", "StructureDefinition/a"]),
        ("base64Binary", ["SGk=", "SGVs\nbG8="], ["SGk", "S", "%%%=", "", 1]),
        ("boolean", [True, False], ["true", 1, 0]),
        ("languages", ["fr", "fr-FR", "zh-Hant-TW", "x-patois"], ["french", "fr_FR", "fr-", "1"]),
        ("mimetypes", ["text/plain", "application/fhir+json; fhirVersion=4.0", "json"], ["pdf", "text/", "a b/c"]),
    ],
)
def test_primitives_have_the_syntax_of_r4(kind, accepted, refused):
    assert [value for value in accepted if not accepts(kind, value)] == []
    assert [value for value in refused if accepts(kind, value)] == []


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(data=st.data(), value=junk, how=st.sampled_from(["replace", "take away", "put beside", "rename"]))
@settings(max_examples=400)
def test_no_json_makes_the_check_itself_fail(data, value, how):
    resource = copy.deepcopy(data.draw(st.sampled_from(list(VALID.values()))))
    node, name = data.draw(st.sampled_from(list(_places(resource))))
    if how == "take away":
        del node[name]
    elif how == "put beside" and isinstance(node, dict):
        node[f"_{name}"] = value
    elif how == "rename" and isinstance(node, dict):
        node[f"_{name}"] = {"extension": [{"url": "https://x.example/e", "valueCode": "a"}]}
        del node[name]
    else:
        node[name] = value
    json.dumps([str(problem) for problem in check(resource)])


def test_a_leap_second_can_be_compared():
    leap = ENCOUNTER | {"period": {"start": "2016-12-31T23:59:60Z", "end": "2017-01-01T00:59:60.5+01:00"}}
    assert check(leap) == []


def test_a_rule_that_fails_of_itself_is_never_silent(monkeypatch):
    def wrong(_):
        raise KeyError("a mistake in the rule")

    monkeypatch.setitem(RULES, "DetectedIssue", (wrong,))
    with pytest.raises(KeyError):
        check(ISSUE)


def _places(node):
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for name, value in list(items):
        yield node, name
        if isinstance(value, dict | list):
            yield from _places(value)
