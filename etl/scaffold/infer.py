"""Decide what each column of a scanned source is: key, identifier, direct identifier, date, code, free text."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

from etl.scaffold import patterns, shapes
from etl.scaffold.scan import Scan, ScannedColumn, ScannedTable
from etl.scaffold.shapes import any_word, words

MAX_KEY_COLUMNS = 3
KEY_CANDIDATES = 8
CONTAINED = 0.98
TELLING_LENGTH = 5
MIN_SHARED = 5  # values that two columns must share before they are said to hold the same identifier
CATEGORY_VALUES = 300

REACHES = patterns.ADDRESS_WORDS | patterns.PHONE_WORDS | patterns.MAIL_WORDS | patterns.NATIONAL_WORDS
Person, Stay, Rest = "person", "stay", "rest"


@dataclass
class Column:
    """What a column is taken for, and the doubt that a person must settle."""

    name: str
    type: str
    format: str | None = None
    identity: str | None = None  # person, stay, rest
    direct: bool = False  # a direct identifier: to the crosswalk only
    free_text: bool = False
    vocabulary: str | None = None  # of the codes that it holds
    doubt: str | None = None


@dataclass
class Table:
    """What a table is taken for."""

    scanned: ScannedTable
    columns: list[Column]
    key: tuple[str, ...] = ()
    key_doubt: str | None = None
    change_column: str | None = None
    tombstone: str | None = None
    people: bool = False  # its key is a person's number
    cdm: str | None = None  # the CDM table that it probably fills
    doubts: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.scanned.name

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    def of_identity(self, kind: str) -> Column | None:
        return next((column for column in self.columns if column.identity == kind), None)

    def with_code(self, *vocabularies: str) -> Column | None:
        return next((c for v in vocabularies for c in self.columns if c.vocabulary == v), None)

    def named(self, wanted: Sequence[str], *types: str) -> Column | None:
        """The column whose name holds the best of some words, of some types; identifiers left out."""
        for word in wanted:
            for column in self.columns:
                usable = not (column.identity or column.direct or column.free_text)
                if usable and word in words(column.name) and (not types or column.type in types):
                    return column
        return None


def infer(scan: Scan) -> list[Table]:
    """The tables of a source, each column with a first answer."""
    tables = [_table(scanned) for scanned in scan.tables]
    for table in tables:
        _find_people(table)
    _spread_identifiers(tables)
    _find_stays(tables)
    for table in tables:
        _finish(table)
    return tables


def _table(scanned: ScannedTable) -> Table:
    table = Table(scanned, [column_of(column) for column in scanned.columns])
    table.key, table.key_doubt = key_of(scanned)
    return table


def column_of(scanned: ScannedColumn) -> Column:
    """What a column is taken for, alone."""
    kind, pattern = shapes.type_of(scanned.values, scanned.name)
    if scanned.declared_type and scanned.declared_type != "string":
        kind, pattern = scanned.declared_type, None
    column = Column(scanned.name, kind, pattern)
    column.identity = _identity_by_name(scanned.name, kind)
    if column.identity is None:
        _look_for_direct(column, scanned)
    if column.identity or column.direct:
        column.type, column.format = "string", None
        return column
    if pattern == "MM/dd/yyyy":
        column.doubt = "month first? dd/MM/yyyy does not read all its values"
    if kind == "string" and shapes.is_free_text(scanned.values, scanned.name):
        column.free_text = True
    elif kind in ("string", "bigint"):
        column.vocabulary = shapes.code_of(scanned.values, scanned.name)
        column.type = "string" if column.vocabulary else kind
    return column


def _identity_by_name(name: str, kind: str) -> str | None:
    said = set(words(name))
    joined = "".join(words(name))
    if kind in ("date", "timestamp", "boolean") or said & patterns.NAME_WORDS - {"name"}:
        return None
    # patient_id is a patient's number, patient_address_id is not.
    plain = said - patterns.NUMBER_WORDS - {"de", "du", "fk"}
    numbered = said & patterns.NUMBER_WORDS or len(said) == 1
    if (
        joined in patterns.PERSON_IDS
        or said & patterns.PERSON_IDS
        or (numbered and _only(plain, patterns.PERSON_NOUNS))
    ):
        return Person
    if joined in patterns.STAY_IDS or said & patterns.STAY_IDS or (numbered and _only(plain, patterns.STAY_NOUNS)):
        return Stay
    if said & patterns.STAFF_NOUNS and not said & {"type", "role", "specialite", "statut"}:
        return Rest
    return None


def _only(said: set[str], nouns: set[str]) -> bool:
    return bool(said) and said <= nouns


def _look_for_direct(column: Column, scanned: ScannedColumn) -> None:
    said = set(words(scanned.name))
    named = bool(said & patterns.NAME_WORDS) or any(pair <= said for pair in patterns.NAME_PAIRS)
    weak = "name" in said and not any(pair <= said for pair in patterns.NAME_PAIRS)  # of a drug, of a germ, of a file
    if named and not said & patterns.THINGS and not (weak and not shapes.looks_like_names(scanned.values)):
        column.direct, column.doubt = True, "names of people?" if weak else None
    elif (len(said) == 1 and said <= patterns.SOLE_NAME_WORDS and column.type == "string") or (
        said & REACHES and not said & {"id", "cle", "key", "ref"}
    ):
        column.direct = True
    elif kind := shapes.direct_identifier(scanned.values):
        column.direct, column.doubt = True, f"its values look like {kind}"
    elif shapes.looks_like_names(scanned.values) and not said & (patterns.THINGS.union(patterns.LABEL_WORDS)):
        column.direct, column.doubt = True, "its values look like names: of people?"


# --- Keys ----------------------------------------------------------------------------------------------------------


def key_of(scanned: ScannedTable) -> tuple[tuple[str, ...], str | None]:
    """The columns that make a row itself, and the doubt about them."""
    if scanned.primary_key:
        return scanned.primary_key, None
    if not scanned.rows:
        return (scanned.columns[0].name,), "the table is empty: what makes a row itself?"
    unsure = None if scanned.complete else f"unique in a sample of {scanned.rows} rows only"
    candidates = sorted(
        (c for c in scanned.columns if not c.empty and max(map(len, c.values), default=0) <= 80),
        key=lambda c: -c.distinct,
    )[:KEY_CANDIDATES]
    order = {column.name: i for i, column in enumerate(scanned.columns)}
    for size in range(1, MAX_KEY_COLUMNS + 1):
        unique = [
            group for group in combinations(candidates, size) if _is_unique(scanned, [column.name for column in group])
        ]
        if unique:
            best = min(unique, key=lambda group: (sum(_rank(c) for c in group), [order[c.name] for c in group]))
            names = tuple(sorted((c.name for c in best), key=order.__getitem__))
            return names, unsure if size == 1 and _rank(
                best[0]
            ) == 0 else unsure or "unique here; is it a key by meaning?"
    return tuple(order), "no three columns are unique: all columns make the row, equal rows are one"


def _rank(column: ScannedColumn) -> int:
    """Numbers make better keys than dates, and dates than texts that happen to differ."""
    said = set(words(column.name))
    if said & patterns.NUMBER_WORDS or any(w.endswith("id") for w in said) or _identity_by_name(column.name, "string"):
        return 0
    kind, _ = shapes.type_of(column.values[:200])
    return {"bigint": 1, "string": 2, "date": 3, "timestamp": 3}.get(kind, 4)


def _is_unique(scanned: ScannedTable, names: Sequence[str]) -> bool:
    if math.prod(scanned.column(name).distinct for name in names) < scanned.rows:
        return False
    places = [scanned.index(name) for name in names]
    for rows in (scanned.records[: scanned.rows // 10], scanned.records):  # most groups fail on the first tenth
        if len({tuple(row[place] for place in places) for row in rows}) < len(rows):
            return False
    return True


# --- Identifiers ---------------------------------------------------------------------------------------------------


def _find_people(table: Table) -> None:
    """A table of people: birth date and sex, one row a person."""
    if len(table.key) != 1 or table.named(patterns.SEX) is None:
        return
    key = table.column(table.key[0])
    if table.named(patterns.BIRTH, "date", "timestamp") is None and key.identity != Person:
        return
    table.people = True
    if key.direct:
        table.doubts.append(f"the key {key.name} is a direct identifier: is there a patient number instead?")
    key.identity, key.direct, key.type, key.vocabulary = Person, False, "string", None
    for column in table.columns:
        if any_word(column.name, patterns.TOWN_WORDS) and not column.identity:
            column.direct, column.vocabulary, column.free_text = True, None, False


def _spread_identifiers(tables: list[Table]) -> None:
    """A column that holds the numbers of people, whatever it is called."""
    for home in tables:
        if not home.people:
            continue
        numbers = set(home.scanned.column(home.key[0]).values)
        for table in tables:
            for column in table.columns:
                if table is home or column.identity or column.direct or column.type not in ("bigint", "string"):
                    continue
                same_name = column.name == home.key[0] and _says_more_than_id(column.name)
                here = set(table.scanned.column(column.name).values)
                shared = len(here & numbers)
                technical = column.name in table.key and any(c.identity == Person for c in table.columns)
                telling = sum(map(len, here)) >= TELLING_LENGTH * len(here)  # row counters of any table are alike
                alike = telling and shared >= MIN_SHARED and shared >= CONTAINED * len(here) and not technical
                if same_name or (alike and not any(c.identity == Person for c in table.columns)):
                    column.identity, column.type, column.vocabulary = Person, "string", None
                    if not same_name:
                        column.doubt = f"its values are those of {home.name}.{home.key[0]}: a person's number?"


def _says_more_than_id(name: str) -> bool:
    return bool(set(words(name)) - patterns.NUMBER_WORDS)


def _find_stays(tables: list[Table]) -> None:
    """A table of stays: a person, a beginning and an end, one number; every column of that name is a stay's number."""
    for table in tables:
        if table.people or len(table.key) != 1 or table.of_identity(Person) is None:
            continue
        key = table.column(table.key[0])
        start, end = (table.named(w, "date", "timestamp") for w in (patterns.START, patterns.END))
        if start and end and key.identity in (Stay, None):
            if key.identity is None:
                if not (table.named(patterns.MODE) or _is_pointed_to(table, tables)):
                    continue
                key.doubt = "the number of a stay?"
            key.identity, key.type, key.vocabulary = Stay, "string", None
            table.cdm = "visit_occurrence"
            for other in tables if _says_more_than_id(key.name) else ():
                for column in other.columns:
                    if column.name == key.name and column.identity is None:
                        column.identity, column.type, column.vocabulary = Stay, "string", None


def _is_pointed_to(table: Table, tables: list[Table]) -> bool:
    """Whether the stay's numbers of another table are the keys of this one."""
    keys = set(table.scanned.column(table.key[0]).values)
    for other in tables:
        if other is not table and (pointer := other.of_identity(Stay)) is not None:
            here = set(other.scanned.column(pointer.name).values)
            if len(here & keys) >= max(MIN_SHARED, CONTAINED * len(here)):
                return True
    return False


def _finish(table: Table) -> None:
    if all(table.column(name).direct for name in table.key):
        for name in table.key:  # what leaves at the door cannot tell rows apart: a hash of it can
            table.column(name).direct, table.column(name).identity = False, Rest
    for column in table.columns:
        said = set(words(column.name))
        dated = column.type in ("date", "timestamp")
        if dated and said & set(patterns.TOMBSTONE) and table.scanned.column(column.name).empty:
            table.tombstone = column.name
        elif column.type == "timestamp" and said & set(patterns.CHANGE):
            table.change_column = table.change_column or column.name
    if table.of_identity(Person) is None and table.of_identity(Stay) is None and table.of_identity(Rest) is None:
        for column in table.columns:  # a dictionary names things, not people
            column.free_text = False
