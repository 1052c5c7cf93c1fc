"""What can be wrong with what a hospital sends: each a small change of one file or table, and what must become of it.

The changes themselves are in the files beside this one; how a change finds its place is in `mutated_copies`.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

Record = Any  # a CSV record is a list of texts, a resource a dict

CSV, NDJSON, BUNDLE, DATABASE = "csv", "ndjson", "bundle", "database"
EVERYWHERE, FILES, FHIR = (CSV, NDJSON, BUNDLE, DATABASE), (CSV, NDJSON, BUNDLE), (NDJSON, BUNDLE)
TABLES = (CSV, DATABASE)


class Level(Enum):
    """What a change is given."""

    CELL = "one value, with the column that it stands in"
    RECORDS = "all records of one file or table"
    ROWS = "header and rows of one file or table"
    TEXT = "the bytes of one file, uncompressed"
    PACKED = "the bytes of one file as they lie on the disk"
    FOLDER = "the folder and one file of it"


class Expect(Enum):
    """What must become of a copy; whatever it is, nothing is lost in silence and nothing is half visible."""

    ENDS = "the run ends well"
    SAME = "the run ends well, and its readers see what they saw before"
    SET_ASIDE = "the run ends well, and the quarantine names the column"
    REFUSED = "the run is refused with one clear error"
    EITHER = "the run ends well or is refused"


@dataclass(frozen=True)
class At:
    """Where a value stands."""

    rng: random.Random
    pattern: str | None  # of dates, where the source has its own: dd/MM/yyyy
    old: Any

    def written(self, day: str, time: str = "00:00:00") -> str:
        """An ISO day as this column writes it, with a time where the column has one."""
        if self.pattern:
            year, month, date = day.rsplit("-", 2)
            return (
                self.pattern.replace("dd", date).replace("MM", month).replace("yyyy", year).replace("HH:mm", time[:5])
            )
        old = str(self.old)
        stamp = f"{day}{old[10]}{time}" if len(old) > 10 else day
        return stamp + ("Z" if old.endswith("Z") else old[-6:] if len(old) == 25 else "")


@dataclass(frozen=True)
class Mutation:
    """One thing that can be wrong."""

    name: str
    sentence: str
    level: Level
    change: Callable[..., Any]
    expect: Expect = Expect.ENDS
    formats: tuple[str, ...] = EVERYWHERE
    on: str = "any"  # kind of value: text, number, date, key, death…; of file: gzip, plain
    fhir: Expect | None = None  # where resources have another fate
    windows: Expect | None = None  # where the source declares windows-1252
    slow: bool = False

    def expected(self, form: str, encoding: str) -> Expect:
        if form in FHIR and self.fhir is not None:
            return self.fhir
        return self.windows if encoding == "windows-1252" and self.windows is not None else self.expect


MUTATIONS: list[Mutation] = []


def mutation(sentence: str, level: Level, expect: Expect = Expect.ENDS, **how: Any) -> Callable[[Any], Any]:
    """Add a change to the list under the name of its function."""

    def add(change: Callable[..., Any]) -> Callable[..., Any]:
        MUTATIONS.append(Mutation(change.__name__, sentence, level, change, expect, **how))
        return change

    return add


CELL, RECORDS, ROWS, TEXT, PACKED, FOLDER = Level
SAME, SET_ASIDE, REFUSED, EITHER, ENDS = Expect.SAME, Expect.SET_ASIDE, Expect.REFUSED, Expect.EITHER, Expect.ENDS
