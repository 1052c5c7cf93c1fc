"""Words of many texts, against a search of each text alone."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from etl.words import WORD, words_of

TEXTS = st.lists(st.text(alphabet="abcdÉéßıŁ 0_'’\xa0²-\n", max_size=30), max_size=8)


@given(TEXTS, st.integers(0, 3))
def test_the_words_are_those_that_each_text_alone_has(texts, skipped):
    def wanted(word: str) -> bool:
        return "a" in word

    alone = {i: {w for w in WORD.findall(text) if wanted(w)} for i, text in enumerate(texts[skipped:])}
    together = words_of(pa.array(texts, pa.string())[skipped:], wanted)
    assert together == {i: words for i, words in alone.items() if words}


def test_a_text_does_not_end_in_the_word_of_the_next():
    assert words_of(pa.array(["Mme Du", "", "rand sort"]), lambda _: True) == {2: {"rand", "sort"}}
