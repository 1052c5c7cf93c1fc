"""The generated hospital in a real PostgreSQL, and its declaration."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from etl.compiler import compile_source
from etl.declaration import SOURCES, load_source
from etl.demo.chu_demo import generate, patient_tables
from etl.demo.record import TRUTH
from etl.demo.server import demo_server
from etl.findings import Severity
from etl.readers.database import Blocks, count_blocks
from etl.scaffold.infer import infer
from etl.scaffold.kinds import kind_of
from etl.scaffold.scan_database import scan_database
from passerelle.errors import SourceError, UsageError
from passerelle.source_check import check_source

PATIENTS = 60


@pytest.fixture(scope="module")
def data(open_folder: Path) -> Path:
    return open_folder / "data"


@pytest.fixture(scope="module")
def dsn(data: Path) -> Iterator[str]:
    with demo_server(data) as url:
        yield url


@pytest.fixture(scope="module")
def rows(dsn: str) -> dict[str, int]:
    return generate(dsn, patients=PATIENTS)


def test_every_row_is_loaded(dsn, rows):
    with psycopg.connect(dsn) as connection:
        for name, expected in rows.items():
            target = name if "." in name else f"dpi.{name}"
            assert connection.execute(f"SELECT count(*) FROM {target}").fetchone()[0] == expected, name
    assert rows["patient"] == PATIENTS and all(rows.values())


def test_what_is_loaded_is_what_was_drawn(dsn, rows):
    drawn = patient_tables(PATIENTS)["prescription"].sort_by("ligne_id")
    with psycopg.connect(dsn) as connection:
        loaded = connection.execute(
            "SELECT ligne_id, code_atc, dose, debut, fin FROM dpi.prescription ORDER BY ligne_id"
        ).fetchall()
    assert loaded == list(
        zip(*(drawn[c].to_pylist() for c in ("ligne_id", "code_atc", "dose", "debut", "fin")), strict=True)
    )


def test_a_second_generation_replaces_the_first(dsn, rows):
    assert generate(dsn, patients=PATIENTS) == rows


def test_a_hospital_without_patients_is_refused(dsn):
    with pytest.raises(UsageError, match="at least one patient"):
        generate(dsn, patients=0)


def test_the_server_stops_only_what_it_started(data, dsn, rows):
    with demo_server(data) as again:
        assert again == dsn
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_server_that_was_started_is_stopped_and_starts_again(data):
    for _ in range(2):
        with demo_server(data.with_name("other")) as url, psycopg.connect(url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url, connect_timeout=2)


def test_the_declaration_names_every_table_and_column_of_the_record(dsn, rows):
    source = load_source(SOURCES / "chu_demo")
    with psycopg.connect(dsn) as connection:
        found: dict[str, set[str]] = {}
        for table, column in connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = %s",
            [source.schema_name],
        ):
            found.setdefault(table, set()).add(column)
    assert found == {name: set(table.columns) for name, table in source.tables.items()}


def test_the_mappings_compile_and_account_for_every_table():
    compiled = compile_source(SOURCES / "chu_demo")
    filled = {mapping.table.name for mapping in compiled.mappings}
    events = "condition_occurrence procedure_occurrence drug_exposure measurement observation note image_occurrence"
    entities = "location care_site provider person death visit_occurrence visit_detail"
    assert filled == {*events.split(), *entities.split()}


def test_no_declaration_or_mapping_reads_the_truth():
    for path in (SOURCES / "chu_demo").rglob("*"):
        if path.suffix in {".sql", ".yaml"}:
            assert TRUTH not in path.read_text() and "truth" not in path.read_text()


def test_direct_identifiers_never_reach_bronze():
    source = load_source(SOURCES / "chu_demo")
    direct = {"nom", "prenom", "nom_naissance", "adresse", "telephone", "ins", "nir"}
    for table in source.tables.values():
        assert not direct & set(table.bronze_columns)
        for column in ("ipp", "numero_sejour"):
            assert table.bronze_columns.get(column, "bigint") == "bigint"


# --- A hospital that is not declared yet ---------------------------------------------------------------------------


def test_a_scan_of_the_database_understands_what_the_declaration_says(dsn, rows):
    tables = {table.name: table for table in infer(scan_database(dsn, "dpi"))}
    declared = load_source(SOURCES / "chu_demo").tables
    assert set(tables) == set(declared)
    assert {name: tables[name].key for name in declared if len(declared[name].key) == 1} == {
        name: table.key for name, table in declared.items() if len(table.key) == 1
    }
    assert {name: kind_of(table) for name, table in tables.items()}.items() >= {
        "patient": "person", "sejour": "visit_occurrence", "mouvement": "visit_detail", "document": "note",
        "diagnostic": "condition_occurrence", "acte": "procedure_occurrence", "prescription": "drug_exposure",
        "administration": "drug_exposure", "resultat_biologie": "measurement", "praticien": "provider",
    }.items()  # fmt: skip
    for name, table in declared.items():
        said = {
            column.name: column.identity for column in tables[name].columns if column.identity in ("person", "stay")
        }
        wanted = {column: kind for column, kind in table.identity_columns.items() if kind in ("person", "stay")}
        assert said == wanted, name


def test_no_direct_identifier_of_the_declaration_escapes_the_scan(dsn, rows):
    tables = {table.name: table for table in infer(scan_database(dsn, "dpi"))}
    for name, table in load_source(SOURCES / "chu_demo").tables.items():
        found = {c.name for c in tables[name].columns if c.direct or c.identity or c.free_text}
        assert found >= {*table.crosswalk, *table.free_text}, name


def test_the_declared_source_and_its_database_have_no_error(dsn, rows):
    _, findings = check_source("chu_demo", dsn, None)
    assert [f for f in findings if f.severity is Severity.ERROR] == []


def test_several_schemas_and_none_named_is_a_question(dsn, rows):
    with pytest.raises(SourceError) as error:
        scan_database(dsn)
    assert "dpi" in (error.value.looked or "") and "--schema" in (error.value.do or "")


def test_rows_are_counted_by_blocks_on_both_sides_of_zero(dsn):
    """As the engine makes them: see the remainder in `tests/spark_jobs/test_engine.py`."""
    source = load_source(SOURCES / "chu_demo").model_copy(update={"schema_name": "pg_temp"})
    table = source.tables["sejour"].model_copy(update={"relation": "compte"})
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TEMP TABLE compte AS SELECT * FROM (VALUES (-25), (-10), (-5), (5), (13)) AS v (n)")
        counted = count_blocks(connection, source, "compte", table, Blocks(("n",), ("n",), 10)).to_pylist()
    assert {row["block"]: (row["n"], int(row["_1"])) for row in counted} == {
        -20: (1, -25), -10: (1, -10), 0: (2, 0), 10: (1, 13),
    }  # fmt: skip
