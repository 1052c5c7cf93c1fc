"""Routes of administration: what is written, what it is for doses, what it is for interactions."""

import pytest

from models.prescription_review import wording
from models.prescription_review.interactions.routes import NAMES, ORDER, is_local, route_number
from models.prescription_review.interactions.words import plain
from models.prescription_review.routes import CONCEPTS, FAMILY, ROUTES, WRITTEN, route_of


@pytest.mark.parametrize(
    ("written", "concept", "route", "of_interactions"),
    [
        ("PO", 0, "oral", "oral"),
        ("Voie orale", 0, "oral", "oral"),
        ("PO/NG", 0, "oral", "oral"),
        ("SNG", 0, "tube", "oral"),
        ("IV DRIP", 0, "iv", "iv"),
        ("PSE", 0, "iv", "iv"),
        ("sous-cutanée", 0, "sc", "sc"),
        ("Voie intrathécale", 0, "intrathecal", "nerve"),
        ("Collyre", 0, "eye", "eye"),
        ("verrou", 0, "line", "line"),
        ("injectable", 0, "parenteral", ""),  # into what, nobody says
        ("par drone", 0, "other", ""),
        ("par drone", 4132161, "oral", "oral"),
        ("", 4171047, "iv", "iv"),
        ("", 0, "", ""),
    ],
)
def test_a_route_is_known_by_its_words_else_by_its_concept(written, concept, route, of_interactions):
    assert route_of(written, concept) == route
    assert ORDER[route_number(written, concept, "N02BE01")] == of_interactions


def test_where_nothing_is_written_the_code_says_the_form():
    assert ORDER[route_number("", 0, "S01ED01")] == "eye" and ORDER[route_number("par drone", 0, "S01ED01")] == ""


def test_every_route_has_its_french_name_at_both_levels():
    assert set(wording.ROUTES) == ROUTES
    known = {route_number(words, 0, "") for words in WRITTEN}
    assert known == {place for place, name in enumerate(ORDER) if name in ("", *NAMES)}
    assert set(CONCEPTS.values()) <= ROUTES and {*FAMILY, *FAMILY.values()} <= ROUTES


@pytest.mark.parametrize("words", WRITTEN)
def test_the_words_of_the_table_are_plain(words):
    assert plain(words) == words and not words.startswith("voie ")


def test_an_order_that_acts_where_it_is_put_is_told_from_one_for_the_whole_body():
    eye, nose = (route_number(words, 0, "") for words in ("collyre", "nasale"))
    assert is_local(eye, "S01ED01") and is_local(nose, "R01AD05") and not is_local(nose, "H01BA02")
