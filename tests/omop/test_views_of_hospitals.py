"""The views of a hospital: one suite, which passes unchanged on the other hospital (other schema, codes and units)."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from omop.lake import Lake
from omop.publication import publish
from omop.publication.duckdb_file import publish_to_file
from omop.snapshot import dataset_of, last_snapshot
from omop.views.check import check_views
from omop.views.compare import compare_views
from omop.views.contract import view, views
from omop.views.places import open_place
from omop.views.store import ViewStore
from passerelle.cli import run as cli
from tests.omop.views_on_spark import differing

VIEWS = sorted(views())
PATIENTS = "100"
FILLED = {
    "admissions_daily", "condition_eras", "critical_care_windows", "deaths", "diagnoses", "drug_administrations",
    "drug_eras", "drug_orders", "lab_results", "notes", "observations", "order_reviews", "persons", "procedures",
    "scanned_documents", "stay_units", "stays", "vital_signs",
}  # fmt: skip
INSTANTS = [datetime(2023, 3, 1, tzinfo=UTC) + timedelta(days=97 * n, hours=7 * n) for n in range(8)]


@pytest.fixture(scope="module", params=["chu_demo", "chu_second"])
def lake(request, open_folder):
    """A generated hospital, brought to its views."""
    from etl.demo.server import demo_server

    folder, hospital = open_folder / request.param, request.param
    with demo_server(folder / "pg") if hospital == "chu_demo" else nullcontext(str(folder / "files")) as place:
        assert cli(["generate", hospital, "--out", place, "--patients", PATIENTS]) == 0
        assert cli(["run", hospital, "--input", place, "--workspace", str(folder / "W")]) == 0
    return Lake(folder / "W")


@pytest.fixture(scope="module")
def store(lake) -> ViewStore:
    return ViewStore.open(lake.workspace)


@pytest.fixture(scope="module")
def omop(lake):
    """The CDM tables and the views in a DuckDB."""
    snapshot = last_snapshot(lake)
    with duckdb.connect() as connection:
        for name in snapshot.versions:
            if name.startswith(("omop.", "views_v1.")):
                connection.register(
                    name.replace("omop.", "omop__").replace("views_v1.", ""), dataset_of(lake, snapshot, name)
                )
        yield connection


def test_every_view_is_as_declared_and_those_of_a_hospital_are_filled(lake):
    with open_place(lake.workspace) as place:
        found = {check.view: check for check in check_views(place)}
    assert {name for name, check in found.items() if check.rows} == FILLED
    assert {check.status for check in found.values()} <= {"ok", "empty", "warning"}
    assert all("units among" in finding for check in found.values() if check.rows for finding in check.findings)


def test_postgresql_and_duckdb_compute_the_same_rows(lake, store, database, tmp_path):
    publish(database, lake)
    publish_to_file(tmp_path / "views.duckdb", lake)
    for place in (database, tmp_path / "views.duckdb"):
        found = compare_views(store, ViewStore.open(place))
        assert [row for row in found if not row.equal] == []


def test_apache_spark_computes_the_same_rows(lake, store, delta_jars, repository, tmp_path):
    expected = {name: store.every_state(name) for name in VIEWS}
    assert differing(delta_jars, repository, tmp_path, lake.root / "omop", expected) == []


def test_each_measurement_is_in_exactly_one_view(omop):
    ids = (
        "SELECT measurement_id AS id FROM lab_results UNION ALL SELECT measurement_id FROM vital_signs "
        "UNION ALL SELECT source_id FROM observations WHERE source_table = 'measurement'"
    )
    assert omop.sql(f"SELECT count(*) FROM ({ids}) EXCEPT SELECT count(*) FROM omop__measurement").fetchall() == []
    assert omop.sql(f"({ids}) EXCEPT SELECT measurement_id FROM omop__measurement").fetchall() == []


def test_the_eras_of_today_are_those_of_the_cdm(omop):
    ours = (
        "SELECT person_id, condition_concept_id, started_on, ended_on, occurrences FROM condition_eras "
        "WHERE superseded_at IS NULL"
    )
    cdm = (
        "SELECT person_id, condition_concept_id, condition_era_start_date, condition_era_end_date, "
        "condition_occurrence_count FROM omop__condition_era"
    )
    for one, other in ((ours, cdm), (cdm, ours)):
        assert omop.sql(f"({one}) EXCEPT ALL ({other})").fetchall() == []


def test_a_problem_is_known_during_the_stay_and_a_code_of_the_stay_is_not(omop):
    """On the problem list when it is written, in the codes when the stay has ended: one disease, known twice."""
    problems = "SELECT condition_occurrence_id FROM omop__condition_occurrence WHERE condition_type_concept_id = 32840"
    assert omop.sql(
        f"SELECT count(*) FROM diagnoses AS d JOIN ({problems}) USING (condition_occurrence_id) "
        "JOIN omop__condition_occurrence AS c USING (condition_occurrence_id) "
        "WHERE d.available_at <> c.condition_start_datetime OR d.visit_occurrence_id IS NOT NULL "
        "OR d.end_available_at <> c.condition_end_datetime"
    ).fetchall() == [(0,)]
    during = (
        "SELECT d.condition_occurrence_id FROM diagnoses AS d JOIN stays AS s ON s.person_id = d.person_id "
        "AND d.available_at > s.started_at AND d.available_at < s.ended_at WHERE s.kind = 'inpatient' "
        "AND d.condition_occurrence_id {} (" + problems + ")"
    )
    assert len(omop.sql(during.format("IN")).fetchall()) > 50
    assert omop.sql(during.format("NOT IN") + " AND d.visit_occurrence_id = s.visit_occurrence_id").fetchall() == []


def test_a_code_of_the_stay_that_is_no_disease_is_not_known_before_its_end_either(omop):
    """History and circumstances (Z codes) are observations by their domain; what a nurse writes is known at once."""
    coded = (
        "SELECT o.available_at, v.ended_at, o.observed_at FROM observations AS o "
        "JOIN omop__observation AS c ON c.observation_id = o.source_id AND o.source_table = 'observation' "
        "JOIN stays AS v ON v.visit_occurrence_id = o.visit_occurrence_id "
        "WHERE v.kind = 'inpatient' AND v.ended_at IS NOT NULL AND c.observation_type_concept_id = 32827 "
        "AND c.observation_source_concept_id <> 0"
    )
    assert omop.sql(f"SELECT count(*) FILTER (available_at < ended_at) FROM ({coded})").fetchall() == [(0,)]
    assert omop.sql(f"SELECT count(*) FILTER (observed_at < ended_at) > 20 FROM ({coded})").fetchall() == [(True,)]
    assert omop.sql(
        "SELECT count(*) FROM observations WHERE kind = 'allergy' AND source_code LIKE 'A%' "
        "AND available_at <> observed_at"
    ).fetchall() == [(0,)]


def test_creatinine_is_in_one_unit_and_plausible(store):
    """One hospital reports µmol/L, the other mg/L: a median of 40 to 200 says that both are µmol/L now."""
    rows = store.read("lab_results", ["value", "unit", "source_unit"], where=[("quantity", "=", "creatinine")])
    told = rows.filter(pc.is_valid(rows["value"]))
    share = pc.mean(pc.equal(told["unit"], "umol/L").cast(pa.float64())).as_py()
    assert share > 0.9 and 40 < pc.approximate_median(told["value"]).as_py() < 200


def test_admissions_add_up_to_the_stays(omop):
    counted = omop.sql(
        "SELECT sum(admissions), sum(emergency_visits) FROM admissions_daily WHERE cause = 'all'"
    ).fetchall()
    stays = omop.sql(
        "SELECT count(*) FILTER (kind = 'inpatient'), count(*) FILTER (kind = 'emergency') FROM stays"
    ).fetchall()
    assert counted == stays
    of_causes = (
        "SELECT cause, sum(admissions) AS n, sum(primary_admissions) AS p FROM admissions_daily "
        "WHERE cause <> 'all' GROUP BY cause"
    )
    assert omop.sql(f"SELECT count(*) FROM ({of_causes}) WHERE p > n OR n = 0").fetchall() == [(0,)]


def test_a_window_of_critical_care_says_nothing_from_after_its_end(omop):
    assert omop.sql(
        "SELECT count(*) FROM critical_care_windows WHERE available_at <> window_start + INTERVAL 1 DAY"
    ).fetchall() == [(0,)]
    assert omop.sql(
        "SELECT count(*) FROM critical_care_windows AS w JOIN stay_units AS u USING (visit_detail_id) "
        "WHERE u.kind <> 'critical care' OR w.window_start < u.started_at OR w.window_start > u.ended_at"
    ).fetchall() == [(0,)]


@pytest.mark.parametrize("name", VIEWS)
def test_as_of_any_instant_nothing_later_is_seen_and_what_is_seen_only_grows(store, name):
    declared, before = view(name), 0
    for as_of in INSTANTS:
        table = store.read(name, as_of=as_of)
        if declared.available_at:
            latest = pc.max(table[declared.available_at]).as_py()
            assert latest is None or latest <= as_of
        for column, facts in declared.columns.items():
            if facts.known_at:
                latest = pc.max(table.filter(pc.is_valid(table[column]))[facts.known_at]).as_py()
                assert latest is None or latest <= as_of
        assert declared.superseded_at or table.num_rows >= before
        before = table.num_rows
