"""The knowledge tables, read from CSV files that a pharmacist can correct in a spreadsheet.

A hospital may keep its own: every table is data, its hash is recorded with each model.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, Rows
from models.prescription_review.interactions.findings import Interactions
from models.prescription_review.interactions.substances import table_of
from passerelle.errors import TerminalError

FOLDER = Path(__file__).parent / "knowledge"
ANSM = "ansm"
PROVENANCE = ["source", "edition", "checked"]
NUMBERS = ["age_from", "age_below", "max_daily", "clearance_from", "clearance_below", "max_per_day", "limit"]
SEVERITIES = ("low", "moderate", "high")
MOST_CODES = 50_000  # remembered a table; more than any hospital has


class KnowledgeError(TerminalError):
    """A knowledge table cannot be used as it is."""


@dataclass(frozen=True)
class Knowledge:
    """One frame a table; each row has a ``line`` id, a source, its edition, and whether the text was checked."""

    maximum_daily_dose: pd.DataFrame
    renal_limits: pd.DataFrame
    age_limits: pd.DataFrame
    lab_limits: pd.DataFrame
    duplicate_classes: pd.DataFrame
    contraindications: pd.DataFrame
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
        return found | {"contraindications.icd10": Lines(self.contraindications, "icd10")}

    @cached_property
    def names(self) -> dict[str, str]:
        """Full ATC code → French name, where a table has one: the clinician's screen is not in English."""
        tables = (getattr(self, name) for name in TABLES if "substance" in getattr(self, name))
        return {
            row.atc: row.substance for table in tables for row in table.itertuples() if len(row.atc) == len("A00AA00")
        }


TABLES = tuple(name for name, kind in Knowledge.__annotations__.items() if kind == "pd.DataFrame")


@lru_cache
def load_knowledge(folder: Path = FOLDER) -> Knowledge:
    """Read and check every table of a folder, and the thesaurus in its folder ``ansm`` (else the one that ships).

    Raises:
        ThesaurusError: the thesaurus cannot be read.
        KnowledgeError: a line id occurs twice, a severity is unknown, a limit is not a number, or a source is missing.
    """
    digest = hashlib.sha256()
    frames = {}
    for name in TABLES:
        path = folder / f"{name}.csv"
        digest.update(name.encode() + b"\0" + path.read_bytes())
        frames[name] = _checked(pd.read_csv(path, dtype=str, keep_default_na=False), path)
    ansm = folder / ANSM if (folder / ANSM).is_dir() else FOLDER / ANSM
    for path in sorted({*ansm.glob("*.json"), *(table_of(ansm, path.name) for path in (FOLDER / ANSM).glob("*.csv"))}):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return Knowledge(**frames, interactions=Interactions(ansm), sha256=digest.hexdigest())


def _checked(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    problems = [f"line id twice: {line}" for line in table.loc[table["line"].duplicated(), "line"]]
    for column in PROVENANCE:
        problems += [f"{line}: {column} is empty" for line in table.loc[table[column] == "", "line"]]
    if "severity" in table:
        problems += [f"{line}: severity" for line in table.loc[~table["severity"].isin(SEVERITIES), "line"]]
    for column in set(NUMBERS) & set(table.columns):
        number = pd.to_numeric(table[column], errors="coerce")
        problems += [f"{line}: {column}" for line in table.loc[number.isna() & (table[column] != ""), "line"]]
        table[column] = number
    if problems:
        raise KnowledgeError(
            what=f"{path.name} has {len(problems)} lines that cannot be used",
            looked="; ".join(problems[:5]),
            do=f"correct these lines of knowledge/{path.name}",
        )
    return table


@dataclass(frozen=True)
class Coded:
    """The codes of many rows: the distinct ones, and which of them each row has."""

    distinct: list[str]
    number: Rows

    @classmethod
    def of(cls, codes: NDArray[Any]) -> Coded:
        """Args: a code for each row; an empty one concerns no line."""
        number, distinct = pd.factorize(codes)
        return cls(list(distinct), number)


class Lines:
    """The lines of a table by code: a line says a code or the beginning of codes, ``|`` between several."""

    def __init__(self, table: pd.DataFrame, column: str) -> None:
        self.columns: Columns = {str(name): table[name].to_numpy() for name in table}
        self._beginnings = [tuple(text.split("|")) for text in table[column]]
        self._known: dict[str, list[int]] = {"": []}

    def of(self, coded: Coded) -> tuple[Rows, Rows]:
        """Every row with every line that concerns its code: positions of the rows, and of the lines."""
        lines = [self._of_one(code) for code in coded.distinct]
        first = np.cumsum([0, *map(len, lines)])
        count = np.diff(first)[coded.number]
        if not count.any():
            return np.empty(0, np.int64), np.empty(0, np.int64)
        inside = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        at = np.repeat(first[coded.number], count) + inside
        return np.repeat(np.arange(len(count)), count), np.array([one for some in lines for one in some], np.int64)[at]

    def _of_one(self, code: str) -> list[int]:
        found = self._known.get(code)
        if found is None:
            found = [at for at, begins in enumerate(self._beginnings) if code.startswith(begins)]
            if len(self._known) < MOST_CODES:
                self._known[code] = found
        return found
