"""What a crosswalk knows and a text still says: found however it is written, counted, and never told."""

import pyarrow as pa
import pytest

from etl.crosswalk import SCHEMA
from etl.find_residue import NAME, NUMBER, Residue, is_name
from tests.passerelle.planted import MAN, STAYS, WOMAN

ROWS = [
    *(("person", value, attribute) for person in (WOMAN, MAN) for attribute, value in person.items()),
    *(("stay", number, "iep") for number in STAYS),
    ("rest", "PETIT", "nom"),
    ("person", "10014729", "subject_id"),
    ("person", "1943-02-11", "naissance"),
    ("person", "4611686018427387904", "person_id"),
]
CROSSWALK = pa.Table.from_pylist(
    [{"source": "s", "kind": k, "hash": 1, "identifier": i, "attribute": a} for k, i, a in ROWS], schema=SCHEMA
)


def found(texts: list[str | None], kind: str) -> tuple[int, dict[str, int], bool]:
    residue = Residue(CROSSWALK)
    residue.search("note", "note_text", pa.array(texts, pa.string()))
    (hits,) = [hits for _, _, hits in residue.hits() if hits.kind == kind]
    return hits.rows, dict(hits.attributes), hits.sure


@pytest.mark.parametrize(
    ("text", "attribute"),
    [
        ("8001774435", "ipp"),
        ("vu ce jour, IPP : 80 01 77 44 35, sort", "ipp"),
        ("ZURBRIGGEN_8001774435_scan.pdf", "ipp"),
        ("06.39.98.41.27", "telephone"),
        ("au +33 6 39 98 70 52 le soir", "telephone"),
        ("0639987052", "telephone"),
        ("0033639984127", "telephone"),
        ("INS 2 43 02 96 000 117 85", "ins"),
        ("1600796000333 20240402", "nir"),
        ("stay77024319851", "iep"),
    ],
)
def test_a_number_is_found_however_it_is_grouped(text, attribute):
    rows, attributes, sure = found([text, None, "rien"], NUMBER)
    assert (rows, attributes[attribute], sure) == (1, 1, True)


@pytest.mark.parametrize(
    ("text", "attribute"),
    [
        ("Mme Zurbriggen", {"nom", "nom_naissance"}),
        ("ZÜRBRIGGEN", {"nom"}),
        ("vu par zephyrin hier", {"prenom"}),
        ("Sophronie va bien", {"prenom"}),
        ("Mme Maubreuil", {"nom_naissance"}),
    ],
)
def test_a_name_is_found_by_any_of_its_words(text, attribute):
    rows, attributes, sure = found([text], NAME)
    assert rows == 1 and set(attributes) <= attribute and attributes and not sure


@pytest.mark.parametrize(
    "text",
    [
        "rue de la Pompe, le 11/02/1943 et 1943-02-11",  # days, and words of a few letters, are left alone
        "4611686018427387904",  # our own hash
        "80017744351 et 980017744350",  # longer numbers
        "Zurbriggenoise, rue",
        "",
    ],
)
def test_what_is_no_identifier_is_not_found(text):
    assert found([text], NUMBER)[0] == found([text], NAME)[0] == 0


def test_a_name_that_is_a_word_of_the_language_is_none_of_a_person():
    assert found(["Petit hématome"], NAME)[0] == 1
    assert found(["Petit hématome", *[f"un petit doute, {n}" for n in range(5)]], NAME)[0] == 0


def test_a_short_number_is_sure_where_most_of_its_column_are_identifiers():
    assert found(["10014729"], NUMBER) == (1, {"subject_id": 1}, True)
    codes = [str(code) for code in range(44054000, 44054009)]
    assert found(["10014729", *codes], NUMBER) == (1, {"subject_id": 1}, False)


def test_a_long_number_among_codes_of_its_length_may_be_one_by_chance():
    """A national drug code has eleven digits, as a number of the record system may have."""
    codes = [f"55{n:08}" for n in range(50)]
    assert not found(["8001774435", *codes], NUMBER)[2]
    assert found(["8001774435", "8001774435", "5500000001"], NUMBER)[2]


def test_rows_are_counted_not_texts():
    assert found(["8001774435"] * 3 + ["8001774435, ZURBRIGGEN", "rien"], NUMBER)[:2] == (4, {"ipp": 4})


@pytest.mark.parametrize(
    ("column", "named"),
    [("nom", True), ("nom_usuel", True), ("PRENOM", True), ("MAIDEN", True), ("family", True), ("OWNER_NAME", True),
     ("commune", False), ("adresse", False), ("nom_service", False), ("ipp", False)],
)  # fmt: skip
def test_the_name_of_a_column_says_whether_it_names_people(column, named):
    assert is_name(column) is named
