"""The views on Sail, PostgreSQL and DuckDB: the same rows, and those that a clinician expects."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sqlglot
from sqlglot import exp

from omop.publication import install_views
from omop.publication.views import Origin
from omop.views.contract import FOLDER, view, views
from omop.views.render import in_order as in_order_of_reading
from omop.views.render import render
from passerelle.errors import ContractError
from tests.omop.omop_case import arrow, expected, in_order, naive, needed, on_duckdb, on_sail, utc, views_of_duckdb
from tests.omop.views_on_spark import differing

VIEWS = sorted(views())
CDM_5_3 = {
    "visit_occurrence": {
        "visit_occurrence_id": "integer",
        "person_id": "integer",
        "visit_concept_id": "integer",
        "visit_start_date": "date",
        "visit_end_date": "date",
        "admitting_source_concept_id": "integer",
    }
}


def on_postgres(url: str, tables: dict[str, pa.Table], schema: str = "cdm") -> dict[str, pa.Table]:
    """The views installed over tables that somebody else made; read in another time zone."""
    import psycopg
    from adbc_driver_postgresql import dbapi

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        with dbapi.connect(url, autocommit=True) as bulk, bulk.cursor() as cursor:
            for name, table in tables.items():
                cursor.adbc_ingest(name, naive(table), mode="create", db_schema_name=schema)
        connection.execute("ALTER DATABASE " + connection.info.dbname + " SET TimeZone = 'America/New_York'")
        with connection.transaction():
            counts = install_views(connection, schema, Origin("by-hand", None))
    read = all_of_postgres(url)
    assert counts == {name: table.num_rows for name, table in read.items()}
    return read


def all_of_postgres(url: str) -> dict[str, pa.Table]:
    """Every row of every view, those that were superseded too."""
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        found = {}
        for name in VIEWS:
            cursor.execute(f"SELECT * FROM views_v1.{name}")
            found[name] = in_order(name, utc(cursor.fetch_arrow_table()))
    return found


def given_tables(golden: dict) -> dict[str, pa.Table]:
    return {name: arrow(name, golden["given"].get(name, [])) for name in needed()}


def wanted(golden: dict) -> dict[str, pa.Table]:
    return {name: in_order(name, expected(name, golden["expect"][name])) for name in VIEWS}


def compare(found: dict[str, pa.Table], golden: dict) -> None:
    for name, table in wanted(golden).items():
        assert found[name].to_pylist() == table.to_pylist(), name
        assert found[name].schema == table.schema


def test_two_patients_on_the_embedded_engine(golden, sail):
    compare(on_sail(sail, given_tables(golden)), golden)


def test_two_patients_on_duckdb(golden):
    compare(on_duckdb(given_tables(golden)), golden)


def test_two_patients_on_postgresql(golden, database):
    compare(on_postgres(database, given_tables(golden)), golden)


def test_a_database_that_keeps_instants_gives_the_same(golden, database):
    """Some sites use ``timestamptz``: the zone of the session must not shift a stay."""
    import psycopg

    tables = given_tables(golden)
    on_postgres(database, tables)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP SCHEMA views_v1 CASCADE")
        for table, column in (
            ("visit_occurrence", "visit_start_datetime"),
            ("drug_exposure", "drug_exposure_end_datetime"),
        ):
            connection.execute(
                f"ALTER TABLE cdm.{table} ALTER COLUMN {column} TYPE timestamptz USING {column} AT TIME ZONE 'UTC'"
            )
        with connection.transaction():
            install_views(connection, "cdm", Origin("by-hand", None))
    compare(all_of_postgres(database), golden)


@pytest.mark.parametrize("name", VIEWS)
def test_sql_and_declaration_have_the_same_columns(name):
    tree = sqlglot.parse_one(view(name).sql_file.read_text(encoding="utf-8"), read="spark")
    assert [column.alias_or_name for column in tree.selects] == list(view(name).columns)


@pytest.mark.parametrize("file", [*FOLDER.glob("*.sql"), *FOLDER.glob("steps/*.sql")], ids=lambda path: path.stem)
def test_what_is_read_is_read_by_source_steps_without_join(file):
    tree = sqlglot.parse_one(file.read_text(encoding="utf-8"), read="spark")
    references = [reference for reference in tree.find_all(exp.Table) if reference.db]
    assert len({(reference.db, reference.name) for reference in references}) == len(references)
    assert not any(reference.find_ancestor(exp.Select).args.get("joins") for reference in references)


@pytest.mark.parametrize("dialect", ["spark", "postgres", "duckdb", "tsql"])
@pytest.mark.parametrize("name", VIEWS)
def test_every_view_is_rendered_for_every_engine(name, dialect):
    query = render(name, dialect, "omop__{}".format, "view__{}".format)
    tree = sqlglot.parse_one(query, read=dialect)
    assert [column.alias_or_name for column in tree.selects] == list(view(name).columns)
    if dialect == "tsql":
        assert "INTERVAL" not in query
        assert not any(step.find_ancestor(exp.Subquery) for step in tree.find_all(exp.With))


def test_a_database_without_most_tables_gives_empty_views_not_errors():
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE omop__visit_occurrence AS SELECT 1 AS visit_occurrence_id, 2 AS person_id, 9201 AS "
            "visit_concept_id, DATE '2020-01-01' AS visit_start_date, DATE '2020-01-03' AS visit_end_date, "
            "8883 AS admitting_source_concept_id"
        )
        rows = {name: table.to_pylist() for name, table in views_of_duckdb(connection, CDM_5_3).items()}
    assert {name for name, found in rows.items() if found} == {"stays", "admissions_daily"}
    assert rows["stays"][0]["admitted_from_concept_id"] == 8883  # the name of 5.3
    assert rows["admissions_daily"][0]["place"] == "unknown"


@pytest.mark.parametrize("left", ["measurement", "visit_detail", "external_exposure", "condition_occurrence"])
def test_one_table_alone_is_enough_for_its_views(golden, left):
    """Any subset of tables: what is missing makes a view empty, or leaves names out, and is never an error."""
    tables = {left: given_tables(golden)[left]}
    shape = {
        left: {
            field.name: str(field.type).replace("timestamp[us, tz=UTC]", "timestamp") for field in tables[left].schema
        }
    }
    found = on_duckdb(tables, shape)
    filled = {name for name, table in found.items() if table.num_rows}
    # A window of critical care needs a passage through the unit, and something that became known there.
    assert filled == {name for name in VIEWS if left in view(name).rows_of} - {"critical_care_windows"}


def test_an_unknown_view_is_answered_with_the_known_ones():
    with pytest.raises(ContractError, match="drug_orders"):
        view("prescriptions")


# --- A database of CDM 5.3 that we did not make: GiBleed --------------------------------------------------------------

SHAPE_TYPES = {"int32": "integer", "date32[day]": "date", "timestamp[us]": "timestamp without time zone"}


def gibleed(folder: Path) -> dict[str, pa.Table]:
    import pyarrow.parquet as pq

    files = {path.stem: path for path in (folder / "omop-gibleed").glob("*.parquet")}
    return {name: pq.read_table(files[name]) for name in sorted(needed() & set(files))}


@pytest.fixture(scope="module")
def gibleed_on_duckdb(shared_data):
    tables = gibleed(shared_data)
    shape = {
        name: {f.name: SHAPE_TYPES.get(str(f.type), str(f.type)) for f in table.schema}
        for name, table in tables.items()
    }
    return tables, shape, on_duckdb(tables, shape)


def test_gibleed_keeps_every_row_and_invents_none(gibleed_on_duckdb):
    tables, _, found = gibleed_on_duckdb
    rows = {name: table.num_rows for name, table in found.items()}
    assert {name: n for name, n in rows.items() if n} == {
        "persons": 2_694,
        "stays": 1_037,
        "diagnoses": tables["condition_occurrence"].num_rows,  # 65,332, most on visits that do not exist
        "drug_orders": 41_997,  # legacy type 38000177; the other 25,710 were dispensed in an office
        # 44,053 rows of measurement, with 2,183 surplus keys: not multiplied, not removed.
        "lab_results": 31_180,
        "vital_signs": 12_873,
        "observations": tables["observation"].num_rows,
        "procedures": tables["procedure_occurrence"].num_rows,
        "drug_eras": tables["drug_era"].num_rows,
        "condition_eras": 318_119,  # in all their states; those of today are counted by the next test
        "admissions_daily": 1_012,
    }
    assert found["lab_results"]["value"].null_count == found["lab_results"].num_rows
    assert found["drug_orders"]["dose_value"].null_count == 41_997
    assert found["persons"]["birth_date"].null_count == 0


def test_gibleed_has_the_condition_eras_of_its_own_table(gibleed_on_duckdb, shared_data):
    """Of 65,719, those of concept 0 (443) have no diagnosis left, and a diagnosis without a concept makes no era."""
    import pyarrow.parquet as pq

    found = gibleed_on_duckdb[2]
    table = pq.read_table(shared_data / "omop-gibleed" / "condition_era.parquet")
    columns = ["person_id", "condition_concept_id", "started_on", "ended_on"]
    today = found["condition_eras"].filter(pc.is_null(found["condition_eras"]["superseded_at"])).select(columns)
    reference = table.filter(pc.not_equal(table["condition_concept_id"], 0))
    reference = reference.select(
        ["person_id", "condition_concept_id", "condition_era_start_date", "condition_era_end_date"]
    ).rename_columns(columns)
    assert sorted(rows_of(today)) == sorted(rows_of(reference))


def rows_of(table: pa.Table) -> list[tuple]:
    return list(zip(*(table[name].to_pylist() for name in table.column_names), strict=True))


def test_gibleed_gives_the_same_rows_on_postgresql(gibleed_on_duckdb, database):
    tables, _, found = gibleed_on_duckdb
    on_server = on_postgres(database, tables)
    for name in VIEWS:
        assert on_server[name].equals(found[name]), name


def test_gibleed_gives_the_same_rows_on_the_embedded_engine(gibleed_on_duckdb, sail, tmp_path):
    import pyarrow.parquet as pq

    tables, shape, found = gibleed_on_duckdb
    for name, table in tables.items():
        (tmp_path / name).mkdir()
        pq.write_table(utc(table), tmp_path / name / "rows.parquet")
        sail.view_of_parquet(f"gibleed__{name}", tmp_path / name)
    for name in in_order_of_reading():
        query = sail.sql(render(name, "spark", "gibleed__{}".format, "gibleed_view__{}".format, shape))
        query.createOrReplaceTempView(f"gibleed_view__{name}")
        assert in_order(name, utc(query.toArrow())).equals(found[name]), name


def test_gibleed_gives_the_same_rows_on_apache_spark(gibleed_on_duckdb, shared_data, delta_jars, repository, tmp_path):
    _, _, found = gibleed_on_duckdb
    assert differing(delta_jars, repository, tmp_path, shared_data / "omop-gibleed", found) == []


# Makes a dialect slowly, and asks for one from many threads while it is being made.
AT_ONCE = """
import time
from concurrent.futures import ThreadPoolExecutor
from sqlglot.dialects import dialect

made = dialect.new_trie
dialect.new_trie = lambda *words: (time.sleep(0.02), made(*words))[1]
from omop.views.render import render

def later(number):
    time.sleep(number * 0.01)
    return render("diagnoses", "postgres", str, str)

with ThreadPoolExecutor(20) as threads:
    print(len(set(threads.map(later, range(20)))))
"""


def test_threads_that_ask_at_once_get_the_same_sql(repository):
    done = subprocess.run([sys.executable, "-c", AT_ONCE], cwd=repository, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["1"]
