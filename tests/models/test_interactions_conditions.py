"""Conditions of the thesaurus as they are read: sentences with what was understood."""

import math

import pytest

from models.prescription_review.interactions.conditions import CONDUCT, READ, UNREAD, Clause, Test, readings
from models.prescription_review.interactions.thesaurus import Entry, Mention
from models.prescription_review.knowledge import load_knowledge

THESAURUS = load_knowledge().interactions.catalogue.thesaurus
Test.__test__ = False  # not a test of pytest


def read(main, plus, *levels, mechanism=""):
    """Args: levels: (rank, text)."""
    mentions = tuple(Mention(rank, "", text, text) for rank, text in levels)
    return readings(Entry(0, main, plus, (main, plus), mentions, mechanism), THESAURUS)


def entry_of(main, plus):
    number = next(entry.number for entry in THESAURUS.entries if {entry.main, entry.plus} == {main, plus})
    return readings(THESAURUS.all_entries[number], THESAURUS)


def kinds(reading):
    return sorted({test.kind for clause in reading.clauses for test in clause.tests})


def test_a_text_that_says_what_to_do_does_not_restrict_its_level():
    (one,) = read("amiodarone", "simvastatine", (2, "Surveillance clinique et biologique régulière."))
    assert (one.status, one.clauses) == (CONDUCT, (Clause(),))


def test_an_exception_for_hypokalaemia_is_a_test_of_the_potassium():
    (one,) = read("potassium", "spironolactone", (3, "Sauf en cas d'hypokaliémie."))
    assert one.status == READ and one.clauses == (Clause(tests=(Test("potassium", "", 3.5, math.inf),)),)


@pytest.mark.parametrize("name", ["IEC", "ARA2"])
def test_an_exception_written_in_the_mechanism_is_read_too(name):
    ends = {"IEC": "inhibiteurs de l enzyme de conversion", "ARA2": "antagonistes des recepteurs de l angiotensine ii"}
    (one,) = entry_of(ends[name], "potassium")
    assert kinds(one) == ["potassium"]


def test_doses_of_methotrexate_split_the_levels():
    high, low = entry_of("anti inflammatoires non steroidiens", "methotrexate")
    assert (high.level, low.level) == (3, 2) and kinds(high) == kinds(low) == ["week"]
    assert all(test.of == "methotrexate" for one in (high, low) for clause in one.clauses for test in clause.tests)


def test_lower_doses_are_those_below_the_other_level():
    high, low = entry_of("antisecretoires inhibiteurs de la pompe a protons", "methotrexate")
    (test,) = low.clauses[0].tests
    assert test.high == high.clauses[0].tests[0].low and test.kind == "week"


def test_named_substances_restrict_and_the_others_are_the_rest():
    high, low = entry_of("antagonistes des canaux calciques", "inhibiteurs puissants du cyp3a4")
    assert high.clauses[0].named == {"lercanidipine"} and not low.clauses[0].conditional
    assert high.clauses[0].concerns("clarithromycine", "lercanidipine")
    assert not high.clauses[0].concerns("clarithromycine", "amlodipine")


def test_both_partners_are_named():
    top = entry_of("medicaments sedatifs", "medicaments sedatifs")[0]
    assert top.level == 4 and top.clauses[0].concerns("morphine", "sodium oxybate de")
    assert top.clauses[0].concerns("sodium oxybate de", "phenobarbital")
    assert not top.clauses[0].concerns("morphine", "phenobarbital")


def test_a_text_that_raises_the_level_for_some_gives_one_more():
    raised, own = entry_of("crizotinib", "substances susceptibles de donner des torsades de pointes")
    assert (raised.level, own.level) == (4, 3) and "citalopram" in raised.clauses[0].named


def test_an_excepted_substance_is_not_concerned():
    (one,) = entry_of("inhibiteurs puissants du cyp3a4", "ombitasvir + paritaprevir")
    assert not one.clauses[0].concerns("ritonavir", "ombitasvir") and one.clauses[0].concerns(
        "itraconazole", "ombitasvir"
    )


def test_what_no_prescription_says_is_named_and_left_open():
    high, low = entry_of("acide acetylsalicylique", "clopidogrel")
    assert [clause.tests[0].words for one in (high, low) for clause in one.clauses] == ["indication", "indication"]


def test_a_text_that_cannot_be_read_is_kept_and_does_not_raise_the_level():
    found = entry_of("inhibiteurs de la phosphodiesterase de type 5", "inhibiteurs puissants du cyp3a4")
    assert {one.status for one in found} == {UNREAD} and all("AMM" in one.mention.info for one in found)


def test_words_that_nobody_foresaw_are_unread():
    found = read("amiodarone", "diltiazem", (4, "chez les plongeurs en apnée"), (2, "avec les autres"))
    assert found[0].status == UNREAD


@pytest.mark.parametrize(
    ("text", "route"),
    [
        ("avec le diltiazem IV", ("iv",)),
        ("avec le diltiazem per os", ("oral",)),
        ("- avec le diltiazem par voie orale.", ("oral",)),
    ],
)
def test_routes(text, route):
    one, _ = read("amiodarone", "diltiazem", (3, text), (1, "avec les autres"))
    assert one.clauses[0].tests == (Test("route", "diltiazem", routes=route),)


def test_a_broken_line_or_an_empty_text_is_no_condition():
    for text in ("", "\n", ":\n-  ", "- "):
        assert all(
            not clause.conditional for one in read("amiodarone", "diltiazem", (3, text)) for clause in one.clauses
        )
