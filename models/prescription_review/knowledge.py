"""The knowledge tables, read from CSV files that a pharmacist can correct in a spreadsheet.

A hospital may keep its own: every table is data, its hash is recorded with each model.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.prescription_review.columns import FEW, Columns, Rows, factorized
from models.prescription_review.interactions.findings import Interactions
from models.prescription_review.interactions.substances import edition_of, table_of
from models.prescription_review.knowledge_check import KnowledgeError, checked

__all__ = ["FOLDER", "TABLES", "Coded", "Knowledge", "KnowledgeError", "Lines", "load_knowledge"]

FOLDER = Path(__file__).parent / "knowledge"
ANSM = "ansm"
MOST_CODES = 50_000  # remembered a table; more than any hospital has
FULL_CODE = len("A00AA00")
NO_ROWS = np.empty(0, np.int64)


@dataclass(frozen=True)
class Knowledge:
    """One frame a table; each row has a ``line`` id, a source, its edition, and whether the text was checked."""

    maximum_daily_dose: pd.DataFrame
    minimum_daily_dose: pd.DataFrame
    renal_limits: pd.DataFrame
    age_limits: pd.DataFrame
    lab_limits: pd.DataFrame
    duplicate_classes: pd.DataFrame
    contraindications: pd.DataFrame
    allergies: pd.DataFrame
    pregnancy_limits: pd.DataFrame
    stopp: pd.DataFrame
    start: pd.DataFrame
    monitoring: pd.DataFrame
    administration: pd.DataFrame
    interactions: Interactions
    sha256: str

    @cached_property
    def lines(self) -> dict[str, dict[str, Any]]:
        """Line id → the row of a table."""
        return {row["line"]: row for name in TABLES for row in getattr(self, name).to_dict("records")}

    def line(self, line: str) -> dict[str, Any]:
        """The knowledge row behind a finding, of whichever table; of the thesaurus where no table has it."""
        return self.lines[line] if line in self.lines else self.interactions.line(line)

    @cached_property
    def by_code(self) -> dict[str, Lines]:
        """Each table by the code that a rule looks up in it."""
        found = {name: Lines(getattr(self, name), "atc") for name in TABLES if "atc" in getattr(self, name)}
        found |= {f"{name}.icd10": Lines(getattr(self, name), "icd10") for name in ("contraindications", "allergies")}
        columns = ("with_atc", "unless_atc", "icd10", "unless_icd10")
        found |= {f"{name}.{c}": Lines(getattr(self, name), c) for name in ("stopp", "start") for c in columns}
        spared = {"contraindications.unless_icd10": Lines(self.contraindications, "unless_icd10")}
        return found | spared | {"allergies.text": Lines(self.allergies, "pattern", _by_pattern)}

    @cached_property
    def product_labels(self) -> Lines:
        """The lines on administration by what is written about the product."""
        return Lines(self.administration, "label", _by_pattern)

    @cached_property
    def names(self) -> dict[str, str]:
        """Full ATC code → French name, of a table, else of the thesaurus: the clinician's screen is not in English."""
        tables = (getattr(self, name) for name in NAMING)
        pairs = (pair for table in tables for pair in zip(table["atc"], table["substance"], strict=True))
        named: dict[str, str] = {}
        for atc, substance in pairs:
            if len(atc) == FULL_CODE:
                named.setdefault(atc, substance)
        return self.interactions.catalogue.substances.names | named


NAMING = ("maximum_daily_dose", "minimum_daily_dose", "renal_limits", "administration", "monitoring", "age_limits")
TABLES = tuple(name for name, kind in Knowledge.__annotations__.items() if kind == "pd.DataFrame")


@lru_cache
def load_knowledge(site: Path | None = None, folder: Path = FOLDER) -> Knowledge:
    """Read and check every table of a folder, and the thesaurus in its folder ``ansm`` (else the one that ships).

    Args:
        site: a hospital's own folder. A table of the same name there adds lines, and replaces those of the same id;
            a table that it lacks stays as it is.
    Raises:
        ThesaurusError: the thesaurus cannot be read.
        KnowledgeError: a table lacks a column, or a line cannot be used: which, and why.
    """
    digest = hashlib.sha256()
    frames = {}
    if site is not None:
        _no_other_table(site)
    for name in TABLES:
        path = folder / f"{name}.csv"
        digest.update(name.encode() + b"\0" + path.read_bytes())
        frames[name] = checked(_read(path), path, name)
        own = None if site is None else site / path.name
        if own is not None and own.exists():
            digest.update(b"site\0" + own.read_bytes())
            frames[name] = _with_lines(frames[name], checked(_read(own), own, name))
    ansm = next((root / ANSM for root in (site, folder, FOLDER) if root and (root / ANSM).is_dir()), FOLDER / ANSM)
    edition = edition_of(ansm).glob("*.json")
    tables = (table_of(ansm, path.name) for path in (FOLDER / ANSM).glob("*.csv"))
    for path in sorted({*edition, *tables}, key=lambda path: path.name):  # wherever each of them is
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return Knowledge(**frames, interactions=Interactions(ansm), sha256=digest.hexdigest())


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise KnowledgeError(
            what=f"{path.name} cannot be read as a table", looked=str(error), do="write it as CSV, UTF-8, with a header"
        ) from error


def _no_other_table(site: Path) -> None:
    other = sorted(path.name for path in site.glob("*.csv") if path.stem not in TABLES)
    if other or not site.is_dir():
        raise KnowledgeError(
            what=f"{site.name} is no folder of own knowledge: {', '.join(other) or 'no such folder'}",
            looked=f"the tables are {', '.join(sorted(TABLES))}",
            do="name each file after the table whose lines it adds or replaces",
        )


def _with_lines(table: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """The table with a hospital's lines in the place of those of the same id, the new ones behind."""
    rest = table[~table["line"].isin(own["line"])]
    return pd.concat([rest, own.reindex(columns=table.columns)], ignore_index=True)


@dataclass(frozen=True)
class Coded:
    """The codes of many rows: the distinct ones, and which of them each row has."""

    distinct: list[str]
    number: Rows

    @classmethod
    def of(cls, codes: NDArray[Any]) -> Coded:
        """Args: a code for each row; an empty one concerns no line."""
        number, distinct = factorized(codes)
        return cls(distinct, number)


def _by_beginning(text: str) -> Callable[[str], bool]:
    """A code or the beginning of codes, ``|`` between several, ``-`` before those that are left out."""
    parts = [part for part in text.split("|") if part]
    out = tuple(part[1:] for part in parts if part.startswith("-"))
    begin = tuple(part for part in parts if not part.startswith("-"))
    return lambda code: code.startswith(begin) and not code.startswith(out)


def _by_pattern(text: str) -> Callable[[str], bool]:
    """A regular expression on a plain text; an empty one concerns none."""
    pattern = re.compile(text) if text else None
    return lambda written: pattern is not None and pattern.search(written) is not None


class Lines:
    """The lines of a table by code: which of them concern a code is asked once a code."""

    def __init__(
        self, table: pd.DataFrame, column: str, concerns: Callable[[str], Callable[[str], bool]] = _by_beginning
    ) -> None:
        self.columns: Columns = {str(name): table[name].to_numpy() for name in table}
        self._concerns = [concerns(text) for text in table[column]]
        self._known: dict[str, list[int]] = {"": []}
        self._names: dict[str, dict[str, NDArray[np.bool_]]] = {}

    def of(self, coded: Coded) -> tuple[Rows, Rows]:
        """Every row with every line that concerns its code: positions of the rows, and of the lines."""
        lines = [self._of_one(code) for code in coded.distinct]
        if not any(lines):
            return NO_ROWS, NO_ROWS
        if len(coded.number) <= FEW:
            each = [lines[number] for number in coded.number.tolist()]
            rows = [row for row, some in enumerate(each) for _ in some]
            return np.array(rows, np.int64), np.array([one for some in each for one in some], np.int64)
        first = np.cumsum([0, *map(len, lines)])
        count = np.diff(first)[coded.number]
        inside = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        at = np.repeat(first[coded.number], count) + inside
        return np.repeat(np.arange(len(count)), count), np.array([one for some in lines for one in some], np.int64)[at]

    def naming(self, column: str) -> dict[str, NDArray[np.bool_]]:
        """Each word of a column, ``|`` between several -> which of the lines say it: text is compared once a table."""
        found = self._names.get(column)
        if found is None:
            said = [text.split("|") for text in self.columns[column]]
            words = {word for some in said for word in some}
            found = {word: np.array([word in some for some in said], dtype=bool) for word in sorted(words)}
            self._names[column] = found
        return found

    def saying(self, column: str, word: str) -> NDArray[np.bool_]:
        """Which of the lines say a word in a column."""
        found = self.naming(column).get(word)
        return np.zeros(len(self._concerns), dtype=bool) if found is None else found

    def _of_one(self, code: str) -> list[int]:
        found = self._known.get(code)
        if found is None:
            found = [at for at, concerns in enumerate(self._concerns) if concerns(code)]
            if len(self._known) < MOST_CODES:
                self._known[code] = found
        return found
