# ruff: noqa: E501
"""Each type of check, on a small ward: silent while the ward is clean, exact once a defect is put in.

A case changes a table of the clean ward and says how many rows then break the check, of how many.
"""

import copy
from datetime import date, datetime
from typing import Any

import pytest

from omop.cdm import cdm_tables
from omop.quality.checks import check_types
from omop.quality.results import Result
from spark_jobs.check_quality import measure
from tests.omop.omop_case import arrow, on_engine

TODAY = date(2025, 4, 1)
COLUMNS = {name: {column.name: column.type for column in table.columns} for name, table in cdm_tables().items()}
FEMALE, MALE = 8532, 8507
DAY, LATER = date(2025, 3, 3), date(2025, 3, 5)
HOUR = datetime.fromisoformat("2025-03-03T08:00:00Z")


def concept(
    id_: int, domain: str, class_: str = "Thing", standard: str | None = "S", vocabulary: str = "SNOMED"
) -> dict[str, Any]:
    return {"concept_id": id_, "concept_name": str(id_), "domain_id": domain, "vocabulary_id": vocabulary,
            "concept_class_id": class_, "standard_concept": standard, "concept_code": str(id_)}  # fmt: skip


# 26662 Testicular hypofunction and 4090861 Male genitalia finding are concepts that the dashboard names.
WARD: dict[str, list[dict[str, Any]]] = {
    "person": [
        {"person_id": 1, "gender_concept_id": FEMALE, "gender_source_value": "F", "year_of_birth": 1950, "month_of_birth": 5, "day_of_birth": 4, "race_concept_id": 700, "ethnicity_concept_id": 701, "provider_id": 6, "care_site_id": 7},
        {"person_id": 2, "gender_concept_id": MALE, "gender_source_value": "M", "year_of_birth": 1960, "month_of_birth": 1, "day_of_birth": 1, "race_concept_id": 700, "ethnicity_concept_id": 701, "care_site_id": 7},
    ],
    "observation_period": [
        {"observation_period_id": 1, "person_id": 1, "observation_period_start_date": DAY, "observation_period_end_date": LATER, "period_type_concept_id": 32882},
        {"observation_period_id": 2, "person_id": 2, "observation_period_start_date": DAY, "observation_period_end_date": LATER, "period_type_concept_id": 32882},
    ],
    "visit_occurrence": [
        {"visit_occurrence_id": 10, "person_id": 1, "visit_concept_id": 9201, "visit_start_date": DAY, "visit_start_datetime": HOUR, "visit_end_date": LATER, "visit_type_concept_id": 32827, "care_site_id": 7, "visit_source_value": "HC"},
        {"visit_occurrence_id": 20, "person_id": 2, "visit_concept_id": 9201, "visit_start_date": DAY, "visit_end_date": LATER, "visit_type_concept_id": 32827, "care_site_id": 7, "visit_source_value": "HC"},
    ],
    "condition_occurrence": [
        {"condition_occurrence_id": 100, "person_id": 1, "visit_occurrence_id": 10, "condition_concept_id": 313217, "condition_start_date": DAY, "condition_type_concept_id": 32817, "condition_source_value": "I48", "condition_source_concept_id": 45591453},
        {"condition_occurrence_id": 200, "person_id": 2, "visit_occurrence_id": 20, "condition_concept_id": 26662, "condition_start_date": DAY, "condition_type_concept_id": 32817, "condition_source_value": "E29", "condition_source_concept_id": 45591454},
        {"condition_occurrence_id": 201, "person_id": 2, "visit_occurrence_id": 20, "condition_concept_id": 4090862, "condition_start_date": DAY, "condition_type_concept_id": 32817, "condition_source_value": "N50", "condition_source_concept_id": 45591455},
    ],
    "condition_era": [
        {"condition_era_id": 1, "person_id": 1, "condition_concept_id": 313217, "condition_era_start_date": DAY, "condition_era_end_date": DAY, "condition_occurrence_count": 1},
        {"condition_era_id": 2, "person_id": 2, "condition_concept_id": 26662, "condition_era_start_date": DAY, "condition_era_end_date": DAY, "condition_occurrence_count": 1},
    ],
    "drug_exposure": [
        {"drug_exposure_id": i, "person_id": i, "visit_occurrence_id": 10 * i, "drug_concept_id": 1125315, "drug_exposure_start_date": DAY, "drug_exposure_end_date": LATER, "drug_type_concept_id": 32838, "quantity": 2, "days_supply": 2, "drug_source_value": "DOLI", "drug_source_concept_id": 21604303, "route_concept_id": 4132161, "route_source_value": "PO"}
        for i in (1, 2)
    ],
    "measurement": [
        {"measurement_id": i, "person_id": i, "visit_occurrence_id": 10 * i, "measurement_concept_id": 3016723, "measurement_date": DAY, "measurement_type_concept_id": 32856, "value_as_number": 1.1, "unit_concept_id": 8840, "unit_source_value": "mg/dL", "measurement_source_value": "CREA", "measurement_source_concept_id": 3016723}
        for i in (1, 2)
    ],
    "death": [{"person_id": 2, "death_date": date(2025, 3, 20), "death_type_concept_id": 32817}],
    "drug_era": [{"drug_era_id": i, "person_id": i, "drug_concept_id": 1125315, "drug_era_start_date": DAY, "drug_era_end_date": DAY, "drug_exposure_count": 1} for i in (1, 2)],
    "provider": [{"provider_id": 6, "provider_name": None, "care_site_id": 7}],
    "care_site": [{"care_site_id": 7, "care_site_name": "Cardiologie"}],
    "concept": [
        concept(0, "Metadata", "Undefined", None), concept(FEMALE, "Gender"), concept(MALE, "Gender"), concept(700, "Race"),
        concept(701, "Ethnicity"), concept(9201, "Visit"), concept(313217, "Condition"), concept(26662, "Condition"),
        concept(4090862, "Condition"), concept(1125315, "Drug", "Ingredient"), concept(4132161, "Route"), concept(3016723, "Measurement"),
        concept(8840, "Unit"), concept(9557, "Unit"), concept(21604303, "Drug", "ATC 5th", "C", "ATC"), concept(999, "Drug", "Clinical Drug"),
        *(concept(45591453 + i, "Condition", "ICD10 code", None) for i in range(3)),
        *(concept(i, "Type Concept") for i in (32817, 32827, 32838, 32856, 32882)),
    ],
    "concept_ancestor": [
        {"ancestor_concept_id": 4090861, "descendant_concept_id": 4090862, "min_levels_of_separation": 1, "max_levels_of_separation": 1},
    ],
}  # fmt: skip

Case = tuple[str, str, str | None, str | None, dict[str, list[dict[str, Any]]], tuple[int, int]]


def changed(table: str, *changes: tuple[int, dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """A table of the ward, some of whose rows got other values; a place after the last adds a row."""
    rows = copy.deepcopy(WARD[table])
    for place, values in changes:
        if place < len(rows):
            rows[place] |= values
        else:
            rows.append(rows[0] | values)
    return {table: rows}


STAY, ILL, DRUG, LAB, ERA = "visit_occurrence", "condition_occurrence", "drug_exposure", "measurement", "condition_era"
# Type of check, table, column, concept, what is put in, (rows that break it, rows that it is about).
CASES: list[Case] = [
    ("measurePersonCompleteness", "observation_period", None, None, {"observation_period": WARD["observation_period"][:1]}, (1, 2)),
    ("measureConditionEraCompleteness", ERA, None, None, {ERA: WARD[ERA][1:]}, (1, 2)),
    ("measureObservationPeriodOverlap", "observation_period", None, None,
     changed("observation_period", (2, {"observation_period_id": 3, "observation_period_start_date": LATER})), (1, 2)),
    ("measureObservationPeriodOverlap", "observation_period", None, None,  # back to back is an overlap too
     changed("observation_period", (2, {"observation_period_id": 3, "observation_period_start_date": date(2025, 3, 6), "observation_period_end_date": date(2025, 3, 9)})), (1, 2)),
    ("isRequired", STAY, "visit_concept_id", None, changed(STAY, (0, {"visit_concept_id": None})), (1, 2)),
    ("isRequired", STAY, "visit_start_date", None, changed(STAY, (0, {"visit_start_date": None})), (1, 2)),
    ("isPrimaryKey", STAY, "visit_occurrence_id", None, changed(STAY, (2, {}), (3, {})), (2, 4)),
    ("isForeignKey", STAY, "person_id", None, changed(STAY, (0, {"person_id": 99})), (1, 2)),
    ("isForeignKey", ILL, "visit_occurrence_id", None, changed(ILL, (0, {"visit_occurrence_id": 99}), (1, {"visit_occurrence_id": None})), (1, 3)),
    ("isForeignKey", ILL, "condition_concept_id", None, changed(ILL, (0, {"condition_concept_id": 77})), (1, 3)),
    ("isForeignKey", STAY, "care_site_id", None, changed(STAY, (1, {"care_site_id": 8})), (1, 2)),
    ("fkDomain", ILL, "condition_concept_id", None, changed(ILL, (0, {"condition_concept_id": 3016723}), (1, {"condition_concept_id": 77})), (1, 2)),
    ("fkClass", "drug_era", "drug_concept_id", None,
     {"drug_era": [{"drug_era_id": 1, "person_id": 1, "drug_concept_id": c, "drug_era_start_date": DAY, "drug_era_end_date": DAY} for c in (999, 1125315)]}, (1, 2)),
    ("isStandardValidConcept", ILL, "condition_concept_id", None, changed(ILL, (0, {"condition_concept_id": 45591453})), (1, 3)),
    ("isStandardValidConcept", DRUG, "drug_concept_id", None,
     {"concept": [c | ({"invalid_reason": "D"} if c["concept_id"] == 1125315 else {}) for c in WARD["concept"]]}, (2, 2)),
    ("standardConceptRecordCompleteness", ILL, "condition_concept_id", None, changed(ILL, (0, {"condition_concept_id": 0})), (1, 3)),
    ("sourceConceptRecordCompleteness", ILL, "condition_source_concept_id", None, changed(ILL, (0, {"condition_source_concept_id": 0}), (1, {"condition_source_concept_id": 0})), (2, 3)),
    ("sourceValueCompleteness", ILL, "condition_source_value", None, changed(ILL, (0, {"condition_concept_id": 0}), (3, {"condition_occurrence_id": 9, "condition_concept_id": 0})), (1, 3)),
    ("measureValueCompleteness", DRUG, "quantity", None, changed(DRUG, (0, {"quantity": None})), (1, 2)),
    ("plausibleValueLow", DRUG, "quantity", None, changed(DRUG, (0, {"quantity": -1})), (1, 2)),
    ("plausibleValueLow", "person", "year_of_birth", None, changed("person", (0, {"year_of_birth": 1849})), (1, 2)),
    ("plausibleValueHigh", STAY, "visit_start_date", None, changed(STAY, (0, {"visit_start_date": date(2025, 4, 3)})), (1, 2)),
    ("plausibleValueHigh", DRUG, "days_supply", None, changed(DRUG, (0, {"days_supply": 366})), (1, 2)),
    ("plausibleTemporalAfter", STAY, "visit_end_date", None, changed(STAY, (0, {"visit_end_date": date(2025, 3, 2)})), (1, 2)),
    ("plausibleStartBeforeEnd", STAY, "visit_start_date", None, changed(STAY, (0, {"visit_end_date": date(2025, 3, 2)})), (1, 2)),
    ("plausibleAfterBirth", STAY, "visit_start_date", None, changed(STAY, (0, {"visit_start_date": date(1950, 5, 3)})), (1, 2)),
    ("plausibleAfterBirth", STAY, "visit_start_date", None, changed(STAY, (0, {"visit_start_date": date(1950, 5, 4)})), (0, 2)),
    ("plausibleBeforeDeath", STAY, "visit_start_date", None, changed(STAY, (1, {"visit_start_date": date(2025, 5, 20)})), (1, 1)),  # 61 days
    ("plausibleBeforeDeath", STAY, "visit_start_date", None, changed(STAY, (1, {"visit_start_date": date(2025, 5, 19)})), (0, 1)),  # 60 are allowed
    ("plausibleDuringLife", DRUG, "drug_exposure_start_date", None, changed(DRUG, (1, {"drug_exposure_start_date": date(2025, 5, 20)})), (1, 1)),
    ("withinVisitDates", ILL, "condition_start_date", None, changed(ILL, (0, {"condition_start_date": date(2025, 2, 23)})), (1, 3)),  # 8 days before
    ("withinVisitDates", ILL, "condition_start_date", None, changed(ILL, (0, {"condition_start_date": date(2025, 2, 24)})), (0, 3)),
    ("plausibleGender", ILL, "condition_concept_id", "26662", changed(ILL, (1, {"person_id": 1}), (3, {"condition_occurrence_id": 9, "condition_concept_id": 26662})), (2, 2)),
    ("plausibleGenderUseDescendants", ILL, "condition_concept_id", "4090861,4025213", changed(ILL, (2, {"person_id": 1}), (3, {"condition_occurrence_id": 9, "condition_concept_id": 4090862, "person_id": 2})), (1, 2)),
    ("plausibleUnitConceptIds", LAB, "measurement_concept_id", "3016723", changed(LAB, (0, {"unit_concept_id": 9557}), (2, {"measurement_id": 9, "unit_concept_id": None})), (2, 3)),
    ("plausibleUnitConceptIds", LAB, "measurement_concept_id", "3016723", changed(LAB, (0, {"unit_concept_id": 9557, "value_as_number": None})), (0, 1)),  # no number, no unit
]  # fmt: skip


def results(engine: Any, given: dict[str, Any], names: list[str]) -> list[Result]:
    for name, rows in given.items():
        on_engine(engine, f"ward__{name}", arrow(name, rows))
    return measure(engine, {name: COLUMNS[name] for name in given}, "ward__{}".format, names, TODAY).judged()


def test_nothing_is_raised_on_the_clean_ward(sail):
    found = results(sail, WARD, [name for name in WARD if name not in ("concept", "concept_ancestor")])
    # Half of the columns of a ward are empty, which is told as a share and allowed by the dashboard up to 100 %.
    assert [result for result in found if result.status == "failed"] == []
    assert sum(result.status == "passed" for result in found) > 600


def test_every_type_of_check_that_looks_at_rows_has_a_case():
    assert {case[0] for case in CASES} == set(check_types()) - {"cdmTable", "cdmField", "cdmDatatype"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}-{case[2]}-{case[5][0]}")
def test_a_check_finds_exactly_the_rows_that_break_it(sail, case):
    name, table, field, concept_id, defect, (violated, rows) = case
    found = [
        result
        for result in results(sail, WARD | defect, [table])
        if (result.check, result.cdm_field, result.concept_id) == (name, field, concept_id)
    ]
    assert [(result.violated, result.rows) for result in found] == [(violated, rows)]
    if violated == 0:
        assert found[0].status == "passed"


def test_a_table_a_column_and_a_type_that_are_not_those_of_the_cdm(sail):
    given = {name: COLUMNS[name] for name in WARD}
    given["person"] = {**given["person"], "person_id": "string"}
    del given["person"]["provider_id"], given["death"]
    found = measure(sail, given, "ward__{}".format, ["person", "death"], TODAY).judged()
    failed = {(result.check, result.cdm_table, result.cdm_field) for result in found if result.status == "failed"}
    assert failed == {("cdmTable", "death", None), ("cdmField", "person", "provider_id"), ("cdmDatatype", "person", "person_id")}  # fmt: skip
