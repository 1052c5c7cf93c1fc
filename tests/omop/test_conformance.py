"""The 56 statements of the HL7 guide: every one is judged, and a computed one follows the facts."""

from dataclasses import replace

import pytest

from omop.quality.conformance import COMPUTED, Facts, conformance, judgements, statements

CHECK = {"cdm_table": "person", "cdm_field": "person_id", "rows": 10, "violated": 0}
GOOD = Facts(
    kind="fhir_r4",
    fhir={"version": "4.0.1", "profiles": ("a profile",)},
    timezone="Europe/Paris",
    identifiers={"patient.ipp": "hashed", "patient.nom": "crosswalk"},
    readme="# x\n## Coverage\n## Known losses\n## Privacy\n## Legal basis\n",
    vocabulary="v5.0 29-AUG-24",
    run={"CDM": "5.4", "vocabulary": "v", "guide": "g", "software": "s", "time": "t"},
    checks=[
        *({**CHECK, "check": name} for name in ("cdmTable", "isRequired", "rowsTraced", "rowsWritten")),
        {**CHECK, "check": "isRequired", "cdm_field": "visit_start_date"},
        {**CHECK, "check": "measureValueCompleteness", "cdm_field": "visit_start_datetime"},
        *({**CHECK, "check": name, "cdm_field": "visit_type_concept_id"}
          for name in ("isRequired", "isForeignKey", "isStandardValidConcept", "fkDomain")),
    ],
    excluded={"cancelled_order": 3},
    gaps=2,
    quarantined=1,
    identifiers_found={"person.gender_source_value": 0},
)  # fmt: skip


def status(facts: Facts) -> dict[str, str]:
    return {row["statement"]: row["status"] for row in conformance(facts)}


def test_each_of_the_56_statements_has_a_judgement_and_nothing_else_has():
    assert list(judgements()) == list(statements())
    assert len(judgements()) == 56
    assert {j.computed for j in judgements().values() if j.computed} == set(COMPUTED)


def test_levels_are_those_of_the_guide():
    for name, judgement in judgements().items():
        word = {"S": "SHALL", "R": "SHOULD", "M": "MAY"}[judgement.level]
        assert f"**{word}**" in statements()[name], name


def test_good_facts_leave_only_the_declared_departure():
    assert [name for name, found in status(GOOD).items() if found == "fail"] == ["f2o-071"]
    assert all(row["evidence"] for row in conformance(GOOD))


@pytest.mark.parametrize(
    ("statement", "facts"),
    [
        ("f2o-001", {"checks": [{**CHECK, "check": "isRequired", "violated": 1}]}),
        ("f2o-002", {"fhir": {}}),
        ("f2o-010", {"fhir": {"version": "4.0.1", "profiles": ()}}),
        ("f2o-020", {"identifiers_found": {"person.person_source_value": 1}}),
        ("f2o-022", {"identifiers_found": {"note.note_source_value": 1}}),
        ("f2o-025", {"readme": "# x\n## Coverage\n"}),
        ("f2o-026", {"identifiers": {}}),
        ("f2o-030", {"vocabulary": "none"}),
        (
            "f2o-031",
            {"checks": [{**CHECK, "check": "isStandardValidConcept", "cdm_field": "drug_concept_id", "violated": 2}]},
        ),
        ("f2o-037", {"checks": [{**CHECK, "check": "fkDomain", "cdm_field": "drug_concept_id", "violated": 2}]}),
        ("f2o-040", {"vocabulary": "none"}),
        (
            "f2o-050",
            {
                "checks": [
                    {**CHECK, "check": "isStandardValidConcept", "cdm_field": "visit_type_concept_id", "violated": 1}
                ]
            },
        ),
        ("f2o-060", {"excluded": {"": 4}}),
        ("f2o-070", {"checks": [{**CHECK, "check": "isRequired", "cdm_field": "note_date", "violated": 1}]}),
        ("f2o-100", {"checks": [{**CHECK, "check": "rowsTraced", "violated": 1}]}),
        ("f2o-102", {"run": {"CDM": "5.4"}}),
        ("f2o-132", {"readme": "# x\n"}),
    ],
)
def test_a_computed_statement_fails_on_the_fact_it_is_about(statement, facts):
    assert status(GOOD)[statement] == "pass"
    assert status(replace(GOOD, **facts))[statement] == "fail"


def test_what_is_about_reading_fhir_does_not_apply_to_a_database():
    found = status(replace(GOOD, kind="postgresql", fhir={}))
    assert found["f2o-002"] == found["f2o-013"] == "not applicable"
    assert found["f2o-001"] == "pass"


def test_what_was_not_evaluated_has_not_passed():
    found = status(replace(GOOD, checks=[]))
    assert {found[name] for name in ("f2o-031", "f2o-037", "f2o-050", "f2o-100")} == {"not applicable"}
