"""The edition that ships: every entry, every level, every condition, and who the substances are."""

import csv
import json
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.prescription_review.interactions import patterns
from models.prescription_review.interactions.atc_table import TABLE, rows
from models.prescription_review.interactions.conditions import CONDUCT, NONE, READ, UNREAD
from models.prescription_review.interactions.context import RULES
from models.prescription_review.interactions.findings import Interactions
from models.prescription_review.interactions.thesaurus import (
    BY_ROUTE,
    LEVELS,
    plain_end,
    read_thesaurus,
    with_line_ends,
)
from models.prescription_review.interactions.words import plain
from models.prescription_review.knowledge import FOLDER, load_knowledge

ANSM = FOLDER / "ansm"
INTERACTIONS = load_knowledge().interactions
CATALOGUE = INTERACTIONS.catalogue
THESAURUS = CATALOGUE.thesaurus
SHIPPED = json.loads((ANSM / "thesaurus_2020-10-20.json").read_text(encoding="utf-8"))


def as_published(entry):
    return {
        "main_drug": entry.names[0],
        "plus_drug": entry.names[1],
        "severity_levels": [{"level": mention.written, "info": mention.info} for mention in entry.mentions],
        "interaction_mechanism": entry.mechanism,
    }


def test_every_entry_comes_back_with_its_levels_and_conditions():
    keys = ("main_drug", "plus_drug", "severity_levels", "interaction_mechanism")
    assert [as_published(entry) for entry in THESAURUS.all_entries] == [
        {key: row[key] for key in keys} for row in SHIPPED
    ]
    assert len(SHIPPED) == 3139 and len(THESAURUS.entries) == 1585


def test_the_files_are_those_that_were_published(shared_data):
    for name in ("thesaurus", "substances"):
        file = f"{name}_2020-10-20.json"
        assert (ANSM / file).read_bytes() == (shared_data / "ansm-interactions" / file).read_bytes()


def test_each_level_has_its_rank_and_no_entry_is_read_at_another():
    for entry in THESAURUS.all_entries:
        for reading in CATALOGUE.readings(entry.number):
            written = LEVELS[plain(reading.mention.written)]
            raised = plain(reading.mention.info).startswith("contre indication avec")
            assert reading.level == written or (raised and reading.level == 4)


def test_every_text_beside_a_level_is_read_or_kept():
    found = Counter(
        next(one.status for one in CATALOGUE.readings(entry.number) if one.mention is mention)
        for entry in THESAURUS.all_entries
        for mention in entry.mentions
        if mention.info
    )
    print(dict(found))
    assert found.total() == 1837 and set(found) <= {READ, CONDUCT, NONE, UNREAD} and found[UNREAD] <= 6
    assert THESAURUS.all_entries[0].mentions[0].info == "" and CATALOGUE.readings(0)[0].status in {NONE, READ}


def test_lines_that_the_files_joined_are_told_apart_again():
    mentions = [mention for entry in THESAURUS.all_entries for mention in entry.mentions]
    assert all("".join(one.info.split()) == "".join(one.text.split()) for one in mentions)
    joined = [one.info for one in mentions if one.text != one.info]
    assert any("clinique etECG" in info for info in joined) and len(joined) == 1222
    words = {word for one in mentions for word in one.text.split()}
    assert "ECG" in words and not {"etECG", "laposologie", "posologiede", "traitementpar"} & words


@given(st.lists(st.text("ab.é", min_size=1, max_size=4), min_size=1, max_size=8), st.data())
def test_a_joined_text_is_printed_as_the_whole_has_it(words, data):
    ends = data.draw(st.lists(st.sampled_from(["", " "]), min_size=len(words), max_size=len(words)))
    joined = "".join(word + end for word, end in zip(words, ends, strict=True)).strip()
    printed = " \n".join(words)
    assert with_line_ends(joined, f"PE\n{printed}\n\nC").split() == words
    assert with_line_ends(joined, "Z") == joined


def test_the_mirror_of_an_entry_is_read_the_same_way():
    twins = {}
    for entry in THESAURUS.all_entries:
        said = [(one.level, one.status, set(one.clauses)) for one in CATALOGUE.readings(entry.number)]
        twins.setdefault((frozenset((entry.main, entry.plus)), entry.mentions, entry.mechanism), []).append(said)
    assert all(one == some[0] for some in twins.values() for one in some)


def test_ends_that_no_order_can_have_are_declared_with_the_reason():
    assert set(THESAURUS.unmatched_ends()) == {
        "pamplemousse jus et fruit", "alcool boisson ou excipient", "theine", "preservatifs en latex",
    }  # fmt: skip
    assert all(THESAURUS.unmatched_ends().values())


def test_a_class_with_itself_speaks_of_two_different_substances():
    number = [
        CATALOGUE.number(code, "") for code in ("M01AE01", "C01EB16", "M01AB05")
    ]  # ibuprofen, ibuprofen, diclofenac
    assert CATALOGUE.options(number[0], number[1]) == []
    assert CATALOGUE.options(number[0], number[2])


def test_both_directions_are_one_entry():
    a, b = (CATALOGUE.number(code, "") for code in ("B01AA03", "M01AE01"))
    there, back = CATALOGUE.options(a, b), CATALOGUE.options(b, a)
    assert {row[0] for row in there} == {row[0] for row in back} and len(there) == len(set(there))
    ends = [frozenset((THESAURUS.all_entries[row[0]].main, THESAURUS.all_entries[row[0]].plus)) for row in there]
    assert len(ends) == len(set(ends))


@pytest.mark.parametrize(
    ("atc", "names"),
    [
        ("B01AC06", ["acide acetylsalicylique"]),
        ("H03AA01", ["levothyroxine"]),
        ("A12BA01", ["potassium"]),
        ("A10AB01", ["insuline humaine recombinante"]),
        ("C09BA05", ["ramipril", "hydrochlorothiazide"]),
        ("J01EE01", ["sulfamethoxazole", "trimethoprime"]),
        ("N02AJ06", ["codeine", "paracetamol"]),
        ("L04AA06", ["mycophenolate mofetil"]),
    ],
)
def test_salts_and_combinations_are_their_substances(atc, names):
    found = CATALOGUE.substances.of(atc, "")
    assert sorted(one.name for one in found.substances) == sorted(map(plain, names))


def test_a_drug_that_has_half_of_a_fixed_combination_is_not_the_combination():
    terms = {
        code: {t for one in CATALOGUE.substances.of(code, "").substances for t in one.terms}
        for code in ("J01EA01", "J01EE01")
    }
    assert "sulfamethoxazole + trimethoprime" not in terms["J01EA01"]
    assert "sulfamethoxazole + trimethoprime" in terms["J01EE01"]


@pytest.mark.parametrize("name", ["Lorazepam", "lorazépam 1 mg comprimé", "LORAZEPAM ARROW"])
def test_without_a_code_the_name_is_read_in_french_or_english(name):
    assert [one.name for one in CATALOGUE.substances.of("", name).substances] == ["lorazepam"]


@pytest.mark.parametrize(
    ("name", "substances"),
    [
        ("Vancomycin in 0.9% sodium chloride", {"vancomycine", "sodium chlorure de"}),
        ("Oxycodone-Acetaminophen (5mg-325mg)", {"oxycodone", "paracetamol"}),
        ("Héparine", {"heparine sodique"}),
    ],
)
def test_without_a_code_every_substance_of_the_name_counts(name, substances):
    assert {one.name for one in CATALOGUE.substances.of("", name).substances} == substances


def test_what_has_no_entry_says_why_and_what_is_not_known_is_not_explained():
    assert "propofol" in CATALOGUE.substances.of("N01AX10", "Propofol").reason
    assert "récipient" in CATALOGUE.substances.of("", "Bag").reason
    assert not CATALOGUE.substances.of("", "produit inconnu").explained
    assert not CATALOGUE.substances.of("Q99", "produit inconnu").explained


def test_the_table_of_codes_is_the_one_that_the_sources_give(shared_data):
    with TABLE.open(encoding="utf-8", newline="") as lines:
        written = list(csv.DictReader(lines))
    assert written == sorted(rows(shared_data, read_thesaurus(ANSM)), key=lambda row: (row["atc"], row["name"]))


def test_every_french_code_is_joined_or_explained(shared_data):
    drugs = json.loads((shared_data / "french-terminologies" / "drugs.json").read_text(encoding="utf-8"))
    full = [code for code in drugs if len(code) == len("A00AA00")]
    assert [code for code in full if not CATALOGUE.substances.of(code, "").explained] == []
    print(sum(bool(CATALOGUE.substances.of(code, "").substances) for code in full), "of", len(full))


def test_every_reviewed_name_is_one_of_the_edition():
    known = {*THESAURUS.members}
    for file in ("atc_reviewed.csv", "atc_substances.csv", "names_reviewed.csv"):
        for row in rows_of_file(file):
            assert not row["name"] or plain(row["name"]) in known, row


def test_every_line_of_the_tables_has_a_source():
    for file in (
        "atc_substances.csv",
        "without_entry.csv",
        "membership.csv",
        "context_rules.csv",
        "names_reviewed.csv",
    ):
        assert all(
            row["source"] and row["edition"] and row["checked"] in {"texte", "mémoire"} for row in rows_of_file(file)
        )


def test_every_class_that_depends_on_the_order_is_a_class():
    ends = {*THESAURUS.members, *BY_ROUTE.values()}
    for row in rows_of_file("membership.csv"):
        assert plain_end(row["class"]) in ends, row["class"]
        assert (
            not row["substance"]
            or plain(row["substance"]) in THESAURUS.members.get(plain_end(row["class"]), ())
            or (row["class"] in BY_ROUTE.values())
        )


def test_each_context_rule_has_words_and_a_reason():
    assert set(RULES) - {""} == set(INTERACTIONS.rules)
    assert all(row["words"] and row["reason"] for row in INTERACTIONS.rules.values())


def test_groups_of_the_patterns_are_ends_of_the_edition():
    for names in patterns.GROUPS.values():
        assert all(name in THESAURUS.members for name in names)


def test_loading_is_quick():
    Interactions(ANSM)
    times = []
    for _ in range(3):
        started = time.process_time()
        Interactions(ANSM)
        times.append(time.process_time() - started)
    assert min(times) < 0.5  # 0.12 s of our own on a quiet core


def rows_of_file(name):
    with (ANSM / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
