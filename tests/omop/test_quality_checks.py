"""The quality checks, each on the defect that it exists for."""

from collections import Counter
from datetime import date

import pyarrow.parquet as pq
import pytest

from omop.cdm import cdm_tables
from omop.quality.checks import check_types, every_check
from omop.quality.results import Result, load_thresholds
from passerelle.errors import UsageError
from spark_jobs.check_quality import measure
from tests.omop.omop_case import arrow, on_engine

COLUMNS = {name: {column.name: column.type for column in table.columns} for name, table in cdm_tables().items()}
TODAY = date(2025, 4, 1)


def check(engine, given: dict, table: str, today: date | None = TODAY, thresholds=None) -> dict[tuple, Result]:
    """Results for a table of a small database, by (check, field)."""
    there = {name: COLUMNS[name] for name in given}
    for name, rows in given.items():
        on_engine(engine, f"dq__{name}", arrow(name, rows))
    found = measure(engine, there, "dq__{}".format, [table], today).judged(thresholds)
    return {(result.check, result.cdm_field): result for result in found if result.concept_id is None}


def counts(result: Result) -> tuple:
    return result.violated, result.rows, result.status


# Instances of each type of check in the dashboard's files for CDM 5.4, counted independently.
INSTANCES = {
    "cdmTable": 39, "measureObservationPeriodOverlap": 1, "measurePersonCompleteness": 16,
    "measureConditionEraCompleteness": 1, "cdmField": 432, "isRequired": 180, "cdmDatatype": 210, "isPrimaryKey": 28,
    "isForeignKey": 177, "fkDomain": 43, "fkClass": 3, "isStandardValidConcept": 64,
    "standardConceptRecordCompleteness": 48, "sourceConceptRecordCompleteness": 13, "sourceValueCompleteness": 32,
    "measureValueCompleteness": 432, "plausibleValueLow": 68, "plausibleValueHigh": 60, "plausibleTemporalAfter": 53,
    "plausibleDuringLife": 34, "withinVisitDates": 9, "plausibleAfterBirth": 49, "plausibleBeforeDeath": 47,
    "plausibleStartBeforeEnd": 24, "plausibleGender": 287, "plausibleGenderUseDescendants": 4,
    "plausibleUnitConceptIds": 181,
}  # fmt: skip


def test_all_2535_checks_of_the_dashboard_exist():
    assert Counter(check.name for check in every_check()) == INSTANCES
    assert sum(INSTANCES.values()) == 2_535
    assert set(check_types()) == set(INSTANCES)


def test_every_check_of_every_table_has_one_result(golden, sail):
    given = {name: golden["given"].get(name, []) for name in cdm_tables()}
    for name, rows in given.items():
        on_engine(sail, f"dq__{name}", arrow(name, rows))
    found = measure(sail, COLUMNS, "dq__{}".format, cdm_tables(), TODAY).judged()
    assert sum(not cdm_tables()[result.cdm_table].extension for result in found) == 2_535
    assert Counter((r.check, r.cdm_table, r.cdm_field, r.concept_id) for r in found).most_common(1)[0][1] == 1
    assert {result.status for result in found} == {"passed", "failed", "not applicable"}


def test_clean_rows_pass(golden, sail):
    found = check(sail, golden["given"], "visit_occurrence")
    assert counts(found["isPrimaryKey", "visit_occurrence_id"]) == (0, 3, "passed")
    assert counts(found["isForeignKey", "person_id"]) == (0, 3, "passed")
    assert counts(found["plausibleStartBeforeEnd", "visit_start_date"]) == (0, 3, "passed")
    assert counts(found["measurePersonCompleteness", None]) == (1, 3, "passed")  # the third person has no visit


def test_each_defect_is_counted_where_it_is(golden, sail):
    given = golden["given"]
    stay = given["visit_occurrence"][0]
    given["visit_occurrence"] += [
        {**stay, "person_id": 99},  # a key twice, and nobody's
        {**stay, "visit_occurrence_id": 30, "visit_end_date": date(2025, 2, 1)},  # ends before it starts
        {**stay, "visit_occurrence_id": 31, "person_id": 3, "visit_start_date": date(1989, 12, 31)},  # before birth
        {**stay, "visit_occurrence_id": 32, "visit_start_date": date(2025, 4, 3), "visit_end_date": date(2025, 4, 3)},
    ]
    given["death"] = [{"person_id": 1, "death_date": date(2024, 12, 1)}]
    found = check(sail, given, "visit_occurrence")
    assert counts(found["isPrimaryKey", "visit_occurrence_id"]) == (1, 7, "failed")
    assert counts(found["isForeignKey", "person_id"]) == (1, 7, "failed")
    assert counts(found["plausibleStartBeforeEnd", "visit_start_date"]) == (1, 7, "failed")
    assert counts(found["plausibleTemporalAfter", "visit_end_date"]) == (1, 7, "failed")
    assert counts(found["plausibleAfterBirth", "visit_start_date"]) == (1, 6, "failed")  # of those whose birth is known
    assert counts(found["plausibleValueHigh", "visit_start_date"]) == (1, 7, "failed")  # after tomorrow
    assert counts(found["plausibleBeforeDeath", "visit_start_date"]) == (3, 3, "failed")  # 60 days are allowed
    assert found["isForeignKey", "person_id"].severity == "fatal"
    assert found["plausibleStartBeforeEnd", "visit_start_date"].severity == "characterization"


IMAGE = {
    "image_occurrence_id": 1, "person_id": 1, "image_occurrence_date": date(2025, 3, 1), "image_study_uid": "s",
    "image_series_uid": "r", "modality_concept_id": 0,
}  # fmt: skip
FEATURE = {"image_feature_id": 1, "person_id": 1, "image_occurrence_id": 1, "image_feature_type_concept_id": 32817}
EXPOSURE = {
    "external_exposure_id": 1, "location_id": 5, "person_id": 1, "exposure_concept_id": 0,
    "exposure_start_date": date(2025, 3, 1), "exposure_end_date": date(2025, 3, 1), "exposure_type_concept_id": 32817,
    "exposure_relationship_concept_id": 0,
}  # fmt: skip


def test_tables_beside_the_cdm_are_kept_whole_by_their_declaration(golden, sail):
    given = golden["given"] | {"image_occurrence": [IMAGE], "location": [{"location_id": 5}]}
    given["image_feature"] = [
        FEATURE,
        {**FEATURE, "image_occurrence_id": 2},  # a key twice, and of no image
        {**FEATURE, "image_feature_id": 3, "image_feature_type_concept_id": None},
    ]
    found = check(sail, given, "image_feature")
    assert counts(found["isPrimaryKey", "image_feature_id"]) == (1, 3, "failed")
    assert counts(found["isForeignKey", "image_occurrence_id"]) == (1, 3, "failed")
    assert counts(found["isRequired", "image_feature_type_concept_id"]) == (1, 3, "failed")
    assert all(found[name].severity == "fatal" for name in found if name[0] == "isRequired")
    given["external_exposure"] = [EXPOSURE, {**EXPOSURE, "external_exposure_id": 2, "location_id": 6, "person_id": 99}]
    found = check(sail, given, "external_exposure")
    assert counts(found["isForeignKey", "location_id"]) == (1, 2, "failed")
    assert counts(found["isForeignKey", "person_id"]) == (1, 2, "failed")
    assert counts(found["isPrimaryKey", "external_exposure_id"]) == (0, 2, "passed")


def test_absent_from_this_copy_of_the_vocabulary_is_not_the_same_as_not_standard(golden, sail):
    given = golden["given"]
    given["condition_occurrence"] += [
        {**given["condition_occurrence"][0], "condition_occurrence_id": 103, "condition_concept_id": 21600980},  # ATC
        {**given["condition_occurrence"][0], "condition_occurrence_id": 104, "condition_concept_id": 12345},  # absent
    ]
    found = check(sail, given, "condition_occurrence")
    assert counts(found["isStandardValidConcept", "condition_concept_id"]) == (1, 6, "failed")
    assert counts(found["fkDomain", "condition_concept_id"]) == (1, 6, "failed")
    absent = found["isForeignKey", "condition_concept_id"]
    assert (*counts(absent), absent.severity) == (1, 7, "failed", "convention")
    assert counts(found["standardConceptRecordCompleteness", "condition_concept_id"]) == (2, 7, "failed")
    # Type concepts are ours to know, even where the copy lacks them.
    assert counts(found["isForeignKey", "condition_type_concept_id"]) == (0, 7, "passed")


def test_what_cannot_run_is_not_evaluated_and_never_passed(golden, sail):
    given = {
        name: rows for name, rows in golden["given"].items() if name not in ("concept", "concept_ancestor", "death")
    }
    found = check(sail, given, "condition_occurrence", today=None)
    for name in ("isStandardValidConcept", "fkDomain", "isForeignKey"):
        result = found[name, "condition_concept_id"]
        assert (result.status, result.reason) == ("not evaluated", "there is no table concept")
    assert found["plausibleValueHigh", "condition_start_date"].reason == "the day of the run is not given"
    assert found["plausibleBeforeDeath", "condition_start_date"].reason == "there is no table death"
    empty = check(sail, {**given, "condition_occurrence": []}, "condition_occurrence")
    assert empty["isRequired", "person_id"].status == "not applicable"
    absent = check(sail, given, "specimen")
    assert absent["cdmTable", None].status == "failed"
    assert absent["isRequired", "person_id"].reason == "the table does not exist"


def test_a_missing_column_fails_its_own_check_only(golden, sail):
    there = {"person": {k: v for k, v in COLUMNS["person"].items() if k != "ethnicity_concept_id"}}
    on_engine(sail, "dq__person", arrow("person", golden["given"]["person"]))
    found = {(r.check, r.cdm_field): r for r in measure(sail, there, "dq__{}".format, ["person"]).judged()}
    assert found["cdmField", "ethnicity_concept_id"].status == "failed"
    assert found["isRequired", "ethnicity_concept_id"].status == "not evaluated"
    assert found["isRequired", "gender_concept_id"].status == "passed"


def test_a_site_sets_a_threshold_and_signs_it(golden, sail, tmp_path):
    path = tmp_path / "thresholds.yaml"
    path.write_text(
        "- {check: standardConceptRecordCompleteness, table: condition_occurrence, field: condition_concept_id, "
        "percent: 40, reason: local codes are being mapped, author: A. Martin, date: 2025-03-01}\n",
        encoding="utf-8",
    )
    usual = check(sail, golden["given"], "condition_occurrence")
    site = check(sail, golden["given"], "condition_occurrence", thresholds=load_thresholds(path))
    key = ("standardConceptRecordCompleteness", "condition_concept_id")
    assert (usual[key].status, site[key].status, site[key].threshold) == ("failed", "passed", 40)
    assert site[key].reason == "40 % allowed by A. Martin, 2025-03-01: local codes are being mapped"
    path.write_text("- {check: isRequired, table: person, percent: 40}\n", encoding="utf-8")
    with pytest.raises(UsageError, match="reason"):
        load_thresholds(path)


def test_known_defects_of_gibleed_are_found(shared_data, sail, tmp_path):
    """Figures counted independently, in the reference page of the project."""
    tables = {}
    for path in sorted((shared_data / "omop-gibleed").glob("*.parquet")):
        (tmp_path / path.stem).mkdir()
        table = pq.read_table(path)
        tables[path.stem] = {field.name: str(field.type) for field in table.schema}
        pq.write_table(table, tmp_path / path.stem / "rows.parquet")
        sail.view_of_parquet(f"gb__{path.stem}", tmp_path / path.stem)

    def results(name: str) -> dict[tuple, Result]:
        return {(r.check, r.cdm_field): r for r in measure(sail, tables, "gb__{}".format, [name], TODAY).judged()}

    assert results("drug_exposure")["isPrimaryKey", "drug_exposure_id"].violated == 4_384
    measurement = results("measurement")
    assert measurement["isPrimaryKey", "measurement_id"].violated == 2_183
    assert (
        measurement["measureValueCompleteness", "value_as_number"].violated
        == measurement["isPrimaryKey", "measurement_id"].rows
    )
    assert results("observation_period")["isForeignKey", "person_id"].violated == 2_649
    assert results("drug_exposure")["isForeignKey", "visit_occurrence_id"].violated > 60_000
    assert results("visit_occurrence")["cdmField", "admitted_from_concept_id"].status == "failed"  # it is CDM 5.3
