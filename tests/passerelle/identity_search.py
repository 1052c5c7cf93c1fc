"""Search what a workspace holds for identifiers: every byte as it lies, and every value behind compression."""

import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

HASH_DIGITS = 17  # a run of so many digits is a 63-bit hash: a needle inside it would be chance, not a leak
FRAGMENT_LETTERS = 6  # shorter names appear by chance in compressed bytes
# Blanks of French typography too: telephones are often written with no-break spaces.
_GROUPS = re.compile("\\d+(?:[ .\u00a0\u202f/-]{1,2}\\d+)*")
_RUNS = re.compile(r"\d{8,}")


@dataclass(frozen=True)
class Needles:
    """What must not be found.

    Args:
        words: folded names and address lines; found as whole words, whatever stands between their words.
        numbers: digits only; found in any grouping, and inside longer numbers.
    """

    words: frozenset[str]
    numbers: frozenset[str]

    @classmethod
    def of(cls, words: Iterable[str | None], numbers: Iterable[str | None]) -> "Needles":
        """From identifiers as a hospital writes them; a French telephone is also looked for with its country."""
        digits = {re.sub(r"\D", "", number) for number in numbers if number} - {""}
        abroad = {f"{code}{n[1:]}" for n in digits if len(n) == 10 and n[0] == "0" for code in ("33", "0033")}
        return cls(frozenset(fold(word) for word in words if word), frozenset(digits | abroad))

    @cached_property
    def _several(self) -> dict[str, str]:
        """Names of several words → the same without blanks."""
        return {word: word.replace(" ", "") for word in self.words if " " in word}

    @cached_property
    def _lengths(self) -> set[int]:
        return {len(number) for number in self.numbers}

    def in_text(self, text: str) -> set[str]:
        """Needles that stand in a text, in any case, accents, blanks and punctuation."""
        folded = fold(text)
        words = self.words & set(folded.split())
        if self._several:
            padded, squeezed = f" {folded} ", folded.replace(" ", "")
            words |= {w for w, joined in self._several.items() if f" {w} " in padded or joined in squeezed}
        return words | (self.numbers & set(numbers_in(text, self._lengths)))

    def in_bytes(self, raw: bytes) -> set[str]:
        """Needles that stand in bytes, where a value has no blank before or after it."""
        text = raw.decode("utf-8", "ignore").lower()
        plain = fold(text)
        numbers = {part for run in set(_RUNS.findall(text)) for part in _parts(run, self._lengths)}
        return {w for w in self.words if len(w) >= FRAGMENT_LETTERS and w in plain} | (self.numbers & numbers)


def fold(text: str) -> str:
    """Lower case, no accents, one blank between words: how two spellings of a name are compared."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = _MARKS.sub("", decomposed)
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


_MARKS = re.compile("[\u0300-\u036f]+")  # accents as signs of their own


def numbers_in(text: str, lengths: set[int]) -> Iterator[str]:
    """Digit strings of the wanted lengths: any part of one group, and any groups in a row."""
    for match in set(_GROUPS.findall(text)):  # the same dates and codes stand in many rows
        groups = re.findall(r"\d+", match)
        for group in groups:
            yield from _parts(group, lengths)
        for first in range(len(groups) if len(groups) > 1 else 0):
            yield from (joined for joined in accumulate(groups[first : first + 9]) if len(joined) in lengths)


def _parts(run: str, lengths: set[int]) -> Iterator[str]:
    if len(run) < HASH_DIGITS:
        for length in lengths:
            yield from (run[i : i + length] for i in range(len(run) - length + 1))


def search_file(path: Path, needles: Needles) -> Iterator[tuple[str, set[str]]]:
    """(where, needles found) in one file: its bytes, then what a reader of its format sees."""
    raw = path.read_bytes()
    if raw[:4] == b"PAR1":
        yield "bytes", needles.in_bytes(raw)
        yield from search_table(pq.ParquetFile(path).read(), needles)
    elif raw[:15] == b"SQLite format 3":
        yield "bytes", needles.in_bytes(raw)
        yield from ((table, needles.in_text(text)) for table, text in _sqlite(path))
    else:
        yield "text", needles.in_text(raw.decode("utf-8", "replace"))
        yield "bytes", needles.in_bytes(raw)


def search_table(table: pa.Table, needles: Needles) -> Iterator[tuple[str, set[str]]]:
    """(column, needles found): text, numbers and structures; a date or a measured value identifies nobody here."""
    for name in table.column_names:
        column = table[name]
        if pa.types.is_integer(column.type):
            yield name, needles.numbers & set(pc.unique(column).cast(pa.string()).to_pylist())
        elif not (pa.types.is_temporal(column.type) or pa.types.is_floating(column.type)):
            values = (str(value) for value in column.unique().to_pylist() if value is not None)
            yield name, needles.in_text("\n".join(values))


def _sqlite(path: Path) -> Iterator[tuple[str, str]]:
    """Every table of a database as text, its write-ahead log included."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            rows = connection.execute(f'SELECT * FROM "{table}"')
            yield table, "\n".join(str(value) for row in rows for value in row if value is not None)
    finally:
        connection.close()


def search_folder(folder: Path, needles: Needles, *, without: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """Where identifiers stand below a folder, names of files included; empty when nowhere.

    Args:
        without: paths below the folder that are not searched.
    """
    hits: dict[str, list[str]] = {}
    skipped = {folder / name for name in without}
    for path in sorted(folder.rglob("*")):
        if skipped & {path, *path.parents}:
            continue
        relative = str(path.relative_to(folder))
        found = [("name", needles.in_text(relative)), *(search_file(path, needles) if path.is_file() else ())]
        hits |= {f"{relative} ({where})": sorted(words) for where, words in found if words}
    return hits
