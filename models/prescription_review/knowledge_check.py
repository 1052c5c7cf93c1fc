"""What a knowledge table must look like: columns, numbers, words, codes. An error names file, line and column."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from models.prescription_review.routes import OTHER, ROUTES
from models.prescription_review.units import DOSE_UNITS, LAB_UNITS
from passerelle.errors import TerminalError


class KnowledgeError(TerminalError):
    """A knowledge table cannot be used as it is."""


PROVENANCE = ("line", "source", "edition", "checked")
_CRITERIA = (
    "criterion", "atc", "substance", "with_atc", "icd10", "unless_atc", "unless_icd10", "analyte", "side", "limit",
    "days_from", "daily_above", "unit", "age_from", "age_below", "problem", "severity", "reason",
)  # fmt: skip
# Table -> its columns, beside PROVENANCE and a note.
COLUMNS: dict[str, tuple[str, ...]] = {
    "maximum_daily_dose": ("atc", "substance", "route", "age_from", "age_below", "weight_from", "weight_below",
                           "max_daily", "max_daily_per_kg", "unit"),
    "minimum_daily_dose": ("atc", "substance", "route", "age_from", "age_below", "min_daily", "unit"),
    "renal_limits": ("atc", "substance", "route", "clearance_from", "clearance_below", "action", "max_daily", "unit",
                     "max_per_day", "severity"),
    "age_limits": ("atc", "substance", "age_from", "age_below", "severity"),
    "lab_limits": ("atc", "substance", "kind", "analyte", "side", "limit", "value_from", "value_below", "after_hours",
                   "severity"),
    "duplicate_classes": ("class", "label", "atc", "kind", "severity"),
    "contraindications": ("atc", "substance", "icd10", "unless_icd10", "condition", "within_days", "severity"),
    "interactions": (),
    "allergies": ("allergen", "pattern", "icd10", "atc", "kind", "severity"),
    "pregnancy_limits": ("atc", "substance", "who", "week_from", "week_below", "severity", "reason"),
    "stopp": _CRITERIA,
    "start": _CRITERIA,
    "monitoring": ("atc", "substance", "route", "analytes", "label", "after_hours", "max_days", "severity"),
    "administration": ("atc", "substance", "kind", "routes", "label", "dose_from", "unit", "max_per_day", "severity",
                       "reason"),
}  # fmt: skip
NUMBERS = ("age_from", "age_below", "weight_from", "weight_below", "max_daily", "max_daily_per_kg", "min_daily",
           "clearance_from", "clearance_below", "max_per_day", "limit", "value_from", "value_below", "after_hours",
           "week_from", "week_below", "days_from", "within_days", "daily_above", "max_days", "dose_from")  # fmt: skip
_SIDES, _SEVERITIES = ("above", "below"), ("low", "moderate", "high")
# (table or "", column) -> its words.
WORDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "severity"): _SEVERITIES,
    ("", "checked"): ("texte", "mémoire"),
    ("renal_limits", "action"): ("contraindicated", "reduce", "adapt"),
    ("lab_limits", "kind"): ("limit", "adverse"),
    ("lab_limits", "side"): (*_SIDES, "rise", "fall"),
    ("lab_limits", "analyte"): tuple(LAB_UNITS),
    ("duplicate_classes", "kind"): ("class", "ignore"),
    ("allergies", "kind"): ("direct", "cross"),
    ("pregnancy_limits", "who"): ("pregnant", "nursing", "childbearing"),
    ("administration", "kind"): ("forbidden", "only", "crush", "switch", "rhythm"),
    **{(table, "side"): ("", *_SIDES) for table in ("stopp", "start")},
    **{(table, "analyte"): ("", "clearance", *LAB_UNITS) for table in ("stopp", "start")},
    **{(table, "problem"): ("1", "2", "4", "5") for table in ("stopp", "start")},
}
_ATC = re.compile(r"-?[A-Z](\d{2}([A-Z]([A-Z](\d{2})?)?)?)?")
_ICD10 = re.compile(r"-?[A-Z](\d{1,2}\w*)?")
CODES = {"atc": _ATC, "with_atc": _ATC, "unless_atc": _ATC, "icd10": _ICD10, "unless_icd10": _ICD10}
PATTERNS = {"allergies": ("pattern",), "administration": ("label",)}  # on a plain text: lower case, no accents
_ROUTES = {"", "any", OTHER, *ROUTES}
LISTS = {
    "unit": {"", *(unit for unit, _ in DOSE_UNITS.values())},
    "route": _ROUTES,
    "routes": _ROUTES,
    "analytes": set(LAB_UNITS),
}


def checked(table: pd.DataFrame, path: Path, name: str) -> pd.DataFrame:
    """The table with its numbers as numbers.

    Raises:
        KnowledgeError: what cannot be used, by line and column.
    """
    missing = [column for column in (*PROVENANCE, *COLUMNS[name]) if column not in table]
    if missing:
        raise KnowledgeError(
            what=f"{path.name} lacks the column {', '.join(missing)}",
            looked=f"its columns: {', '.join(map(str, table.columns))}",
            do=f"add it to {path.name}; a cell may be empty",
        )
    problems = list(_problems(table, name))
    if problems:
        raise KnowledgeError(
            what=f"{path.name} has {len(problems)} lines that cannot be used",
            looked="; ".join(problems[:5]),
            do=f"correct these lines of knowledge/{path.name}",
        )
    for column in set(NUMBERS) & set(table.columns):
        table[column] = pd.to_numeric(table[column])
    return table


def _problems(table: pd.DataFrame, name: str) -> Iterator[str]:
    for line in table.loc[table["line"].duplicated(), "line"]:
        yield f"line id twice: {line}"
    for column in PROVENANCE:
        yield from _wrong(table, column, lambda text: text != "", "is empty")
    for column in set(NUMBERS) & set(table.columns):
        number = pd.to_numeric(table[column], errors="coerce")
        for line, text in table.loc[number.isna() & (table[column] != ""), ["line", column]].itertuples(index=False):
            yield f"{line}: {column} is no number: {text!r}"
    for (of, column), words in WORDS.items():
        if of in ("", name) and column in table:
            yield from _wrong(table, column, _one_of(words), f"is none of {', '.join(words)}")
    for column in {*CODES} & set(table.columns):
        yield from _wrong(table, column, _all_codes(CODES[column]), "is no code, nor codes with | between them")
    for column in PATTERNS.get(name, ()):
        yield from _wrong(table, column, _compiles, "is no regular expression")
    for column in {*LISTS} & set(table.columns):
        yield from _wrong(table, column, _all_of(LISTS[column]), "is not known")


def _wrong(table: pd.DataFrame, column: str, good: Callable[[str], bool], why: str) -> Iterator[str]:
    for line, text in zip(table["line"], table[column], strict=True):
        if not good(text):
            yield f"{line}: {column} {why}: {text!r}"


def _one_of(words: tuple[str, ...]) -> Callable[[str], bool]:
    return lambda text: text in words


def _all_of(known: set[str]) -> Callable[[str], bool]:
    return lambda text: set(text.split("|")) <= known


def _all_codes(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: all(pattern.fullmatch(part) for part in text.split("|") if part)


def _compiles(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True
