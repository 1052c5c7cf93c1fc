"""The 51 items of the French socle commun: what they are, and where each lives in the CDM (``socle_commun/``)."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from passerelle.errors import UsageError

FOLDER = Path(__file__).parent / "socle_commun"
EDITION = "15 September 2023"
CROSSWALK = "crosswalk"  # identity: counted in the encrypted crosswalk, never in the CDM
OF_THE_DEAD = "1.a.4"
OWN_CODES = "socle.csv"  # beside a source's declaration
Code = tuple[str, str]  # vocabulary, code


@dataclass(frozen=True)
class Item:
    """One item, and where it lives."""

    number: str
    group: str
    lot: str
    label: str
    condition: str
    table: str
    test: str  # SQL over a row of the table; for the crosswalk: names of attributes
    codes: tuple[Code, ...]
    remark: str


@cache
def items() -> dict[str, Item]:
    """The 51 items by their number, in the official order."""
    places = {row["item"]: row for row in _rows(FOLDER / "places.csv")}
    return {
        row["item"]: Item(
            row["item"],
            row["subgroup"] or row["group"],
            row["lot"],
            row["label"],
            row["condition"],
            place["table"],
            place["test"],
            tuple(("LOINC", code) for code in place["codes"].split()),
            place["remark"],
        )
        for row in _rows(FOLDER / "items.csv")
        for place in [places[row["item"]]]
    }


def codes_of(source_folder: Path | None = None) -> dict[Code, str]:
    """Code → item: those of everybody, and those of a source (`OWN_CODES` in its folder).

    Raises: UsageError: the file of the source names an item that does not exist, or has other columns.
    """
    known = {code: item.number for item in items().values() for code in item.codes}
    path = source_folder / OWN_CODES if source_folder else None
    for row in _rows(path) if path and path.exists() else []:
        if set(row) != {"item", "vocabulary", "code"} or row["item"] not in items():
            raise UsageError(
                "the codes of the socle commun cannot be read",
                looked=f"{path}: {dict(row)}",
                do="write item,vocabulary,code on the first line, and items such as 5.b.1",
            )
        known[row["vocabulary"], row["code"]] = row["item"]
    return known


def attributes_of(item: Item, counted: Mapping[str, int]) -> int:
    """Persons with an identity item, of the crosswalk's counts by attribute."""
    names = item.test.split("|")
    return max((n for attribute, n in counted.items() if attribute.lower() in names), default=0)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
