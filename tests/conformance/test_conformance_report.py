"""The command fails when it must: an undeclared error, a broken case that passes, a declaration that became wrong."""

import pytest

from passerelle.errors import UsageError
from tests.conformance.cases import Case, cases
from tests.conformance.judges import JUDGES, Finding
from tests.conformance.programs import need
from tests.conformance.report import Declared, FalseAlarm, OnlyOurs, declared, failures, stale, table

GOOD = Case("valid", "a document, well made", {"resourceType": "DocumentReference"})
BAD = Case("broken", "no status", {"resourceType": "DocumentReference"})
WRONG = [Finding("error", "DocumentReference.status", "Missing property [1]")]
NOTHING = Declared((), ())


def verdicts(**said):
    """What the judges say of GOOD and of BAD, when they differ from what they should say."""
    usual = {judge: [[], WRONG if judge in ("rules", "official") else []] for judge in JUDGES}
    return usual | said


def test_nothing_fails_when_all_is_as_it_must_be():
    assert list(failures([GOOD, BAD], verdicts(), NOTHING)) == []


@pytest.mark.parametrize("judge", JUDGES)
def test_an_error_in_a_valid_case_fails_whoever_finds_it(judge):
    (failed,) = failures([GOOD, BAD], verdicts(**{judge: [WRONG, WRONG]}), NOTHING)
    assert judge in failed
    assert "valid/a document, well made" in failed


def test_a_declared_error_does_not_fail_but_only_for_its_judge_and_its_message():
    known = Declared((FalseAlarm("lantana", r"^Missing property \[\d\]$", ("a document, *",), "why", "r4"),), ())
    assert list(failures([GOOD, BAD], verdicts(lantana=[WRONG, []]), known)) == []
    assert len(list(failures([GOOD, BAD], verdicts(medplum=[WRONG, []]), known))) == 1
    other = [Finding("error", "", "Missing property [1] and more")]
    assert len(list(failures([GOOD, BAD], verdicts(lantana=[other, []]), known))) == 1


def test_a_broken_case_that_nobody_catches_fails():
    (failed,) = failures([GOOD, BAD], verdicts(rules=[[], []]), NOTHING)
    assert "our rules do not catch it" in failed
    (failed,) = failures([GOOD, BAD], verdicts(official=[[], []]), NOTHING)
    assert "no reason is declared" in failed


def test_a_warning_of_our_rules_catches_and_one_of_the_official_validator_does_not():
    warning = [Finding("warning", "", "x")]
    assert list(failures([GOOD, BAD], verdicts(rules=[[], warning]), NOTHING)) == []
    assert len(list(failures([GOOD, BAD], verdicts(official=[[], warning]), NOTHING))) == 1


def test_a_case_declared_as_ours_alone_fails_when_the_official_validator_catches_it_too():
    known = Declared((), (OnlyOurs(("no status",), "why", "r4"),))
    assert list(failures([GOOD, BAD], verdicts(official=[[], []]), known)) == []
    assert len(list(failures([GOOD, BAD], verdicts(), known))) == 1


def test_a_declaration_of_no_case_is_stale():
    known = Declared((FalseAlarm("lantana", "x", ("*",), "why", "r4"),), (OnlyOurs(("no such case",), "why", "r4"),))
    assert len(list(stale([GOOD, BAD], verdicts(), known))) == 2
    assert list(stale([GOOD, BAD], verdicts(), NOTHING)) == []


def test_the_table_counts_accepted_and_caught():
    _, valid, broken = table([GOOD, BAD], verdicts())
    assert valid.split()[:4] == ["valid", "1", "1", "ok"]
    assert broken.split()[:4] == ["broken", "1", "1", "caught"]


def test_every_declaration_names_cases_of_the_corpus_and_a_paragraph_of_r4():
    known = declared()
    broken = {case.name for case in cases(None, []) if not case.must_pass}
    assert {name for entry in known.only_ours for name in entry.cases} <= broken
    assert all(entry.r4.startswith("https://hl7.org/fhir/R4/") for entry in (*known.false_alarms, *known.only_ours))
    assert {alarm.judge for alarm in known.false_alarms} <= set(JUDGES)


def test_a_delivery_is_judged_file_by_file_and_line_by_line(tmp_path):
    (tmp_path / "one.json").write_text('{"resourceType": "Bundle", "type": "collection"}')
    (tmp_path / "many.ndjson").write_text('{"resourceType": "Device"}\n\n{"resourceType": "Group"}\n')
    found = [(case.name, case.resource["resourceType"]) for case in cases(tmp_path, ["delivered/"])]
    assert found == [("many.ndjson:1", "Device"), ("many.ndjson:3", "Group"), ("one.json", "Bundle")]


def test_a_missing_program_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError) as error:
        need("java", "mvn")
    assert "apt install openjdk-17-jdk-headless maven" in str(error.value)
