"""Publication: whole or not at all, for readers who never stop reading."""

import copy
import signal
import subprocess
import sys
import threading
from datetime import UTC, date, datetime

import psycopg
import pytest
import yaml

from omop.cdm import cdm_tables
from omop.publication import install_views, publish
from omop.publication.ddl import create_table, published_tables
from omop.publication.publish import LOCK
from omop.publication.views import Origin
from omop.snapshot import last_snapshot
from omop.views.contract import views
from passerelle.errors import ReceiptError, TerminalError, WorkspaceBusy
from tests.omop.omop_case import GOLDEN, write_lake


def query(url: str, text: str, **options):
    with psycopg.connect(url, autocommit=True, **options) as connection:
        cursor = connection.execute(text)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def lake(clean, tmp_path):
    return write_lake(tmp_path, clean["given"])


def more_persons(clean: dict, number: int) -> dict:
    persons = clean["given"]["person"]
    copies = [{**persons[1], "person_id": 1000 + n} for n in range(number)]
    return {**clean["given"], "person": persons + copies}


def test_a_nul_which_postgresql_does_not_hold_is_left_out(clean, database, tmp_path):
    first, *others = clean["given"]["measurement"]
    padded = {**first, "measurement_source_value": "K\0\0"}
    publish(database, write_lake(tmp_path, {**clean["given"], "measurement": [padded, *others]}))
    told = f"SELECT measurement_source_value FROM omop.measurement WHERE measurement_id = {first['measurement_id']}"
    assert query(database, told) == [("K",)]


def test_everything_arrives_with_the_types_of_the_cdm(lake, clean, database):
    done = publish(database, lake)
    assert done["snapshot"] == "run-1" and done["kept"] == []
    for name, rows in clean["given"].items():
        assert done["tables"][name] == len(rows)
    assert done["views"] == {name: len(rows) for name, rows in clean["expect"].items()}
    columns = query(
        database,
        "SELECT column_name, data_type, is_nullable FROM information_schema.columns "
        "WHERE table_schema = 'omop' AND table_name = 'measurement' ORDER BY ordinal_position",
    )
    declared = cdm_tables()["measurement"]
    assert [name for name, _, _ in columns] == list(declared.column_names)  # no column of ours
    kinds = {name: (kind, empty) for name, kind, empty in columns}
    assert kinds["measurement_id"] == ("bigint", "NO")
    assert kinds["measurement_datetime"] == ("timestamp without time zone", "YES")
    assert kinds["measurement_source_value"] == ("text", "YES")
    assert query(
        database, "SELECT visit_start_datetime::text FROM omop.visit_occurrence WHERE visit_occurrence_id = 10"
    ) == [
        ("2025-03-03 07:30:00",)  # UTC, whatever the zone of the session
    ]
    assert query(database, "SELECT contract, snapshot_id, cdm_version FROM views_v1.contract") == [
        ("v1", "run-1", "5.4")
    ]


def test_eras_and_tables_beside_the_cdm_arrive_filled_or_empty(clean, database, tmp_path):
    days = {"start": date(2025, 3, 1), "end": date(2025, 3, 9)}
    era = {"drug_era_id": 2**62, "person_id": 1, "drug_concept_id": 1125315, "gap_days": 3, "drug_exposure_count": 2}
    feature = {"image_feature_id": 7, "person_id": 1, "image_occurrence_id": 5, "image_feature_type_concept_id": 32817}
    air = {"external_exposure_id": 8, "location_id": 5, "person_id": 1, "value_as_number": 41.5}
    kinds = {"exposure_concept_id": 0, "exposure_type_concept_id": 32817, "exposure_relationship_concept_id": 0}
    given = clean["given"] | {
        "drug_era": [era | {f"drug_era_{edge}_date": day for edge, day in days.items()}],
        "image_feature": [
            feature | {"alg_system": "lecteur 2", "alg_datetime": datetime(2025, 3, 1, 7, 30, tzinfo=UTC)}
        ],
        "external_exposure": [air | kinds | {f"exposure_{edge}_date": day for edge, day in days.items()}],
        "dose_era": [],
    }
    done = publish(database, write_lake(tmp_path, given))["tables"]
    assert [done[name] for name in ("drug_era", "image_feature", "external_exposure", "dose_era")] == [1, 1, 1, 0]
    assert done["cost"] == 0  # no run wrote it: it is there and empty
    assert query(database, "SELECT drug_era_id, drug_era_end_date, gap_days FROM omop.drug_era") == [
        (2**62, date(2025, 3, 9), 3)
    ]
    assert query(database, "SELECT alg_system, alg_datetime FROM omop.image_feature") == [
        ("lecteur 2", datetime(2025, 3, 1, 7, 30))
    ]
    assert query(database, "SELECT value_as_number, exposure_end_date, quantity FROM omop.external_exposure") == [
        (41.5, date(2025, 3, 9), None)
    ]


def test_tables_have_keys_and_an_index_by_person(lake, database):
    publish(database, lake)
    indexes = query(database, "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname IN ('omop', 'views_v1')")
    assert any(t == "measurement" and "(measurement_id)" in d and "UNIQUE" in d for t, d in indexes)
    assert any(t == "measurement" and "(person_id)" in d for t, d in indexes)
    assert any(t == "lab_results" and "(person_id)" in d for t, d in indexes)


def test_results_of_others_are_not_replaced():
    assert not {"cohort", "cohort_definition"} & {table.name for table in published_tables()}
    assert len(published_tables()) == 40  # 37 of the CDM and 3 extensions
    assert '"offset" text' in create_table(cdm_tables()["note_nlp"], "omop")


FORBIDDEN = {
    "views_reader": (
        *(f"SELECT * FROM omop.{table.name}" for table in published_tables()),
        "SELECT * FROM ops.publication",
        "CREATE TABLE delivery.mine (a int)",
        "DELETE FROM views_v1.contract RETURNING 1",
        "DELETE FROM views_v1.stays RETURNING 1",
        "CREATE TABLE views_v1.mine (a int)",
    ),
    "omop_reader": ("SELECT * FROM views_v1.stays", "SELECT * FROM ops.publication", "DELETE FROM omop.person"),
    "delivery": (
        "SELECT * FROM views_v1.stays",
        "SELECT * FROM omop.person",
        "SELECT * FROM ops.publication",
        "CREATE TABLE omop.mine (a int)",
    ),
}


@pytest.fixture(scope="module")
def published(postgres, tmp_path_factory):
    case = yaml.safe_load((GOLDEN / "two_patients.yaml").read_text(encoding="utf-8"))
    case["given"]["care_site"] = case["given"]["care_site"][::2]
    publish(postgres, write_lake(tmp_path_factory.mktemp("w"), case["given"]))
    return postgres


@pytest.mark.parametrize(("role", "text"), [(role, text) for role, texts in FORBIDDEN.items() for text in texts])
def test_a_role_does_what_it_is_for_and_nothing_else(published, role, text):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(published, text, options=f"-c role={role}")


def test_each_role_does_what_it_is_for(published):
    def as_role(role: str, text: str):
        return query(published, text, options=f"-c role={role}")

    for name in views():
        as_role("views_reader", f"SELECT * FROM views_v1.{name}")
    assert as_role("views_reader", "SELECT snapshot_id FROM views_v1.contract") == [("run-1",)]
    assert as_role("omop_reader", "SELECT count(*) FROM omop.person") == [(3,)]
    as_role("delivery", "CREATE TABLE delivery.outbox (a int); INSERT INTO delivery.outbox VALUES (1)")
    assert as_role("delivery", "SELECT a FROM delivery.outbox") == [(1,)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_role("views_reader", "SELECT * FROM delivery.outbox")


def test_readers_see_one_publication_or_the_next_never_a_mixture(clean, tmp_path, database):
    """A reader asks the same question again and again while one publication and the next replace what was there."""
    sizes = {f"run-{n}": 3 + n for n in range(1, 4)}
    lakes = {}
    for number, run in enumerate(sizes, 1):
        lake = write_lake(tmp_path, more_persons(clean, number), run, number)
        lakes[run] = last_snapshot(lake)
    publish(database, lake, lakes["run-1"])
    seen, faults, stop = [], [], threading.Event()
    question = (
        "SELECT snapshot_id, (SELECT count(*) FROM omop.person), (SELECT count(*) FROM views_v1.persons) "
        "FROM views_v1.contract"
    )

    def read() -> None:
        with psycopg.connect(database, autocommit=True) as connection:
            while not stop.is_set():
                try:
                    seen.append(connection.execute(question).fetchone())
                except psycopg.Error as error:
                    faults.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for run in ("run-2", "run-3"):  # what differs; everything
            publish(database, lake, lakes[run], whole=run == "run-3")
    finally:
        stop.set()
        reader.join()
    assert not faults
    assert {(run, sizes[run], sizes[run]) for run, _, _ in seen} == set(seen)
    assert {run for run, _, _ in seen} >= {"run-1", "run-3"}
    assert leftovers(database) == []


def everything_in(url: str) -> dict[str, list]:
    """Every row of every table and view, in an order of its own."""
    names = query(url, "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('omop', 'views_v1')")
    return {
        f"{schema}.{name}": sorted(query(url, f'SELECT t::text FROM {schema}."{name}" AS t')) for schema, name in names
    }


def changed(given: dict) -> dict:
    """Another day: an order is corrected, a result withdrawn, a person and a death are new, a name is corrected."""
    rows = copy.deepcopy(given)
    rows["drug_exposure"][0]["quantity"] = 110
    rows["measurement"] = [row for row in rows["measurement"] if row["measurement_id"] != 301]
    rows["person"].append({**rows["person"][1], "person_id": 4})
    rows["death"].append({**rows["death"][0], "person_id": 4})
    rows["care_site"][0]["care_site_name"] = "Cardiologie A"
    return rows


def test_an_increment_sends_what_differs_and_leaves_what_a_whole_publication_would(clean, tmp_path, database, postgres):
    lake = write_lake(tmp_path, clean["given"])
    publish(database, lake)
    assert publish(database, lake)["travelled"] == {}
    write_lake(tmp_path, changed(clean["given"]), "run-2", 2)
    done = publish(database, lake)
    # An order is gone and came; a death table has no key and travels whole.
    sent = done["travelled"]
    assert (sent["drug_exposure"], sent["measurement"], sent["person"], sent["death"], sent["lab_results"]) == (
        2,
        1,
        1,
        2,
        1,
    )
    assert not sent.get("concept")
    incremental = everything_in(database)
    whole = publish(database, lake, whole=True)
    assert everything_in(database) == incremental
    assert (done["tables"], done["views"], done["snapshot"]) == (whole["tables"], whole["views"], "run-2")
    assert leftovers(database) == []


def test_a_table_without_a_key_may_become_empty(clean, tmp_path, database):
    lake = write_lake(tmp_path, clean["given"])
    publish(database, lake)
    write_lake(tmp_path, {**clean["given"], "death": []}, "run-2", 2)
    sent = publish(database, lake)["travelled"]
    assert (sent["death"], sent["deaths"]) == (0, 1)
    assert query(database, "SELECT (SELECT count(*) FROM omop.death), (SELECT count(*) FROM views_v1.deaths)") == [
        (0, 0)
    ]


def test_what_was_installed_or_declared_otherwise_is_published_whole(clean, tmp_path, database):
    """Views that somebody installed by hand over our tables, or columns of another release, take no increment."""
    lake = write_lake(tmp_path, clean["given"])
    publish(database, lake)
    with psycopg.connect(database) as connection:
        install_views(connection, "omop", Origin("by-hand", None))
    assert publish(database, lake)["travelled"]["person"] == 3
    query(database, "UPDATE ops.publication SET columns = 'person_id' WHERE name = 'omop.person'")
    assert publish(database, lake)["travelled"]["person"] == 3
    assert query(database, "SELECT snapshot_id FROM views_v1.contract") == [("run-1",)]
    assert publish(database, lake)["travelled"] == {}


def test_another_workspace_is_published_whole(clean, tmp_path, database):
    publish(database, write_lake(tmp_path / "a", clean["given"]))
    done = publish(database, write_lake(tmp_path / "b", clean["given"], "run-b"))
    assert done["travelled"]["person"] == 3
    assert query(database, "SELECT snapshot_id FROM views_v1.contract") == [("run-b",)]


KILLED = """
import os, signal, sys
from pathlib import Path
from omop.lake import Lake
from omop.publication import install_views, publish
module = sys.modules["omop.publication.{module}"]
module.{name} = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
publish(sys.argv[1], Lake(Path(sys.argv[2])), whole={whole})
"""


@pytest.mark.parametrize(
    ("module", "name", "whole"),
    [("publish", "store_views", True), ("publish", "write_record", True), ("increment", "write_record", False)],
)
def test_a_publication_that_is_killed_leaves_the_one_before(clean, tmp_path, database, repository, module, name, whole):
    lake = write_lake(tmp_path, clean["given"])
    publish(database, lake)
    before = everything_in(database)
    write_lake(tmp_path, changed(clean["given"]), "run-2", 2)
    text = KILLED.format(module=module, name=name, whole=whole)
    done = subprocess.run([sys.executable, "-c", text, database, str(tmp_path)], cwd=repository, check=False)
    assert done.returncode == -signal.SIGKILL
    assert everything_in(database) == before
    assert publish(database, lake)["snapshot"] == "run-2"
    assert leftovers(database) == []


def leftovers(url: str) -> list:
    return query(url, "SELECT nspname FROM pg_namespace WHERE nspname ~ '_(old|next)'")


def test_a_publication_that_fails_leaves_the_one_before(clean, tmp_path, lake, database):
    publish(database, lake)
    twice = {**clean["given"], "person": clean["given"]["person"] * 2}
    write_lake(tmp_path, twice, "run-2", 2)
    with pytest.raises(ReceiptError, match=r"primary key.* twice"):
        publish(database, lake)
    assert query(database, "SELECT snapshot_id, (SELECT count(*) FROM omop.person) FROM views_v1.contract") == [
        ("run-1", 3)
    ]
    write_lake(tmp_path, clean["given"], "run-3", 3)
    assert publish(database, lake)["snapshot"] == "run-3"  # what the failed one left is no obstacle
    assert leftovers(database) == []


def test_an_analysts_view_is_not_dropped_with_the_old_tables(lake, database):
    publish(database, lake)
    query(database, "CREATE VIEW public.mine AS SELECT count(*) AS n FROM omop.person")
    assert publish(database, lake, whole=True)["kept"] == ["omop_old_1"]
    assert query(database, "SELECT n FROM public.mine") == [(3,)]
    query(database, "DROP VIEW public.mine")
    assert publish(database, lake, whole=True)["kept"] == []


def test_a_schema_of_others_is_never_replaced(lake, database):
    query(database, "CREATE SCHEMA omop; CREATE TABLE omop.person (person_id int)")
    with pytest.raises(TerminalError, match="not made by passerelle"):
        publish(database, lake)
    assert query(database, "SELECT count(*) FROM omop.person") == [(0,)]


def test_two_publications_at_once_are_one_too_many(lake, database):
    with psycopg.connect(database, autocommit=True) as other:
        other.execute(f"SELECT pg_advisory_lock({LOCK})")
        with pytest.raises(WorkspaceBusy):
            publish(database, lake)
