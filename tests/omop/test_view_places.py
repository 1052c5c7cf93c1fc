"""The same views in a lake, a PostgreSQL, a DuckDB file and on Spark Connect: installed, checked, compared, read."""

import shutil
from datetime import UTC, date, datetime

import duckdb
import psycopg
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omop.cdm import cdm_tables
from omop.publication import publish
from omop.publication.duckdb_file import install_in_file, install_over_folder, publish_to_file
from omop.views.check import check_views
from omop.views.compare import compare_views
from omop.views.contract import view, views
from omop.views.places import open_place
from omop.views.store import ViewStore
from passerelle.errors import ContractError, TerminalError, UsageError
from tests.omop.omop_case import GOLDEN, write_lake
from tests.omop.test_publication import changed

VIEWS = sorted(views())
INSTANTS = st.datetimes(datetime(2025, 1, 10), datetime(2025, 4, 2), timezones=st.just(UTC))


@pytest.fixture(scope="module")
def given_rows() -> dict:
    given = yaml.safe_load((GOLDEN / "two_patients.yaml").read_text(encoding="utf-8"))["given"]
    given["care_site"] = given["care_site"][::2]
    return given


@pytest.fixture(scope="module")
def lake(given_rows, tmp_path_factory):
    return write_lake(tmp_path_factory.mktemp("w"), given_rows)


@pytest.fixture(scope="module")
def connect_server():
    """A Spark Connect server in this process, on a port of its own."""
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer("127.0.0.1", 0)
    server.start()
    yield "{}:{}".format(*server.listening_address)
    server.stop()


@pytest.fixture(scope="module")
def places(lake, postgres, connect_server, tmp_path_factory) -> dict[str, str]:
    file = tmp_path_factory.mktemp("file") / "views.duckdb"
    publish(postgres, lake)
    publish_to_file(file, lake, with_omop=True)
    return {
        "lake": str(lake.workspace),
        "postgresql": postgres,
        "duckdb": str(file),
        "connect": f"sc://{connect_server}/;workspace={lake.workspace}",
    }


@pytest.fixture(scope="module")
def stores(places) -> dict[str, ViewStore]:
    return {name: ViewStore.open(place) for name, place in places.items()}


@pytest.mark.parametrize("other", ["postgresql", "duckdb", "connect"])
def test_every_store_holds_the_same_rows(stores, other):
    found = compare_views(stores["lake"], stores[other])
    assert [row.view for row in found if not row.equal] == []
    assert {row.view for row in found} == set(VIEWS)


def test_every_store_names_contract_snapshot_and_views(stores):
    assert {store.contract for store in stores.values()} == {"v1"}
    assert {store.snapshot_id for store in stores.values()} == {"run-1"}
    assert [dict(store.versions) for store in stores.values()] == [dict.fromkeys(VIEWS, "v1")] * 4
    for store in stores.values():
        told = {b"contract": b"v1", b"snapshot_id": b"run-1"}
        assert store.read("persons").schema.metadata == told
        assert [batch.schema.metadata for batch in store.batches("persons")] == [told]


FILTERS = st.sampled_from(
    [
        ("lab_results", [("quantity", "=", "creatinine")]),
        ("lab_results", [("value", ">", 100.0), ("unit", "in", ["umol/L", "10*9/L"])]),
        ("lab_results", [("available_at", ">=", datetime(2025, 3, 4, 12, tzinfo=UTC))]),
        ("drug_orders", [("atc_code", "!=", "B01AE07")]),
        ("drug_orders", [("ended_at", "<", datetime(2025, 3, 9, tzinfo=UTC))]),
        ("stays", [("end_date", "<=", date(2025, 3, 10))]),
        ("persons", [("year_of_birth", "<", 1985)]),
        ("persons", [("person_id", "in", [])]),
        ("condition_eras", [("occurrences", ">=", 2)]),
    ]
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=FILTERS, as_of=st.none() | INSTANTS, persons=st.none() | st.lists(st.integers(1, 3)))
def test_every_store_answers_a_request_alike(stores, asked, as_of, persons):
    name, where = asked
    first, *others = (store.read(name, as_of=as_of, person_ids=persons, where=where) for store in stores.values())
    assert all(table.equals(first) for table in others)


def test_a_condition_sees_no_value_that_was_not_known(stores):
    """On the 4th nobody knew that the order would end on the 5th: no condition may find it by its end."""
    as_of, end = datetime(2025, 3, 4, tzinfo=UTC), datetime(2025, 3, 6, tzinfo=UTC)
    for store in stores.values():
        found = store.read("drug_orders", ["drug_exposure_id"], as_of, where=[("ended_at", "<", end)])
        assert 200 not in found["drug_exposure_id"].to_pylist()


def test_wrong_requests_are_refused(stores):
    for where, words in (
        ([("name", "=", "x")], "no column name"),
        ([("sex", "like", "F")], "no operator like"),
        ([("available_at", "<", datetime(2025, 3, 4))], "zone"),
    ):
        with pytest.raises(ContractError, match=words):
            stores["lake"].read("persons" if "sex" in where[0] else "stays", where=where)
    with pytest.raises(ContractError, match="not of persons"):
        stores["lake"].read("admissions_daily", person_ids=[1])


@pytest.mark.parametrize("place", ["lake", "postgresql", "duckdb"])
def test_a_place_that_is_right_passes(places, stores, place):
    with open_place(places[place]) as opened:
        found = {check.view: check for check in check_views(opened)}
    assert {check.status for check in found.values()} == {"ok"}
    assert {name: check.rows for name, check in found.items()} == {
        name: stores["lake"].every_state(name).num_rows for name in VIEWS
    }


BROKEN = [
    (
        "persons",
        "CREATE VIEW views_v1.persons AS SELECT 1::bigint AS person_id",
        "failed",
        "sex: there is no such column",
    ),
    ("stays", None, "absent", "no such view"),
    (
        "order_reviews",
        "CREATE TABLE views_v1.order_reviews AS SELECT * FROM kept; UPDATE views_v1.order_reviews SET outcome = NULL",
        "failed",
        "outcome: 2 rows have none",
    ),
    (
        "drug_eras",
        "CREATE TABLE views_v1.drug_eras AS SELECT * FROM kept UNION ALL SELECT * FROM kept",
        "warning",
        "1 keys are there more than once",
    ),
    (
        "vital_signs",
        "CREATE TABLE views_v1.vital_signs AS SELECT * FROM kept; "
        "UPDATE views_v1.vital_signs SET unit = 'kPa' WHERE value = 45; "
        "UPDATE views_v1.vital_signs SET sign = 'systolic blood pressure'",
        "warning",
        "systolic blood pressure: 3 units among 3 values",
    ),
    (
        "deaths",
        "CREATE TABLE views_v1.deaths AS SELECT * FROM kept; ALTER TABLE views_v1.deaths ALTER died_on TYPE varchar",
        "failed",
        "died_on: varchar instead of date",
    ),
]


@pytest.mark.parametrize(("name", "statement", "status", "words"), BROKEN, ids=[row[0] for row in BROKEN])
def test_a_place_that_is_wrong_is_told_what(places, tmp_path, name, statement, status, words):
    file = tmp_path / "broken.duckdb"
    shutil.copyfile(places["duckdb"], file)
    with duckdb.connect(str(file)) as connection:
        connection.execute(f"CREATE TEMP TABLE kept AS SELECT * FROM views_v1.{name}")
        connection.execute(f"DROP TABLE views_v1.{name}")
        connection.execute(statement or "SELECT 1")
    with open_place(file) as opened:
        found = {check.view: check for check in check_views(opened)}[name]
    assert found.status == status and any(words in finding for finding in found.findings), found


def test_an_empty_view_says_which_table_is_lacking(given_rows, tmp_path):
    rows = {**given_rows, "death": [], "note_nlp": []}
    with open_place(write_lake(tmp_path, rows).workspace) as opened:
        found = {check.view: check for check in check_views(opened)}
    assert (found["deaths"].status, found["deaths"].findings) == ("empty", ("death is not there or has no row",))
    assert found["note_annotations"].findings == ("note_nlp is not there or has no row",)


def test_rows_that_differ_are_counted_on_both_sides(stores, given_rows, tmp_path):
    other = ViewStore.open(write_lake(tmp_path, changed(given_rows)).workspace)
    found = {row.view: row for row in compare_views(stores["lake"], other)}
    assert (found["drug_orders"].only_a, found["drug_orders"].only_b) == (1, 1)
    assert (found["lab_results"].rows_a, found["lab_results"].rows_b, found["lab_results"].only_a) == (5, 4, 1)
    assert found["notes"].equal and not found["persons"].equal


def test_a_file_with_the_cdm_has_its_columns_and_no_other(places):
    with duckdb.connect(places["duckdb"], read_only=True) as connection:
        query = "SELECT column_name FROM duckdb_columns() WHERE schema_name = 'omop' AND table_name = 'measurement'"
        found = [name for (name,) in connection.sql(query).fetchall()]
    assert found == list(cdm_tables()["measurement"].column_names)


def test_views_over_the_tables_of_a_duckdb_file(places, stores, tmp_path):
    file = tmp_path / "omop.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(f"ATTACH '{places['duckdb']}' AS published (READ_ONLY)")
        tables = connection.sql("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'omop'").fetchall()
        for (name,) in tables:
            connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM published.omop."{name}"')
    install_in_file(file)
    assert all(row.equal for row in compare_views(stores["lake"], ViewStore.open(file)))
    install_in_file(file)  # again, over our own
    with duckdb.connect(str(file)) as connection:
        connection.execute("DROP SCHEMA views_v1 CASCADE; CREATE SCHEMA views_v1; CREATE TABLE views_v1.mine (a int)")
    with pytest.raises(TerminalError, match="not made by passerelle"):
        install_in_file(file)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_views_over_a_folder_of_files(places, stores, tmp_path, kind):
    options = "(FORMAT parquet)" if kind == "parquet" else "(FORMAT csv, HEADER)"
    with duckdb.connect(places["duckdb"], read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for (name,) in connection.sql("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'omop'").fetchall():
            connection.execute(f"COPY omop.\"{name}\" TO '{tmp_path}/{name}.{kind}' {options}")
    rows = install_over_folder(tmp_path)
    assert rows["persons"] == 3
    found = compare_views(stores["lake"], ViewStore.open(tmp_path / "views_v1.duckdb"))
    assert [row.view for row in found if not row.equal] == []


def test_places_without_views_are_refused_with_what_to_do(tmp_path, database):
    with pytest.raises(ContractError, match="no CDM table"):
        install_over_folder(tmp_path)
    with pytest.raises(ContractError, match="no such DuckDB file"):
        ViewStore.open(tmp_path / "absent.duckdb")
    with duckdb.connect(str(tmp_path / "empty.duckdb")) as connection:
        connection.execute("CREATE TABLE a (b int)")
    for refused in (ViewStore.open, install_in_file):
        with pytest.raises(ContractError):
            refused(tmp_path / "empty.duckdb")
    with pytest.raises(ContractError, match="no views"), open_place(database) as place:
        check_views(place)
    with pytest.raises(UsageError, match="which workspace"):
        ViewStore.open("sc://localhost:15002")


def test_a_file_that_is_replaced_is_replaced_whole(lake, given_rows, tmp_path):
    file = tmp_path / "views.duckdb"
    publish_to_file(file, lake)
    before = ViewStore.open(file)
    assert publish_to_file(file, lake)["views"]["persons"] == 3
    assert before.read("persons").num_rows == 3
    assert [path.name for path in tmp_path.iterdir()] == ["views.duckdb"]
    with duckdb.connect(str(file), read_only=True) as connection:
        schemas = {name for (name,) in connection.sql("SELECT DISTINCT schema_name FROM duckdb_tables()").fetchall()}
    assert schemas == {"views_v1"}  # the CDM stays at home unless it is asked for


def test_a_reader_of_views_may_check_them(places):
    reader = places["postgresql"] + "&options=-c%20role%3Dviews_reader"
    with open_place(reader) as opened:
        assert {check.status for check in check_views(opened)} == {"ok"}
    with psycopg.connect(reader) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT * FROM omop.person")


def test_the_version_of_each_view_is_that_of_the_contract():
    assert {view(name).version for name in VIEWS} == {"v1"}
