"""A mutated copy of a source, made from its number alone: which mutation, where, and the copy in a folder.

A file is either a header with rows (CSV; a table of the database on its way) or a list of resources.
"""

import csv
import io
import json
import random
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

from etl.declaration import Source, SourceColumn, load_source, source_folder
from tests.hostile.mutations import BUNDLE, CSV, DATABASE, FHIR, MUTATIONS, NDJSON, At, Expect, Level, Mutation, Record
from tests.hostile.small_copies import as_csv, read_bytes, read_text, write_bytes

SEED = 20250302
NOT_TAKEN = (Expect.REFUSED, Expect.EITHER)
FORMATS = {
    "mimic_iv_fhir": NDJSON, "synthea_fhir": BUNDLE, "aphp_socle": DATABASE,
    "tiny_lines": NDJSON, "tiny_bundles": BUNDLE,
}  # fmt: skip
PACKED = {"mimic_iv", "mimic_iv_fhir", "synthea_fhir", "tiny", "tiny_lines", "tiny_bundles"}  # have files in gzip
PLAIN = {"synthea_csv", "chu_second", "tiny"}  # have files in none
# Where each source keeps the end of a life, and of a stay: table or resource, then column or path.
ENDS = {
    "mimic_iv": {"death": ("patients", "dod"), "end": ("admissions", "dischtime")},
    "mimic_iv_fhir": {"death": ("Patient", "deceasedDateTime"), "end": ("Encounter", "period.end")},
    "synthea_csv": {"death": ("patients", "DEATHDATE"), "end": ("encounters", "STOP")},
    "synthea_fhir": {"death": ("Patient", "deceasedDateTime"), "end": ("Encounter", "period.end")},
    "aphp_socle": {"death": ("patient", "date_deces"), "end": ("donnees_pmsi", "date_fin_sejour")},
    "chu_second": {"death": ("patients", "decede_le"), "end": ("sejours", "sortie")},
    "tiny": {"death": ("patient", "deces"), "end": ("sejour", "sortie")},
}
Path_ = tuple[int | str, ...]


@dataclass(frozen=True)
class Case:
    """One mutated copy."""

    number: int
    source: str
    mutation: Mutation

    def __str__(self) -> str:
        return f"{self.number}-{self.source}-{self.mutation.name}"

    @property
    def rng(self) -> random.Random:
        return random.Random(f"{SEED}/{self.number}")


def cases(sources: list[str], wanted: int, slow: int) -> list[Case]:
    """So many copies: every mutation in turn, each time of another source; ``slow`` of them are a long job."""
    quick = [mutation for mutation in MUTATIONS if not mutation.slow]
    turns = {
        m.name: random.Random(f"{SEED}/{m.name}").sample(_sources_of(m, sources), len(_sources_of(m, sources)))
        for m in MUTATIONS
    }
    found: list[Case] = []
    for mutation in (m for m in MUTATIONS if m.slow):
        found += [Case(i, of, mutation) for i, of in enumerate(turns[mutation.name][:slow], start=len(found))]
    for number in range(wanted - len(found)):
        mutation, turn = quick[number % len(quick)], turns[quick[number % len(quick)].name]
        if turn:
            found.append(Case(len(found), turn[number // len(quick) % len(turn)], mutation))
    return found


def sample(tables: str, resources: list[str], wanted: int) -> list[Case]:
    """Copies of every family in turn: a family is what a change is given, of tables or of resources only."""
    families: dict[tuple[Level, bool], list[Mutation]] = {}
    for mutation in MUTATIONS:
        if not mutation.slow and _sources_of(mutation, [tables, *resources]):
            families.setdefault((mutation.level, CSV in mutation.formats), []).append(mutation)
    rng = random.Random(SEED)
    shuffled = [rng.sample(family, len(family)) for family in families.values()]
    chosen = [mutation for turn in zip_longest(*shuffled) for mutation in turn if mutation is not None][:wanted]
    turns = [_sources_of(m, [tables]) or _sources_of(m, resources) for m in chosen]
    return [Case(n, rng.choice(turn), m) for n, (m, turn) in enumerate(zip(chosen, turns, strict=True))]


def _sources_of(mutation: Mutation, sources: list[str]) -> list[str]:
    return [name for name in sources if _can_have(mutation, name)]


def _can_have(mutation: Mutation, source: str) -> bool:
    if FORMATS.get(source, CSV) not in mutation.formats:
        return False
    if mutation.on in ("death", "end"):
        return mutation.on in ENDS.get(source, {})
    return mutation.level is not Level.PACKED or source in (PACKED if mutation.on == "gzip" else PLAIN)


# --- A file and its values -----------------------------------------------------------------------------------------


@dataclass
class File:
    """One file of a copy, as records."""

    path: Path
    form: str
    table: str = ""  # CSV: which table of the source it is
    header: list[str] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    around: dict[str, Any] = field(default_factory=dict)  # the Bundle of the resources
    urls: dict[str, str] = field(default_factory=dict)  # id of a resource → its address in the Bundle


@cache
def _declaration(place: str) -> Source:
    return load_source(source_folder(place))


@dataclass
class Copy:
    """A source in a folder."""

    name: str
    folder: Path
    place: str = ""  # path of the declaration; default: the name

    @property
    def form(self) -> str:
        return FORMATS.get(self.name, CSV)

    @property
    def source(self) -> Source:
        return _declaration(self.place or self.name)

    @property
    def encoding(self) -> str:
        return self.source.files.encoding

    def paths(self) -> list[str]:
        """Its files, relative to the folder."""
        if self.form in FHIR:
            return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*.gz"))
        named = (table.path or f"{name}.csv" for name, table in self.source.tables.items())
        return sorted(path for path in named if (self.folder / path).is_file())

    def read(self, path: str) -> File:
        """One file as records."""
        if self.form == NDJSON:
            return File(
                Path(path), NDJSON, records=[json.loads(line) for line in read_text(self.folder / path).splitlines()]
            )
        if self.form == BUNDLE:
            bundle = json.loads(read_text(self.folder / path))
            entries = bundle.pop("entry")
            urls = {e["resource"]["id"]: e["fullUrl"] for e in entries if "fullUrl" in e}
            return File(Path(path), BUNDLE, records=[e["resource"] for e in entries], around=bundle, urls=urls)
        table = next(n for n, t in self.source.tables.items() if (t.path or f"{n}.csv") == path)
        text = read_text(self.folder / path, self.encoding)
        header, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=self.source.files.delimiter)
        return File(Path(path), CSV, table, header, rows)

    def write(self, file: File) -> None:
        """Put the records of a file in its place."""
        write_bytes(self.folder / file.path, self._bytes(file))

    def _bytes(self, file: File) -> bytes:
        if file.form == NDJSON:
            return "".join(f"{json.dumps(record)}\n" for record in file.records).encode()
        if file.form == BUNDLE:
            return json.dumps(file.around | {"entry": _entries(file)}).encode()
        rows = [file.header, *file.records] if file.header else file.records
        text = as_csv(rows, self.source.files.delimiter)
        errors = "surrogatepass" if self.encoding == "utf-8" else "replace"
        return text.encode(self.encoding, errors)


def _entries(file: File) -> list[Any]:
    """Entries for the resources, each with the address that it had."""
    found = []
    for record in file.records:
        own = record.get("id") if isinstance(record, dict) else None
        url = file.urls.get(own) if isinstance(own, str) else None
        found.append({"resource": record} | ({"fullUrl": url} if url else {}))
    return found


# --- Making a copy -------------------------------------------------------------------------------------------------


def make(case: Case, good: Copy, folder: Path) -> tuple[Copy, str]:
    """The mutated copy in a folder; what was changed, for whoever looks into a failure."""
    shutil.copytree(good.folder, folder)
    copy, mutation, rng = Copy(good.name, folder, good.place), case.mutation, case.rng
    if mutation.level is Level.CELL:
        return copy, _change_cells(copy, mutation, rng)
    path = rng.choice(_files_for(copy, mutation))
    if mutation.level is Level.FOLDER:
        other = rng.choice([p for p in copy.paths() if p != path])
        mutation.change(folder, path, other)
    elif mutation.level is Level.PACKED:
        (folder / path).write_bytes(mutation.change((folder / path).read_bytes(), At(rng, None, None)))
    elif mutation.level is Level.TEXT:
        while (changed := mutation.change(text := read_bytes(folder / path), At(rng, None, None))) == text:
            path = rng.choice(_files_for(copy, mutation))  # a table of one column has no delimiter
        write_bytes(folder / path, changed)
    else:
        file = copy.read(path)
        if mutation.level is Level.ROWS:
            file.header, *file.records = mutation.change([file.header, *file.records], At(rng, None, None))
        else:
            file.records = mutation.change(file.records, At(rng, None, None))
        copy.write(file)
    return copy, path


def put_everywhere(good: Copy, folder: Path) -> Copy:
    """A copy with every wrong value that must be taken, each once."""
    shutil.copytree(good.folder, folder)
    copy = Copy(good.name, folder, good.place)
    for number, mutation in enumerate(MUTATIONS):
        expect = mutation.expected(copy.form, copy.encoding)
        if mutation.level is Level.CELL and _can_have(mutation, good.name) and expect not in NOT_TAKEN:
            _change_cells(copy, mutation, random.Random(f"{SEED}/all/{number}"), at_most=1)
    return copy


def _files_for(copy: Copy, mutation: Mutation) -> list[str]:
    """Files with at least two records; a million rows of the smallest kind only."""
    paths = [path for path in copy.paths() if len(copy.read(path).records) > 1]
    if mutation.level is Level.PACKED:
        paths = [path for path in paths if path.endswith(".gz") == (mutation.on == "gzip")]
    return sorted(paths, key=lambda path: (copy.folder / path).stat().st_size)[:3] if mutation.slow else paths


def _change_cells(copy: Copy, mutation: Mutation, rng: random.Random, at_most: int = 3) -> str:
    """Change a value of a few records that have one of its kind, in one column; says which."""
    paths = rng.sample(copy.paths(), len(copy.paths()))
    for path in paths:
        file = copy.read(path)
        places = list(_places(copy, file, mutation.on))
        if places:
            column = rng.choice(sorted({_name(place) for _, place, _ in places}))
            chosen = [found for found in places if _name(found[1]) == column]
            for record, place, pattern in rng.sample(chosen, min(at_most, len(chosen))):
                _put(record, place, mutation.change(At(rng, pattern, _get(record, place))))
            copy.write(file)
            return f"{path}: {column if not file.header else file.header[int(column)]}"
    raise AssertionError(f"{copy.name} has no {mutation.on} to change")


def _name(place: Path_) -> str:
    return ".".join(str(step) for step in place if isinstance(step, str)) or str(place[0])


def _get(record: Record, place: Path_) -> Any:
    for step in place:
        record = record.get(step, "") if isinstance(record, dict) else record[step]
    return record


def _put(record: Record, place: Path_, value: Any) -> None:
    for step in place[:-1]:
        record = record[step]
    record[place[-1]] = value


def _places(copy: Copy, file: File, on: str) -> Iterator[tuple[Record, Path_, str | None]]:
    """Every value of a kind: its record, where in it, and the pattern of its dates."""
    if on in ("death", "end"):
        of, column = ENDS[copy.name][on]
        for record in file.records:
            if file.header and file.table == of:
                yield record, (file.header.index(column),), copy.source.tables[of].columns[column].format
            elif not file.header and record["resourceType"] == of and (on == "death" or "period" in record):
                yield record, tuple(column.split(".")), None
    elif file.header:
        yield from _cells(copy, file, on)
    else:
        for record in file.records:
            yield from ((record, place, None) for place, value in _leaves(record) if _is_leaf(on, place, value))


def _cells(copy: Copy, file: File, on: str) -> Iterator[tuple[Record, Path_, str | None]]:
    table = copy.source.tables[file.table]
    for at, name in enumerate(file.header):
        identifier = name in table.identity_columns or name in table.key
        if _is_column(on, table.columns[name], identifier, name in table.crosswalk):
            yield from ((row, (at,), table.columns[name].format) for row in file.records if row[at].strip())


def _is_column(on: str, column: SourceColumn, identifier: bool, named: bool) -> bool:
    return {
        "any": True,
        "text": column.type == "string" and not identifier,
        "number": column.type in ("bigint", "double"),
        "integer": column.type == "bigint",
        "date": column.type in ("date", "timestamp"),
        "moment": column.type == "timestamp",
        "key": identifier,
        "reference": identifier and not named and column.type == "string",
    }[on]


_DAY = re.compile(r"\d{4}-\d\d-\d\d(T.*)?")


def _leaves(node: Any, place: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Where a value stands in a resource, and the value; never the type of the resource itself."""
    steps = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for step, below in steps:
        if isinstance(below, (dict, list)):
            yield from _leaves(below, (*place, step))
        elif step != "resourceType":
            yield (*place, step), below


def _is_leaf(on: str, place: Path_, value: Any) -> bool:
    is_day = isinstance(value, str) and bool(_DAY.fullmatch(value))
    is_key = place[-1] in ("id", "reference")
    return {
        "any": True,
        "text": isinstance(value, str) and not is_day and not is_key,
        "number": type(value) in (int, float),
        "date": is_day,
        "moment": is_day and len(value) > 10,
        "key": is_key,
        "reference": place[-1] == "reference",
    }[on]


def expected(case: Case, copy: Copy) -> Expect:
    """What must become of a copy."""
    return case.mutation.expected(copy.form, copy.encoding)
