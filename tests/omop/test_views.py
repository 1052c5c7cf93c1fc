"""The views on Sail, PostgreSQL and DuckDB: the same rows, and those that a clinician expects."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from sqlglot import exp

from omop.publication import install_views
from omop.publication.views import Origin
from omop.views.contract import view, views
from omop.views.render import render, tables_of
from passerelle.errors import ContractError
from tests.omop.omop_case import arrow, expected, in_order, needed, on_sail

VIEWS = sorted(views())
CDM_5_3 = {
    "visit_occurrence": {
        "visit_occurrence_id": "integer",
        "person_id": "integer",
        "visit_start_date": "date",
        "visit_end_date": "date",
        "admitting_source_concept_id": "integer",
    }
}


def on_duckdb(tables: dict[str, pa.Table], shape=None) -> dict[str, pa.Table]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'America/New_York'")  # the zone of a session must not matter
        for name, table in tables.items():
            connection.register(f"omop__{name}", naive(table))
        return {
            name: in_order(name, utc(connection.sql(render(name, "duckdb", "omop__{}".format, shape)).to_arrow_table()))
            for name in VIEWS
        }


def on_postgres(url: str, tables: dict[str, pa.Table], schema: str = "cdm") -> dict[str, pa.Table]:
    """The views installed over tables that somebody else made; read in another time zone."""
    import psycopg
    from adbc_driver_postgresql import dbapi

    from omop.views.store import ViewStore

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        with dbapi.connect(url, autocommit=True) as bulk, bulk.cursor() as cursor:
            for name, table in tables.items():
                cursor.adbc_ingest(name, naive(table), mode="create", db_schema_name=schema)
        connection.execute("ALTER DATABASE " + connection.info.dbname + " SET TimeZone = 'America/New_York'")
        with connection.transaction():
            counts = install_views(connection, schema, Origin("by-hand", None))
    store = ViewStore.open(url)
    read = {name: store.read(name) for name in VIEWS}
    assert counts == {name: table.num_rows for name, table in read.items()}
    return {name: in_order(name, table) for name, table in read.items()}


def naive(table: pa.Table) -> pa.Table:
    """Times without a zone, as OMOP databases keep them."""
    fields = [pa.field(f.name, pa.timestamp("us") if pa.types.is_timestamp(f.type) else f.type) for f in table.schema]
    return table.cast(pa.schema(fields))


def utc(table: pa.Table) -> pa.Table:
    """DuckDB names instants after the session's zone."""
    fields = [
        pa.field(f.name, pa.timestamp("us", tz="UTC") if pa.types.is_timestamp(f.type) else f.type)
        for f in table.schema
    ]
    return table.cast(pa.schema(fields))


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
    from omop.views.store import ViewStore

    store = ViewStore.open(database)
    compare({name: in_order(name, store.read(name)) for name in VIEWS}, golden)


@pytest.mark.parametrize("name", VIEWS)
def test_sql_and_declaration_have_the_same_columns(name):
    tree = sqlglot.parse_one(view(name).sql_file.read_text(encoding="utf-8"), read="spark")
    assert [column.alias_or_name for column in tree.selects] == list(view(name).columns)


@pytest.mark.parametrize("name", VIEWS)
def test_each_omop_table_is_read_by_one_source_step_without_join(name):
    tree = sqlglot.parse_one(view(name).sql_file.read_text(encoding="utf-8"), read="spark")
    references = [reference for reference in tree.find_all(exp.Table) if reference.db == "omop"]
    assert len(references) == len(tables_of(name))
    assert not any(reference.find_ancestor(exp.Select).args.get("joins") for reference in references)


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_can_be_read_by_person(name):
    assert view(name).columns["person_id"].type == "bigint"


def test_a_database_without_most_tables_gives_empty_views_not_errors():
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE omop__visit_occurrence AS SELECT 1 AS visit_occurrence_id, 2 AS person_id, "
            "DATE '2020-01-01' AS visit_start_date, DATE '2020-01-03' AS visit_end_date, "
            "8883 AS admitting_source_concept_id"
        )
        rows = {
            name: connection.sql(render(name, "duckdb", "omop__{}".format, CDM_5_3)).to_arrow_table().to_pylist()
            for name in VIEWS
        }
    assert {name: len(found) for name, found in rows.items()} == {name: int(name == "stays") for name in VIEWS}
    assert rows["stays"][0]["admitted_from_concept_id"] == 8883  # the name of 5.3
    assert rows["stays"][0]["kind"] == "other"


def test_an_unknown_view_is_answered_with_the_known_ones():
    with pytest.raises(ContractError, match="drug_orders"):
        view("prescriptions")


# --- A database of CDM 5.3 that we did not make: GiBleed --------------------------------------------------------------

SHAPE_TYPES = {"int32": "integer", "date32[day]": "date", "timestamp[us]": "timestamp without time zone"}


def gibleed(folder: Path) -> dict[str, pa.Table]:
    import pyarrow.parquet as pq

    return {name: pq.read_table(folder / "omop-gibleed" / f"{name}.parquet") for name in needed()}


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
    assert {name: table.num_rows for name, table in found.items()} == {
        "persons": 2_694,
        "stays": 1_037,
        "diagnoses": tables["condition_occurrence"].num_rows,  # 65,332, most on visits that do not exist
        "drug_orders": 41_997,  # legacy type 38000177; the other 25,710 were dispensed in an office
        "drug_administrations": 0,
        "lab_results": tables["measurement"].num_rows,  # with 2,183 surplus keys: not multiplied, not removed
        "order_reviews": 0,
    }
    assert found["lab_results"]["value"].null_count == found["lab_results"].num_rows
    assert found["drug_orders"]["dose_value"].null_count == 41_997
    assert found["persons"]["birth_date"].null_count == 0


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
    for name in VIEWS:
        computed = sail.sql(render(name, "spark", "gibleed__{}".format, shape)).toArrow()
        assert in_order(name, utc(computed)).equals(found[name]), name
