"""The file for the viewer of the OHDSI dashboard."""

from datetime import UTC, datetime

from omop.quality.dashboard import dashboard

START, END = datetime(2025, 3, 1, 8, tzinfo=UTC), datetime(2025, 3, 1, 8, 0, 4, tzinfo=UTC)


def result(check: str, status: str, violated: int | None = 0, rows: int | None = 10, **more) -> dict:
    row = {"check": check, "cdm_table": "measurement", "cdm_field": "measurement_concept_id", "concept_id": None}
    return row | {"violated": violated, "rows": rows, "threshold": 5.0, "status": status, "reason": None} | more


ROWS = [
    result("isRequired", "passed"),
    result("plausibleUnitConceptIds", "failed", 3, concept_id="3016723"),
    result("fkDomain", "not evaluated", None, None, reason="there is no table concept"),
    result("measurePersonCompleteness", "not applicable", 0, 0, cdm_field=None, reason="no row to check"),
    result("rowsWritten", "failed", 1),  # ours, not the dashboard's
]


def test_the_file_has_the_shape_that_the_viewer_reads():
    file = dashboard(ROWS, {"cdm_source_name": "A", "cdm_version_concept_id": 756265}, START, END)
    assert list(file) == ["startTimestamp", "endTimestamp", "executionTime", "executionTimeSeconds", "CheckResults",
                          "Metadata", "Overview"]  # fmt: skip
    assert file["Metadata"] == [{"cdmSourceName": "A", "cdmVersionConceptId": 756265}]
    assert file["executionTimeSeconds"] == [4.0]
    unit = file["CheckResults"][1]
    assert unit["checkId"] == "concept_plausibleunitconceptids_measurement_measurement_concept_id_3016723"
    assert (unit["failed"], unit["passed"], unit["pctViolatedRows"]) == (1, 0, 0.3)
    assert (unit["category"], unit["subcategory"], unit["context"]) == ("Plausibility", "Atemporal", "Verification")
    assert unit["cdmTableName"] == "MEASUREMENT" and "3016723" in unit["checkDescription"]


def test_what_was_not_judged_has_neither_passed_nor_failed():
    file = dashboard(ROWS, {}, START, END)
    unjudged = [row for row in file["CheckResults"] if row["notApplicable"]]
    assert [(row["passed"], row["failed"]) for row in unjudged] == [(0, 0), (0, 0)]
    assert unjudged[0]["notApplicableReason"] == "not evaluated: there is no table concept"
    overview = {name: value[0] for name, value in file["Overview"].items()}
    assert (overview["countTotal"], overview["countPassed"], overview["countOverallFailed"]) == (4, 1, 1)
    assert overview["percentPassed"] == 50
    assert (overview["countTotalConformance"], overview["countFailedPlausibility"]) == (2, 1)
