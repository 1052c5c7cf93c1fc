"""The compiler: the source row travels from bronze to the result; what a mapping may not say is refused by name."""

from collections.abc import Iterator

import duckdb
import pytest
import sqlglot
import yaml

from etl.compiler import ROW, SOURCE_TABLE, CompiledMapping, bronze_view, compile_mapping, compile_source
from etl.declaration import Source
from passerelle.errors import MappingError
from tests.hospital import MAPPINGS, SOURCE, write_source

TINY = Source.model_validate(yaml.safe_load(SOURCE))
RESULT = "ipp AS person_key, preleve AS measurement_datetime, code AS measurement_code, 'L' AS measurement_vocabulary"
ANALYSE = "SELECT ipp, code, preleve FROM bronze.analyse"
GROUPED = "SELECT ipp, code, max(preleve) AS preleve FROM bronze.analyse GROUP BY ipp, code"
DIAGNOSTIC = "SELECT iep AS ipp, code, CAST(NULL AS timestamp) AS preleve FROM bronze.diagnostic"

# Shapes of a query over bronze → (SQL, the tables whose rows arrive one by one).
CARRIED = {
    "straight": (f"SELECT {RESULT} FROM bronze.analyse", {"analyse"}),
    "with an alias": (f"SELECT {RESULT} FROM bronze.analyse AS a", {"analyse"}),
    "a chain of steps": (
        f"WITH a AS ({ANALYSE}), b AS (SELECT ipp, code, preleve FROM a) SELECT {RESULT} FROM b",
        {"analyse"},
    ),
    "a subquery": (f"SELECT {RESULT} FROM ({ANALYSE}) AS s", {"analyse"}),
    "a subquery of a step": (
        f"WITH a AS ({ANALYSE}) SELECT {RESULT} FROM (SELECT ipp, code, preleve FROM a) AS s",
        {"analyse"},
    ),
    "a union in a step": (
        f"WITH u AS ({ANALYSE} UNION ALL {DIAGNOSTIC}) SELECT {RESULT} FROM u",
        {"analyse", "diagnostic"},
    ),
    "a union of results": (
        f"WITH a AS ({ANALYSE}), d AS ({DIAGNOSTIC}) SELECT {RESULT} FROM a UNION ALL SELECT {RESULT} FROM d",
        {"analyse", "diagnostic"},
    ),
    "one table twice": (
        f"SELECT {RESULT} FROM bronze.analyse UNION ALL SELECT {RESULT} FROM bronze.analyse",
        {"analyse"},
    ),
    "a join, whose other side is looked up": (
        f"WITH a AS ({ANALYSE}), n AS (SELECT code AS c, count(*) AS n FROM bronze.diagnostic GROUP BY code) "
        f"SELECT {RESULT} FROM a LEFT JOIN n ON n.c = a.code",
        {"analyse"},
    ),
    "a window": (
        f"WITH a AS (SELECT ipp, code, preleve, row_number() OVER (PARTITION BY ipp ORDER BY preleve) AS n "
        f"FROM bronze.analyse) SELECT {RESULT} FROM a",
        {"analyse"},
    ),
    "a step that is used twice": (
        f"WITH a AS ({ANALYSE}), x AS (SELECT ipp, code, preleve FROM a), y AS (SELECT ipp, code, preleve FROM a) "
        f"SELECT {RESULT} FROM x UNION ALL SELECT {RESULT} FROM y",
        {"analyse"},
    ),
}  # fmt: skip
NOT_COUNTED = {
    "grouped": f"SELECT {RESULT} FROM ({GROUPED}) AS g",
    "one row of all": "WITH m AS (SELECT max(ipp) AS ipp, max(code) AS code, max(preleve) AS preleve "
    f"FROM bronze.analyse) SELECT {RESULT} FROM m",
    "distinct": f"SELECT DISTINCT {RESULT} FROM bronze.analyse",
    "a union that removes repeats": f"WITH u AS ({ANALYSE} UNION {ANALYSE}) SELECT {RESULT} FROM u",
    "a union with an aggregate": f"WITH g AS ({GROUPED}) "
    f"SELECT {RESULT} FROM bronze.analyse UNION ALL SELECT {RESULT} FROM g",
}  # fmt: skip


def compiled(text: str, name: str = "measurement") -> CompiledMapping:
    return compile_mapping(TINY, name, text)


@pytest.fixture(scope="module")
def bronze() -> Iterator[duckdb.DuckDBPyConnection]:
    """Three results and two diagnoses; their row numbers tell them apart."""
    connection = duckdb.connect()
    connection.execute(
        f"CREATE TABLE {bronze_view('analyse')} AS SELECT r AS {ROW}, CAST(p AS bigint) AS ipp, 'K' AS code, "
        f"CAST('2024-01-01' AS timestamp) AS preleve FROM (VALUES (1, 10), (2, 10), (3, 20)) AS v(r, p)"
    )
    connection.execute(
        f"CREATE TABLE {bronze_view('diagnostic')} AS SELECT r AS {ROW}, CAST(7 AS bigint) AS iep, 'I10' AS code "
        f"FROM (VALUES (4), (5)) AS v(r)"
    )
    yield connection
    connection.close()


@pytest.mark.parametrize("shape", CARRIED)
def test_every_source_row_arrives_with_its_number_and_its_table(shape, bronze):
    text, tables = CARRIED[shape]
    mapping = compiled(text)
    assert mapping.drives == tables
    rows = {"analyse": {1, 2, 3}, "diagnostic": {4, 5}}
    query = sqlglot.transpile(mapping.sql, read="spark", write="duckdb", identify=True)[0]
    found = set(bronze.execute(f"SELECT {SOURCE_TABLE}, {ROW} FROM ({query}) AS m").fetchall())
    assert found == {(table, row) for table in tables for row in rows[table]}


@pytest.mark.parametrize("shape", NOT_COUNTED)
def test_an_aggregate_accounts_for_no_row(shape):
    mapping = compiled(NOT_COUNTED[shape])
    assert mapping.drives == frozenset() and ROW not in mapping.sql


def test_a_mapping_that_aggregates_leaves_its_table_unaccounted(tmp_path):
    mappings = {**MAPPINGS, "measurement": NOT_COUNTED["grouped"]}
    with pytest.raises(MappingError, match=r"no mapping accounts for the rows of: analyse") as refused:
        compile_source(write_source(tmp_path / "tiny", mappings))
    assert "role: reference" in refused.value.do


def test_alternates_of_a_code_stay_in_order():
    text = (
        "SELECT ipp AS person_key, preleve AS measurement_datetime, "
        "code AS measurement_code, 'A' AS measurement_vocabulary, "
        "valeur AS measurement_code_2, 'B' AS measurement_vocabulary_2, unite AS measurement_label FROM bronze.analyse"
    )
    (slot,) = compiled(text).slots
    assert slot.alternates == (
        ("measurement_code", "measurement_vocabulary"),
        ("measurement_code_2", "measurement_vocabulary_2"),
    )
    assert slot.label == "measurement_label"


def test_tables_that_others_point_to_are_mapped_before_them(tmp_path):
    names = [mapping.name for mapping in compile_source(write_source(tmp_path / "tiny")).mappings]
    assert names[:2] == ["person", "visit_occurrence"]


REFUSED = {
    "no such CDM table": ("meassurement", f"SELECT {RESULT} FROM bronze.analyse", "the CDM has no table meassurement"),
    "not a query": ("measurement", "DROP TABLE bronze.analyse", "is not one SELECT"),
    "not SQL": ("measurement", "SELECT FROM", "is not"),
    "a table that is not declared": (
        "measurement", f"SELECT {RESULT} FROM bronze.analyses", "does not declare: analyses",
    ),
    "a table that is not bronze": ("measurement", f"SELECT {RESULT} FROM omop.measurement", "neither a bronze table"),
    "the vocabulary": (
        "measurement",
        f"WITH a AS ({ANALYSE}) SELECT {RESULT} FROM a LEFT JOIN concept ON concept.concept_code = a.code",
        "reads concept",
    ),
    "a column that the table does not take": (
        "measurement", f"SELECT {RESULT}, 1 AS visit_start_date FROM bronze.analyse", "gives visit_start_date",
    ),
    "a column twice": ("measurement", f"SELECT {RESULT}, ipp AS person_key FROM bronze.analyse", "twice: person_key"),
    "its own id": ("measurement", f"SELECT {RESULT}, 1 AS measurement_id FROM bronze.analyse", "the engine makes ids"),
    "its own type": (
        "measurement", f"SELECT {RESULT}, 1 AS measurement_type_concept_id FROM bronze.analyse", "the engine makes ids",
    ),
    "nobody": ("measurement", "SELECT code AS measurement_code FROM bronze.analyse", "gives no person_key"),
    "a column that is not there": ("measurement", f"SELECT {RESULT} FROM bronze.patient", "reads patient.preleve"),
    "a name that stays at the door": (
        "note", "SELECT ipp AS person_key, nom AS note_text FROM bronze.patient", "reads patient.nom",
    ),
    "a column that a step does not give": (
        "measurement", f"WITH a AS (SELECT ipp, code FROM bronze.analyse) SELECT {RESULT} FROM a", "reads a.preleve",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_mapping_may_not_say_is_refused_with_its_file(case):
    name, text, says = REFUSED[case]
    with pytest.raises(MappingError) as refused:
        compiled(text, name)
    assert refused.value.what.startswith(f"{name}.sql") and says in refused.value.what


def test_a_policy_without_a_mapping_is_refused(tmp_path):
    mappings = {name: text for name, text in MAPPINGS.items() if name != "note"}
    with pytest.raises(MappingError, match=r"policies for mappings that have no file: note"):
        compile_source(write_source(tmp_path / "tiny", mappings))


# --- CDM 5.3 -------------------------------------------------------------------------------------------------------

STAY = "iep AS _key, ipp AS person_key, entree AS visit_start_datetime, sortie AS visit_end_datetime"


@pytest.mark.parametrize(
    ("table", "former", "today"),
    [
        (
            "visit_occurrence",
            "'8' AS admitting_source_code, 'MODE' AS admitting_source_vocabulary, iep AS discharge_to_code, "
            "'MODE' AS discharge_to_vocabulary",
            ("admitted_from_code", "admitted_from_vocabulary", "discharged_to_code", "discharged_to_vocabulary"),
        ),
        (
            "visit_occurrence",
            "8717 AS admitting_source_concept_id, 'x' AS admitting_source_value, 'y' AS discharge_to_source_value",
            ("admitted_from_concept_id", "admitted_from_source_value", "discharged_to_source_value"),
        ),
    ],
)
def test_a_mapping_written_for_cdm_5_3_gives_the_columns_of_5_4(table, former, today):
    compiled = compile_mapping(TINY, table, f"SELECT {STAY}, {former} FROM bronze.sejour")
    assert compiled.columns[4:] == today
    (row,) = sqlglot.parse_one(compiled.sql, dialect="spark").find_all(sqlglot.exp.Select)
    assert tuple(row.named_selects[4:8])[: len(today)] == today


def test_the_parent_of_a_visit_detail_may_be_named_as_in_cdm_5_3():
    query = "SELECT iep AS _key, ipp AS person_key, iep AS visit_key, entree AS visit_detail_start_datetime, "
    compiled = compile_mapping(TINY, "visit_detail", query + "iep AS visit_detail_parent_key FROM bronze.sejour")
    assert "parent_visit_detail_key" in compiled.keys


def test_both_names_of_one_column_are_one_column_given_twice():
    given = "'8' AS admitting_source_code, '8' AS admitted_from_code, 'MODE' AS admitted_from_vocabulary"
    with pytest.raises(MappingError, match="twice: admitted_from_code"):
        compile_mapping(TINY, "visit_occurrence", f"SELECT {STAY}, {given} FROM bronze.sejour")
