"""Identifiers are found however a letter writes them, and only there."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.find_identifiers import find_identifiers

CASES = [
    ("vu M. DURAND_scan.pdf", "Durand", "DURAND"),
    ("IPP8001234567.", "8001234567", "8001234567"),
    ("IPP 800 123 45 67", "8001234567", "800 123 45 67"),
    ("tél : 06.12.34.56.78", "06 12 34 56 78", "06.12.34.56.78"),
    ("née D’Ornano à", "d'ornano", "D’Ornano"),
    ("Anne Gaelle vue", "Anne-Gaëlle", "Anne Gaelle"),
    ("LEFE\u0300VRE", "Lefèvre", "LEFE\u0300VRE"),
    ("habite 12, rue  des Lilas (Lyon)", "12 rue des lilas", "12, rue  des Lilas"),
]


@pytest.mark.parametrize(("text", "identifier", "written"), CASES)
def test_an_identifier_is_found_as_it_is_written(text, identifier, written):
    assert [text[hit.start : hit.end] for hit in find_identifiers(text, [identifier])] == [written]


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("durandal", "Durand"),
        ("le 80012345678", "8001234567"),
        ("Du rand", "Durand"),  # letters spaced out: a known limit
        ("06 12 . . . 34 56 78", "0612345678"),  # two numbers
        ("Ly", "Ly"),
    ],
)
def test_another_word_or_number_is_left_alone(text, identifier):
    assert find_identifiers(text, [identifier]) == []


def test_of_two_that_overlap_the_longer_one_counts():
    text = "Mme Durand Martin"
    hits = find_identifiers(text, ["Durand", "Durand-Martin"])
    assert [text[hit.start : hit.end] for hit in hits] == ["Durand Martin"]


WORDS = st.text(alphabet=string.ascii_letters + string.digits + "éÈç", min_size=3, max_size=8)


@given(
    value=WORDS,
    text=st.text(alphabet=string.ascii_letters + string.digits + "éÈç -.'_", max_size=60),
    at=st.integers(0),
)
def test_what_a_plain_search_finds_is_found(value, text, at):
    text = f"{text[: at % (len(text) + 1)]} {value.upper()} {text[at % (len(text) + 1) :]}"
    plain = re.search(rf"(?<![^\W_]){re.escape(value)}(?![^\W_])", text, re.IGNORECASE)
    assert plain is not None
    assert any(hit.start <= plain.start() and plain.end() <= hit.end for hit in find_identifiers(text, [value]))
