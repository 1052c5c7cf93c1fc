"""The vocabulary that ships: sound in itself, and enough for what the demo hospital emits."""

import csv
from pathlib import Path

import pytest

from etl.concept_maps import read_concept_maps
from etl.demo.biology import UNKNOWN_ANALYSES
from etl.demo.catalogue import load_catalogue
from etl.demo.chu_demo import patient_tables, reference_tables
from etl.demo.clinical import UNKNOWN_HISTORY
from etl.demo.coding import UNKNOWN_CCAM, UNKNOWN_CIM10
from etl.demo.orders import UNKNOWN_ATC, order_label

ROOT = Path(__file__).resolve().parents[2]
FOLDER, SOURCES = ROOT / "omop" / "vocabulary" / "demo", ROOT / "etl" / "sources"
LOCAL = 2_000_000_000


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.fixture(scope="module")
def concepts() -> dict[int, dict[str, str]]:
    return {int(row["concept_id"]): row for row in rows("CONCEPT")}


@pytest.fixture(scope="module")
def emitted() -> dict[str, dict[str, set[str]]]:
    return {
        name: {
            column: {v for v in set(table[column].to_pylist()) if v is not None}
            for column in table.column_names
            if column not in ("texte",)
        }
        for name, table in {**patient_tables(1_500), **reference_tables()}.items()
    }


def test_ids_and_codes_are_unique(concepts):
    listed = rows("CONCEPT")
    assert len(listed) == len(concepts) == len({(row["vocabulary_id"], row["concept_code"]) for row in listed})


def test_no_code_would_be_read_as_empty(concepts):
    assert not [row for row in concepts.values() if row["concept_code"] in ("", "NA")]


def test_every_vocabulary_is_declared_and_the_release_is_stated(concepts):
    declared = {row["vocabulary_id"]: row["vocabulary_version"] for row in rows("VOCABULARY")}
    assert {row["vocabulary_id"] for row in concepts.values()} == set(declared)
    assert declared["None"] == "passerelle demo 2"


def test_no_snomed_content_ships(concepts):
    assert not {row["vocabulary_id"] for row in concepts.values()} & {"SNOMED", "SPL", "ICD10", "NDC"}


def test_vocabularies_of_our_own_have_local_ids_only(concepts):
    for number, row in concepts.items():
        if row["vocabulary_id"] in ("PASSERELLE", "CIM10", "CCAM") or row["vocabulary_id"].startswith("CHU_"):
            assert number >= LOCAL, row
        assert 0 <= number < 2**31 - 1


def test_standard_flags_follow_the_vocabulary(concepts):
    for row in concepts.values():
        vocabulary, flag = row["vocabulary_id"], row["standard_concept"]
        if vocabulary == "ATC":
            assert flag == "C", row
        elif vocabulary in ("CIM10", "CCAM") or vocabulary.startswith("CHU_"):
            assert flag == "", row
        elif vocabulary in ("PASSERELLE", "RxNorm", "LOINC", "UCUM", "Visit", "Type Concept"):
            assert flag == "S", row


def test_both_ends_of_each_relation_exist_and_maps_end_at_a_standard_concept(concepts):
    for row in rows("CONCEPT_RELATIONSHIP"):
        first, second = int(row["concept_id_1"]), int(row["concept_id_2"])
        assert first in concepts and second in concepts
        if row["relationship_id"] == "Maps to":
            assert concepts[second]["standard_concept"] == "S"
            assert concepts[first]["domain_id"] == concepts[second]["domain_id"]
    for row in rows("CONCEPT_ANCESTOR"):
        assert {int(row["ancestor_concept_id"]), int(row["descendant_concept_id"])} <= set(concepts)


def test_every_source_concept_maps_to_one_standard_concept(concepts):
    targets: dict[int, int] = {}
    for row in rows("CONCEPT_RELATIONSHIP"):
        if row["relationship_id"] == "Maps to":
            targets[int(row["concept_id_1"])] = targets.get(int(row["concept_id_1"]), 0) + 1
    lonely = {"None", "Gender"}
    assert {number for number, row in concepts.items() if row["vocabulary_id"] not in lonely} <= set(targets)
    assert set(targets.values()) == {1}


def test_each_ingredient_has_its_atc_code_above_it(concepts):
    below = {
        int(row["descendant_concept_id"])
        for row in rows("CONCEPT_ANCESTOR")
        if concepts[int(row["ancestor_concept_id"])]["vocabulary_id"] == "ATC"
    }
    assert below == {
        number for number, row in concepts.items() if row["domain_id"] == "Drug" and row["standard_concept"] == "S"
    }


def test_z_codes_are_observations(concepts):
    cim10 = [row for row in concepts.values() if row["vocabulary_id"] == "CIM10"]
    assert {row["domain_id"] for row in cim10 if row["concept_code"][0] == "Z"} == {"Observation"}
    assert not [row for row in cim10 if "." in row["concept_code"]]


def test_a_problem_of_the_list_is_a_condition(concepts):
    cim10 = {row["concept_code"]: row["domain_id"] for row in concepts.values() if row["vocabulary_id"] == "CIM10"}
    assert {cim10[code] for code in load_catalogue().problems} == {"Condition"}


@pytest.mark.parametrize(
    ("table", "column", "vocabulary", "unknown"),
    [
        ("diagnostic", "code_cim10", "CIM10", UNKNOWN_CIM10),
        ("probleme", "code_cim10", "CIM10", UNKNOWN_CIM10),
        ("diagnostic", "type_diagnostic", "CHU_TYPE_DIAG", ()),
        ("acte", "code_ccam", "CCAM", UNKNOWN_CCAM),
        ("prescription", "code_atc", "ATC", UNKNOWN_ATC),
        ("prescription", "voie", "CHU_VOIE", ()),
        ("prescription", "unite", "CHU_UNITE", ()),
        ("administration", "code_atc", "ATC", UNKNOWN_ATC),
        ("resultat_biologie", "code_analyse", "CHU_ANALYSE", UNKNOWN_ANALYSES),
        ("resultat_biologie", "unite", "CHU_UNITE", ()),
        ("mesure_clinique", "code_mesure", "CHU_MESURE", ()),
        ("mesure_clinique", "unite", "CHU_UNITE", ()),
        ("antecedent", "code", "CHU_OBSERVATION", UNKNOWN_HISTORY),
        ("document", "type_document", "CHU_DOCUMENT", ()),
        ("document_numerise", "modalite", "CHU_MODALITE", ()),
        ("sejour", "type_sejour", "CHU_SEJOUR", ()),
        ("sejour", "mode_entree", "CHU_MODE", ()),
        ("sejour", "mode_sortie", "CHU_MODE", ()),
        ("patient", "sexe", "Gender", ()),
        ("unite_fonctionnelle", "type_uf", "CHU_TYPE_UF", ()),
        ("praticien", "specialite", "CHU_SPECIALITE", ()),
    ],
)
def test_every_code_of_the_demo_hospital_is_known_but_the_deliberate_ones(
    concepts, emitted, table, column, vocabulary, unknown
):
    known = {row["concept_code"] for row in concepts.values() if row["vocabulary_id"] == vocabulary}
    found = {code.replace(".", "") if vocabulary == "CIM10" else code for code in emitted[table][column]}
    assert found - known == set(unknown)


# At the second hospital an administration has no words of its own: those of its line serve.
@pytest.mark.parametrize(
    ("hospital", "vocabulary", "written"),
    [
        ("chu_demo", "CHU_LIBELLE", lambda drug: {order_label(drug), drug.label}),
        ("chu_second", "CHU2_LIBELLE", lambda drug: {order_label(drug)}),
    ],
)
def test_the_words_of_a_line_or_of_a_gift_lead_where_its_code_would(concepts, hospital, vocabulary, written):
    code = {number: row["concept_code"] for number, row in concepts.items() if row["vocabulary_id"] == "ATC"}
    target = {
        code[int(row["concept_id_1"])]: int(row["concept_id_2"])
        for row in rows("CONCEPT_RELATIONSHIP")
        if row["relationship_id"] == "Maps to" and int(row["concept_id_1"]) in code
    }
    maps = read_concept_maps(SOURCES / hospital).to_pylist()
    words = {row["source_code"]: row["target_concept_id"] for row in maps if row["vocabulary"] == vocabulary}
    assert words == {text: target[drug.atc] for drug in load_catalogue(hospital).drugs for text in written(drug)}


def test_numbers_of_others_agree_with_an_omop_vocabulary(concepts, shared_data):
    parquet = pytest.importorskip("pyarrow.parquet")
    reference = parquet.read_table(
        shared_data / "omop-vocabulary-subset" / "concept.parquet",
        columns=["concept_id", "vocabulary_id", "concept_code"],
    )
    theirs = {n: (v, c) for n, v, c in zip(*(column.to_pylist() for column in reference.columns), strict=True)}
    checked = 0
    for number, row in concepts.items():
        if number < LOCAL and number in theirs:
            assert theirs[number] == (row["vocabulary_id"], row["concept_code"])
            checked += 1
        elif number < LOCAL:
            assert row["vocabulary_id"] in ("Type Concept", "Visit"), row
    assert checked > 150
