"""The scan of a new source: what it recognises, what it never shows, and that it ends."""

import gzip
import itertools
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.check_declaration import check_declaration
from etl.compiler import compile_source
from etl.scaffold.infer import column_of, infer
from etl.scaffold.kinds import kind_of
from etl.scaffold.scan import SAMPLE_ROWS, Scan, ScannedColumn, table_of
from etl.scaffold.scan_files import delimiter_of, encoding_of, scan_folder
from etl.scaffold.shapes import code_of, is_nir, type_of, words
from etl.scaffold.shown import MIN_PEOPLE, values_shown
from etl.scaffold.write import write_fhir_source, write_source

# --- files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"plain", "ascii"),
        ("été".encode(), "utf-8"),
        ("été".encode("latin-1"), "windows-1252"),  # the same bytes in both: the one that hospitals write
        ("l’été, 5 €, œdème".encode("windows-1252"), "windows-1252"),
        (b"\x81 is no sign of windows-1252", "latin-1"),
        ("été".encode("utf-16"), None),
        (b"x" * 3_000_000 + "é".encode("latin-1"), "windows-1252"),  # the only accent stands at the end
    ],
)
def test_the_encoding_is_found_from_every_byte(tmp_path, content, encoding):
    for name, packed in (("a.csv", content), ("a.csv.gz", gzip.compress(content))):
        (tmp_path / name).write_bytes(packed)
        assert encoding_of(tmp_path / name) == encoding


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_sign_that_cuts_every_record_alike(delimiter):
    rows = [["id", "dose", "texte"], ["1", "2,5", '"a; b | c"'], ["2", "0,5", '"d, e; f"']]
    assert delimiter_of("\n".join(delimiter.join(row) for row in rows * 3)) == delimiter


def test_what_cannot_be_a_table_of_this_source_is_named_with_the_reason(tmp_path):
    (tmp_path / "good.csv").write_text("id,label\n1,été\n2,b\n", encoding="utf-8")
    (tmp_path / "more.csv").write_text("id,label\n1,à\n", encoding="utf-8")
    (tmp_path / "other.csv").write_text("id,label\n1,été\n", encoding="latin-1")
    (tmp_path / "semicolon.csv").write_text("id;label\n1;x\n")
    (tmp_path / "bare.csv").write_text("12,2024-01-01,3.5\n13,2024-01-02,4\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "blank.csv").write_text("id,date de naissance\n1,2000-01-01\n")
    (tmp_path / "LICENSE.txt").write_text("Do as you like, and say where it is from, (thank you).\n")
    scan = scan_folder(tmp_path)
    assert [table.name for table in scan.tables] == ["good", "more"] and scan.encoding == "utf-8"
    said = {where: why.split(":")[0] for where, why in scan.unread.items()}
    assert said["bare.csv"] == "no header" and said["empty.csv"] == "empty" and set(scan.unread) == {
        "other.csv", "semicolon.csv", "bare.csv", "empty.csv", "blank.csv",
    }  # fmt: skip


def test_a_table_without_end_is_sampled_in_a_bounded_time():
    began = time.monotonic()
    table = table_of("t", "t.csv", ["n"], ([str(n)] for n in itertools.count()), seconds=0.5)
    assert time.monotonic() - began < 5 and table.total is None and 0 < table.rows <= SAMPLE_ROWS


def test_of_a_long_table_early_and_late_rows_have_the_same_chance():
    table = table_of("t", "t.csv", ["n"], ([str(n)] for n in range(5 * SAMPLE_ROWS)), seconds=60)
    late = sum(int(value) >= 2.5 * SAMPLE_ROWS for value in table.column("n").values)
    assert table.rows == SAMPLE_ROWS and 0.45 < late / SAMPLE_ROWS < 0.55


# --- values --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2024-02-29", "1931-12-01"], ("date", None)),
        (["2024-02-29T10:00:00Z"], ("timestamp", None)),
        (["29/02/2024", "01/12/1931"], ("date", "dd/MM/yyyy")),
        (["29/02/2024 08:15"], ("timestamp", "dd/MM/yyyy HH:mm")),
        (["12/25/2024", "01/13/2024"], ("date", "MM/dd/yyyy")),
        (["20240229", "19311201"], ("date", "yyyyMMdd")),
        (["20249999", "19319999"], ("bigint", None)),  # numbers that no calendar has
        (["00123", "00456"], ("string", None)),  # a leading zero is lost in a number
        (["1.5", "2"], ("double", None)),
        (["1,5", "2"], ("string", None)),  # the comma is read by the mapping
        (["<0.05", "2"], ("string", None)),
        ([], ("string", None)),
    ],
)
def test_the_type_of_a_column_is_one_that_reads_all_its_values(values, expected):
    assert type_of(values) == expected


@given(st.integers(1_00_01_01_000_000, 2_99_12_95_999_999).filter(lambda n: is_nir(f"{n:013d}")))
def test_a_nir_is_told_by_its_key(number):
    key = 97 - number % 97
    assert is_nir(f"{number:013d}{key:02d}") and not is_nir(f"{number:013d}{key % 97 + 1:02d}")


@pytest.mark.parametrize(
    ("name", "values", "vocabulary"),
    [
        ("code", ["E11.9", "I50.1", "I10", "J44.1", "N18.3"], "CIM10"),
        ("code_cim", ["I10"], "CIM10"),
        ("service", ["A12", "B07", "C03"], None),  # wards, not diseases
        ("x", ["N02BE01", "A10BA02", "B01AF02", "C07AB07", "C09AA02"], "ATC"),
        ("acte", ["DEQP003", "ZBQK002"], "CCAM"),
        ("produit", ["3400936404649", "3400935955838"], "CIP13"),
        ("produit", ["3400936404640", "3400935955830"], None),  # wrong keys
        ("analyse", ["2160-0", "718-7"], "LOINC"),
        ("analyse", ["2160-1", "718-8"], None),
        ("code_nabm", ["0592", "1104"], "NABM"),
        ("annee", ["1992", "2004"], None),
    ],
)
def test_codes_are_told_by_shape_key_and_name(name, values, vocabulary):
    assert code_of(values, name) == vocabulary


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("IPP", "person"), ("patient_id", "person"), ("numPatient", "person"), ("subject_id", "person"),
        ("patient_adresse_id", None), ("NO_VENUE", "stay"), ("numero_sejour", "stay"), ("hadm_id", "stay"),
        ("type_sejour", None), ("prescripteur", "rest"), ("code_acte", None), ("NDA", "stay"),
    ],
)  # fmt: skip
def test_numbers_of_people_stays_and_staff_are_told_by_their_name(name, identity):
    values = [f"{n}" for n in range(800, 830)]
    assert column_of(ScannedColumn(name, values, 0)).identity == identity


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("ref1", ["06 12 34 56 78", "01.98.76.54.32"]),
        ("info", ["a.b@hopital.example", "c@d.example"]),
        ("champ7", ["12 rue des Lilas", "3 bis, avenue Foch"]),
        ("zone", ["155081416802557", "255081416802543"][:1] + [f"{1550814168025}{97 - 1550814168025 % 97:02d}"] * 3),
        ("nom_usuel", ["x"]),
        ("LASTNAME", ["x"]),
        ("telephone", []),
        ("champ8", ["Kerbrat", "Zunigo", "Wattrelos", "Ostrowicz", "Njoya", "Vauquelin"]),
    ],
)
def test_direct_identifiers_are_told_by_name_or_value(name, values):
    assert column_of(ScannedColumn(name, values, 0)).direct


@pytest.mark.parametrize("name", ["nom_medicament", "libelle", "nom_service", "test_name"])
def test_labels_of_things_are_no_names_of_people(name):
    assert not column_of(ScannedColumn(name, ["Cardiologie", "Pneumologie"] * 20, 0)).direct


def test_words_of_a_name():
    assert words("DateNaissance") == ("date", "naissance") and words("admittime") == ("admit", "time")
    assert words("last_update") == ("last", "update") and words("CODE_CIM10") == ("code", "cim10")


# --- what is shown -------------------------------------------------------------------------------------------------


def one_table(header: list[str], rows: list[list[str]]):
    return infer(Scan("files", [table_of("t", "t.csv", header, rows)]))[0]


def test_a_value_of_one_patient_with_many_rows_is_not_shown():
    rare = [[str(i), "1", "RARE"] for i in range(100)]
    common = [[str(100 + i), str(i), "COMMON"] for i in range(MIN_PEOPLE)]
    few = [[str(900 + i), str(i), "FEW"] for i in range(MIN_PEOPLE - 1)]
    table = one_table(["id", "ipp", "mode"], rare + common + few)
    assert values_shown(table, table.column("mode")) == [("COMMON", MIN_PEOPLE)]


@pytest.mark.parametrize("column", ["ipp", "nom", "commentaire", "naissance", "valeur", "id"])
def test_no_value_of_a_column_that_says_something_of_somebody_is_shown(column):
    header = ["id", "ipp", "nom", "commentaire", "naissance", "valeur"]
    rows = [
        [str(i), str(i % 30), "DURAND", "se plaint de douleurs au genou depuis trois semaines environ " + str(i % 40),
         "1940-01-01", "4,2"] for i in range(400)
    ]  # fmt: skip
    table = one_table(header, rows)
    assert values_shown(table, table.column(column)) == []


# --- whole sources -------------------------------------------------------------------------------------------------


def test_a_table_that_numbers_its_rows_like_people_does_not_hold_people():
    """Both count from 1: that the numbers agree says nothing."""
    people = table_of(
        "patient", "p.csv", ["patient_id", "sexe", "naissance"], [[str(i), "F", "1940-01-01"] for i in range(50)]
    )
    doses = table_of("posologie", "d.csv", ["posologie_id", "rang"], [[str(i), str(i % 5)] for i in range(50)])
    tables = {table.name: table for table in infer(Scan("files", [people, doses]))}
    assert tables["posologie"].of_identity("person") is None and tables["patient"].people


def test_the_columns_of_people_are_found_by_their_values(tmp_path):
    people = [[f"{10_000 + i}", "F", "1940-01-01"] for i in range(50)]
    events = [[str(i), f"{10_000 + i % 50}", "x"] for i in range(200)]
    scan = Scan("files", [
        table_of("personne", "p.csv", ["numero", "sexe", "naissance"], people),
        table_of("evenement", "e.csv", ["id", "qui", "quoi"], events),
    ])  # fmt: skip
    found = {table.name: table for table in infer(scan)}["evenement"].column("qui")
    assert found.identity == "person" and "a person's number?" in (found.doubt or "")


def test_the_french_socle_is_understood(shared_data: Path, tmp_path):
    scan = scan_folder(shared_data / "aphp-socle-demo")
    kinds = {table.name: kind_of(table) for table in infer(scan)}
    assert kinds == {
        "actes": "procedure_occurrence", "administration": "drug_exposure", "biologie": "measurement",
        "diagnostics": "condition_occurrence", "donnees_pmsi": "visit_occurrence", "dossier_soins": "measurement",
        "patient": "person", "patient_adresse": None, "posologie": None, "prescription": "drug_exposure",
        "style_vie": None,
    }  # fmt: skip
    write_source("socle", scan, tmp_path / "socle")
    assert len(compile_source(tmp_path / "socle").mappings) == 9
    assert "Doré" not in "".join(path.read_text() for path in (tmp_path / "socle").rglob("*.*"))


def test_a_folder_of_fhir_gets_a_source_that_maps_its_resources(shared_data: Path, tmp_path):
    folder = shared_data / "synthea-fhir-r4"
    written = write_fhir_source("site", folder, tmp_path / "site")
    assert written.mapped.keys() >= {"Patient", "Encounter", "Condition", "Observation", "Procedure"}
    compiled, findings = check_declaration(tmp_path / "site")
    assert compiled is not None and {m.name for m in compiled.mappings} >= {"person", "death", "measurement"}
    assert {f.what.split(":")[0] for f in findings} == {"undecided"}
    assert "Claim" in compiled.source.unused
