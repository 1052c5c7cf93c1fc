"""Search texts for the identifiers that a crosswalk holds: what the door should have taken away and did not.

The cost is that of reading the texts: each different word, and every number, is looked up in a set, however many people
there are. What is found is counted by the attribute that it is (ipp, nom…); no value leaves this module.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate

import pyarrow as pa
import pyarrow.compute as pc

from etl.find_identifiers import fold
from etl.scaffold.patterns import NAME_WORDS, SOLE_NAME_WORDS, THINGS
from etl.scaffold.shapes import words
from etl.words import MIN_LETTERS, WORD, words_of

NUMBER, NAME = "number", "name"
MIN_DIGITS = 6
COMMON_ROWS = 5  # in small letters: a word of the language ("petit", "blanc") and not a person
SURE_DIGITS = 10  # in a text, a shorter number may be a code or a quantity by chance
OUR_OWN = ("person_id", "visit_occurrence_id")  # attributes that we add: hashes, no identifiers
_RUN = re.compile(rf"\d(?:[ .\xa0\u202f/-]{{0,2}}\d){{{MIN_DIGITS - 1},}}")
_DIGITS = re.compile(r"\d+")
# For Arrow: most texts are a short result or a unit, in which nothing fits; Python does not see them.
_TOO_SHORT = rf"(?s)^(?:[0-9.,<>=+ -]{{0,{MIN_DIGITS - 1}}}|.{{0,{MIN_LETTERS - 1}}})$"
_ABROAD = r"^[\s\x{a0}\x{202f}]*(?:\(?\+33\)?|0033)[\s\x{a0}\x{202f}]*([1-9])"
_DAY = r"^\d{4}-\d{2}-\d{2}|^\d{1,2}/\d{1,2}/\d{4}$"
_MOST_LETTERS = 4  # in a number (a prefix, Corsica); more of them are an address


@dataclass
class Tally:
    """What one column holds: rows with text, and rows by the identifiers that stand in them."""

    rows: int = 0
    lengths: Counter[int] = field(default_factory=Counter)  # rows that are one short number, by its digits
    found: Counter[frozenset[str]] = field(default_factory=Counter)


@dataclass(frozen=True)
class Hits:
    """What was found in a column: rows, and rows by attribute."""

    kind: str
    rows: int
    of: int
    sure: bool
    attributes: Counter[str]


class Residue:
    """Searches columns one after the other; then says what was found.

    Args:
        crosswalk: rows of one source.
    """

    def __init__(self, crosswalk: pa.Table) -> None:
        attributes = set(crosswalk["attribute"].unique().to_pylist()) - set(OUR_OWN)
        theirs = crosswalk.filter(pc.is_in(crosswalk["attribute"], pa.array(sorted(attributes), pa.string())))
        has_digit = pc.match_substring_regex(theirs["identifier"], r"\d")
        self.numbers = _numbers(theirs.filter(has_digit))
        named = [attribute for attribute in attributes if is_name(attribute)]
        is_a_name = pc.is_in(theirs["attribute"], pa.array(named, pa.string()))
        self.names = _names(theirs.filter(pc.and_(pc.invert(has_digit), is_a_name)))
        self.columns: dict[tuple[str, str], Tally] = {}
        self.small: Counter[str] = Counter()  # name → rows where it stands in small letters

    @cached_property
    def _lengths(self) -> frozenset[int]:
        return frozenset(map(len, self.numbers))

    def search(self, table: str, column: str, texts: pa.Array | pa.ChunkedArray) -> None:
        """Look through a column, or a part of it; the same text is looked through once."""
        tally = self.columns.setdefault((table, column), Tally())
        tally.rows += len(texts) - texts.null_count
        counted = texts.drop_null().value_counts()
        counted = counted.filter(pc.invert(pc.match_substring_regex(counted.field("values"), _TOO_SHORT)))
        values, rows = counted.field("values"), counted.field("counts").to_pylist()
        found = self._names_in(values, rows)
        for i, text in enumerate(values.to_pylist()):
            if text.isdigit() and len(text) in self._lengths:
                tally.lengths[len(text)] += rows[i]
            if identifiers := found.get(i, set()).union(self._numbers_in(text)):
                tally.found[frozenset(identifiers)] += rows[i]

    def _numbers_in(self, text: str) -> Iterator[str]:
        for run in _RUN.findall(text):
            groups = _DIGITS.findall(run)
            for first in range(len(groups)):
                for number in accumulate(groups[first : first + 16]):
                    if len(number) in self._lengths and number in self.numbers:
                        yield number

    def _names_in(self, texts: pa.StringArray, rows: list[int]) -> dict[int, set[str]]:
        """Names in the texts that have any: place of the text → names."""
        found: dict[int, set[str]] = {}
        for text, said in words_of(texts, lambda word: fold(word) in self.names).items():
            found[text] = {fold(word) for word in said}
            self.small.update({fold(word): rows[text] for word in said if word.islower()})
        return found

    def hits(self) -> Iterator[tuple[str, str, Hits]]:
        """Table, column, and what was found there of each kind; columns where nothing was found as well."""
        people = {name: attribute for name, attribute in self.names.items() if self.small[name] < COMMON_ROWS}
        for (table, column), tally in self.columns.items():
            yield table, column, _hits(NUMBER, self.numbers, tally)
            yield table, column, _hits(NAME, people, tally)


def _numbers(rows: pa.Table) -> dict[str, str]:
    """Digits of each identifier that is a number → its attribute; a telephone as it is dialled from abroad, too."""
    written = rows["identifier"]
    digits = pc.replace_substring_regex(pc.replace_substring_regex(written, _ABROAD, r"0\1"), r"\D+", "")
    letters = pc.utf8_length(pc.replace_substring_regex(written, r"\P{L}+", ""))
    is_number = pc.and_(pc.less_equal(letters, _MOST_LETTERS), pc.greater_equal(pc.utf8_length(digits), MIN_DIGITS))
    is_number = pc.and_(is_number, pc.invert(pc.match_substring_regex(written, _DAY)))
    found = pa.table({"number": digits, "attribute": rows["attribute"]}).filter(is_number)
    numbers = dict(zip(found["number"].to_pylist(), found["attribute"].to_pylist(), strict=True))
    telephones = [(number, of) for number, of in numbers.items() if len(number) == SURE_DIGITS and number[0] == "0"]
    return numbers | {f"{code}{number[1:]}": of for number, of in telephones for code in ("33", "0033")}


def _names(rows: pa.Table) -> dict[str, str]:
    """Each word of a name, folded → its attribute."""
    said = rows.group_by(["identifier", "attribute"]).aggregate([]).to_pylist()
    return {fold(word): row["attribute"] for row in said for word in WORD.findall(row["identifier"])}


def _hits(kind: str, known: dict[str, str], tally: Tally) -> Hits:
    hit, attributes, lengths = 0, Counter[str](), Counter[int]()
    for values, rows in tally.found.items():
        if ours := [value for value in values if value in known]:
            hit += rows
            attributes.update(dict.fromkeys({known[value] for value in ours}, rows))
            lengths.update(dict.fromkeys({len(value) for value in ours}, rows))
    sure = kind == NUMBER and any(_is_sure(n, rows, tally.lengths[n]) for n, rows in lengths.items())
    return Hits(kind, hit, tally.rows, sure, attributes)


def _is_sure(digits: int, rows: int, numbers: int) -> bool:
    """Whether numbers that are known as identifiers are identifiers: in a column of codes some are so by chance.

    Args:
        digits: of the numbers.
        rows: where an identifier of so many digits stands.
        numbers: rows of the column that are a number of so many digits, and nothing else.
    """
    return 2 * rows > numbers and (digits >= SURE_DIGITS or numbers > 0)


def is_name(attribute: str) -> bool:
    """Whether a column of the source holds names of people, as its own name says."""
    said = set(words(attribute))
    return bool(said & (NAME_WORDS | SOLE_NAME_WORDS)) and not said & THINGS


def told(attributes: Iterable[tuple[str, int]]) -> str:
    """What was found, without saying it."""
    return ", ".join(f"{attribute} in {rows} rows" for attribute, rows in attributes)
