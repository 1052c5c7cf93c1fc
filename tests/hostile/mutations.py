"""What can be wrong with what a hospital sends: each a small change of one file or table, and what must become of it.

A clinician or a data engineer can read this file alone; how a change finds its place is in `mutated_copies`.
"""

import copy
import gzip
import json
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


# --- A value that is not what was declared -------------------------------------------------------------------------

CELL, RECORDS, ROWS, TEXT, PACKED, FOLDER = Level
SAME, SET_ASIDE, REFUSED, EITHER, ENDS = Expect.SAME, Expect.SET_ASIDE, Expect.REFUSED, Expect.EITHER, Expect.ENDS


@mutation("a number became a word", CELL, SET_ASIDE, on="number", fhir=ENDS)
def words_for_numbers(at: At) -> Any:
    return "quatre-vingt-dix"


@mutation("a text became a number", CELL, on="text")
def numbers_for_words(at: At) -> Any:
    return "12345.678"


@mutation("a date is written in words", CELL, SET_ASIDE, on="date", fhir=ENDS)
def another_way_to_write_dates(at: At) -> Any:
    return "31 décembre 2019"


@mutation("a date is of the year 1", CELL, on="date")
def year_1(at: At) -> Any:
    return at.written("0001-01-01")


@mutation("a date is the last that four digits can say", CELL, on="date")
def year_9999(at: At) -> Any:
    return at.written("9999-12-31", "23:59:59")


@mutation("a year has five digits, or lies before Christ", CELL, SET_ASIDE, on="date", fhir=ENDS)
def no_year_of_ours(at: At) -> Any:
    return at.written(at.rng.choice(("12345-01-01", "-0044-03-15", "294247-01-10")))


@mutation("a day that no calendar has", CELL, SET_ASIDE, on="date", fhir=ENDS)
def thirtieth_of_february(at: At) -> Any:
    return at.written("2021-02-30")


@mutation("an hour that the clocks jumped over", CELL, on="moment")
def gap_of_summer_time(at: At) -> Any:
    return at.written(at.rng.choice(("2021-03-28", "2021-03-14")), "02:30:00")


@mutation("an hour that came twice", CELL, on="moment")
def hour_that_came_twice(at: At) -> Any:
    return at.written(at.rng.choice(("2021-10-31", "2021-11-07")), "02:30:00")


@mutation("20 MB in one cell", CELL, REFUSED, on="text", fhir=ENDS)
def giant_field(at: At) -> Any:
    return "né le 1er mars; " * (20_000_000 // 16)


@mutation("a NUL byte in a value", CELL, formats=FILES)
def nul_byte(at: At) -> Any:
    return f"{at.old}\x00"


@mutation("NUL bytes only", CELL, formats=FILES, on="text")
def nul_bytes_only(at: At) -> Any:
    return "\x00" * 12


@mutation("control characters in a value", CELL, on="text")
def control_characters(at: At) -> Any:
    return "a\x01\x08\x1b[31m\x1e\x1f\x7fb"


@mutation("line ends in a value", CELL, on="text")
def lines_in_a_value(at: At) -> Any:
    return "first\r\nsecond\n\n\rthird\n"


@mutation("quotes, apostrophes and backslashes", CELL, on="text")
def quotes(at: At) -> Any:
    return at.rng.choice(("l'hôpital", "l''hôpital \"dit\" \\' \\", '"', "\\", "`${x}` %s {0}", "''"))


@mutation("SQL in a value", CELL, on="text")
def sql(at: At) -> Any:
    return at.rng.choice(("'); DROP TABLE person; --", "' OR '1'='1", "1; DELETE FROM bronze.patients", "%' --"))


@mutation("smileys, Arabic, and a mark that turns the line round", CELL, on="text")
def letters_of_the_world(at: At) -> Any:
    return "👩‍⚕️ مرحبا \u202eabc\u2066 ﷽ e\u0301 \U0001d54f"


@mutation("half a character", CELL, REFUSED, formats=FILES, on="text", fhir=ENDS, windows=ENDS)
def lone_surrogate(at: At) -> Any:
    return "abc\ud800"


@mutation("a number that no machine holds", CELL, EITHER, on="number")
def huge_number(at: At) -> Any:
    return at.rng.choice(("1e400", "9" * 400, "-" + "9" * 400, "1e-400"))


@mutation("not a number, or without end", CELL, SET_ASIDE, on="number", fhir=ENDS)
def infinite_number(at: At) -> Any:
    return at.rng.choice(("NaN", "Infinity", "-Infinity", "inf"))


@mutation("a whole number over 64 bits", CELL, SET_ASIDE, on="integer", formats=TABLES)
def over_64_bits(at: At) -> Any:
    return at.rng.choice(("9223372036854775808", "-9223372036854775809", "99999999999999999999999"))


@mutation("a value that is only blanks", CELL)
def blanks(at: At) -> Any:
    return at.rng.choice((" ", "   ", "\t", "\u00a0"))


@mutation("blanks around a value", CELL)
def blanks_around(at: At) -> Any:
    return f"  {at.old} "


@mutation("an identifier of 10 kB", CELL, on="key")
def long_key(at: At) -> Any:
    return "7" * 10_000


@mutation("an identifier that is empty", CELL, on="key")
def empty_key(at: At) -> Any:
    return ""


@mutation("words that other programs write for nothing", CELL)
def words_for_nothing(at: At) -> Any:
    return at.rng.choice(("NULL", "None", "NA", "nan", "#N/A", "\\N"))


@mutation("an identifier that names nobody", CELL, on="reference")
def broken_reference(at: At) -> Any:
    return at.rng.choice(("Patient/nobody-at-all", "nobody-at-all", "Patient?identifier=1", "#", "urn:uuid:"))


# --- Records -------------------------------------------------------------------------------------------------------


@mutation("every record is sent twice", RECORDS, SAME)
def records_twice(records: list[Record], at: At) -> list[Record]:
    return [*records, *copy.deepcopy(records)]


@mutation("the records come in another order", RECORDS, SAME)
def another_order(records: list[Record], at: At) -> list[Record]:
    return at.rng.sample(records, len(records))


@mutation("the same key with another content", RECORDS)
def key_with_two_contents(records: list[Record], at: At) -> list[Record]:
    return [*records, *(_otherwise(record) for record in copy.deepcopy(records[:5]))]


def _otherwise(record: Record) -> Record:
    """The last value that is a text, changed: identifiers come first in every source."""
    if isinstance(record, list):
        record[-1] = f"{record[-1]}1"
    else:
        record["language"] = "fr-FR"
        record["status"] = "unknown"
    return record


@mutation("a record is gone, and others still name it", RECORDS, EITHER)
def orphans(records: list[Record], at: At) -> list[Record]:
    del records[at.rng.randrange(len(records))]
    return records


@mutation("only one record is left", RECORDS, EITHER)
def one_record(records: list[Record], at: At) -> list[Record]:
    return records[:1]


@mutation("no record at all, the header is there", RECORDS, fhir=EITHER)
def no_record(records: list[Record], at: At) -> list[Record]:
    return []


@mutation("a million times the same record", RECORDS, formats=FILES, slow=True)
def a_million_times(records: list[Record], at: At) -> list[Record]:
    return [*records, *[records[0]] * 1_000_000]


# --- Tables --------------------------------------------------------------------------------------------------------

Rows = list[list[str]]


@mutation("a column is gone", ROWS, REFUSED, formats=TABLES)
def column_gone(rows: Rows, at: At) -> Rows:
    gone = at.rng.randrange(len(rows[0]))
    return [[*row[:gone], *row[gone + 1 :]] for row in rows] if len(rows[0]) > 1 else [["other"], *rows[1:]]


@mutation("the columns come in another order", ROWS, SAME, formats=TABLES)
def columns_in_another_order(rows: Rows, at: At) -> Rows:
    order = at.rng.sample(range(len(rows[0])), len(rows[0]))
    return [[row[i] for i in order] for row in rows]


@mutation("a column that nobody declared", ROWS, REFUSED, formats=TABLES)
def column_more(rows: Rows, at: At) -> Rows:
    place = at.rng.randrange(len(rows[0]) + 1)
    return [[*row[:place], "remarque" if n == 0 else "x", *row[place:]] for n, row in enumerate(rows)]


@mutation("the header in capitals, or without them", ROWS, REFUSED, formats=TABLES)
def header_in_other_letters(rows: Rows, at: At) -> Rows:
    return [[name.swapcase() for name in rows[0]], *rows[1:]]


@mutation("a name stands twice in the header", ROWS, REFUSED, formats=(CSV,))
def name_twice(rows: Rows, at: At) -> Rows:
    return [[*row, row[0]] for row in rows]


@mutation("the first line is a patient", ROWS, REFUSED, formats=(CSV,))
def no_header(rows: Rows, at: At) -> Rows:
    return rows[1:]


@mutation("records with fewer or more fields", ROWS, formats=(CSV,))
def ragged(rows: Rows, at: At) -> Rows:
    return [
        rows[0],
        *([*row, "x", ""] if n % 3 == 0 else row[:-1] if n % 3 == 1 else row for n, row in enumerate(rows[1:])),
    ]


@mutation("a record that looks like the end that we add ourselves", ROWS, formats=(CSV,))
def end_of_our_own(rows: Rows, at: At) -> Rows:
    return [*rows[:2], ["\x1e"] * (len(rows[0]) + 1), *rows[2:]]


# --- Bytes ---------------------------------------------------------------------------------------------------------


@mutation("UTF-16", TEXT, REFUSED, formats=FILES, fhir=EITHER)
def utf_16(text: bytes, at: At) -> bytes:
    return text.decode("cp1252", "replace").encode("utf-16")


@mutation("Latin-1 with accents", TEXT, REFUSED, formats=FILES, fhir=EITHER, windows=ENDS)
def latin_1(text: bytes, at: At) -> bytes:
    return _inserted(text, "né à l'hôpital".encode("latin-1"), at)


@mutation("letters of CP1252, and one that it does not have", TEXT, REFUSED, formats=FILES, fhir=EITHER)
def cp1252(text: bytes, at: At) -> bytes:
    return _inserted(text, b"\x93 \x80 \x81 \x94", at)


@mutation("broken UTF-8", TEXT, REFUSED, formats=FILES, fhir=EITHER, windows=ENDS)
def broken_utf_8(text: bytes, at: At) -> bytes:
    return _inserted(text, b"\xc3\x28\xf0\x9f", at)


@mutation("a mark of byte order at the beginning", TEXT, SAME, formats=FILES, windows=REFUSED)
def byte_order_mark(text: bytes, at: At) -> bytes:
    return b"\xef\xbb\xbf" + text


def _inserted(text: bytes, strange: bytes, at: At) -> bytes:
    """Inside a value of the second half: before a letter that has a letter before it."""
    places = [i for i in range(len(text) // 2, len(text)) if text[i - 1 : i + 1].isalpha()]
    place = at.rng.choice(places) if places else len(text) - 1
    return text[:place] + strange + text[place:]


@mutation("the file stops in the middle", TEXT, EITHER, formats=FILES)
def truncated(text: bytes, at: At) -> bytes:
    return text[: at.rng.randrange(len(text) // 3, len(text) - 1)]


@mutation("an empty file", TEXT, REFUSED, formats=FILES, fhir=EITHER)
def empty_file(text: bytes, at: At) -> bytes:
    return b""


@mutation("a quote that opens and never closes", TEXT, EITHER, formats=FILES)
def open_quote(text: bytes, at: At) -> bytes:
    places = [i for i in range(len(text) // 2, len(text)) if text[i - 1 : i] in (b",", b";", b"\n")]
    place = at.rng.choice(places) if places else len(text) // 2
    return text[:place] + b'"' + text[place:]


@mutation("another delimiter", TEXT, REFUSED, formats=(CSV,))
def another_delimiter(text: bytes, at: At) -> bytes:
    strange = at.rng.choice((b"|", b"\t"))
    return text.replace(b";" if b";" in text.split(b"\n")[0] else b",", strange)


@mutation("line ends of another machine", TEXT, SAME, formats=(CSV, NDJSON))
def line_ends(text: bytes, at: At) -> bytes:
    return text.replace(b"\r\n", b"\n") if b"\r\n" in text else text.replace(b"\n", b"\r\n")


@mutation("carriage returns only", TEXT, EITHER, formats=(CSV, NDJSON))
def carriage_returns(text: bytes, at: At) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\n", b"\r")


@mutation("blank lines between the records", TEXT, SAME, formats=(CSV, NDJSON))
def blank_lines(text: bytes, at: At) -> bytes:
    return text.replace(b"\n", b"\n\r\n\n")


@mutation("the file twice, with its header in the middle", TEXT, formats=(CSV,))
def file_twice(text: bytes, at: At) -> bytes:
    return (text if text.endswith(b"\n") else text + b"\n") + text


@mutation("a block of NUL bytes at the end, as after a crash", TEXT, EITHER, formats=FILES)
def block_of_nul(text: bytes, at: At) -> bytes:
    return text + b"\x00" * 4096


@mutation("a gzip whose name does not say so", PACKED, REFUSED, formats=FILES, on="plain")
def gzip_without_its_name(packed: bytes, at: At) -> bytes:
    return gzip.compress(packed)


@mutation("a gzip that stops in the middle", PACKED, REFUSED, formats=FILES, on="gzip")
def truncated_gzip(packed: bytes, at: At) -> bytes:
    return packed[: len(packed) * 2 // 3]


@mutation("a gzip with other bytes in it", PACKED, REFUSED, formats=FILES, on="gzip")
def damaged_gzip(packed: bytes, at: At) -> bytes:
    middle = len(packed) // 2
    return packed[:middle] + bytes(255 - byte for byte in packed[middle : middle + 8]) + packed[middle + 8 :]


@mutation("a gzip that is none", PACKED, REFUSED, formats=FILES, on="gzip")
def no_gzip(packed: bytes, at: At) -> bytes:
    return gzip.decompress(packed)


@mutation("a gzip in two parts", PACKED, SAME, formats=FILES, on="gzip")
def gzip_in_two_parts(packed: bytes, at: At) -> bytes:
    text = gzip.decompress(packed)
    return gzip.compress(text[: len(text) // 2]) + gzip.compress(text[len(text) // 2 :])


@mutation("something behind the end of a gzip", PACKED, REFUSED, formats=FILES, on="gzip")
def behind_the_gzip(packed: bytes, at: At) -> bytes:
    return packed + b"and more"


# --- Resources -----------------------------------------------------------------------------------------------------


@mutation("an object, a list or a number where a text is expected", CELL, EITHER, formats=FHIR)
def wrong_type(at: At) -> Any:
    return at.rng.choice(({"a": [1]}, [["x"]], 7, True, None, [], {}))


@mutation("nested too deeply", CELL, EITHER, formats=FHIR)
def nested_too_deeply(at: At) -> Any:
    return _nested(at.rng.choice((40, 250)))


def _nested(depth: int) -> Any:
    node: Any = "x"
    for _ in range(depth):
        node = {"extension": [node]}
    return node


@mutation("a type of resource that nobody knows", RECORDS, EITHER, formats=FHIR)
def unknown_type(records: list[Record], at: At) -> list[Record]:
    at.rng.choice(records)["resourceType"] = at.rng.choice(("Patiente", "Mme DURAND, 1943", "X" * 2000))
    return records


@mutation("resources without type", RECORDS, EITHER, formats=FHIR)
def no_type(records: list[Record], at: At) -> list[Record]:
    del records[-1]["resourceType"]
    records[0]["resourceType"] = ["Patient"]
    return records


@mutation("resources without id, or with one that is none", RECORDS, EITHER, formats=FHIR)
def no_id(records: list[Record], at: At) -> list[Record]:
    del records[-1]["id"]
    records[0]["id"] = at.rng.choice((7, "", "a b", {"id": 1}, None, "x" * 65))
    return records


@mutation("an element that is required is missing", RECORDS, EITHER, formats=FHIR)
def element_missing(records: list[Record], at: At) -> list[Record]:
    name = at.rng.choice([key for key in records[0] if key not in ("id", "resourceType")])
    return [{key: value for key, value in record.items() if key != name} for record in records]


@mutation("things that are no resource among the resources", RECORDS, EITHER, formats=FHIR)
def no_resources(records: list[Record], at: At) -> list[Record]:
    return [*records, ["a"], "a", 7, None, {}, [], records[0] | {"resourceType": "Bundle"}]


@mutation("the list of entries is no list", TEXT, EITHER, formats=(BUNDLE,))
def entries_no_list(text: bytes, at: At) -> bytes:
    bundle = json.loads(text)
    return json.dumps(bundle | {"entry": {"0": bundle["entry"][0]}}).encode()


@mutation("entries that are no objects", TEXT, EITHER, formats=(BUNDLE,))
def strange_entries(text: bytes, at: At) -> bytes:
    bundle = json.loads(text)
    return json.dumps(bundle | {"entry": [*bundle["entry"], "a", 7, None, []]}).encode()


@mutation("a Bundle of a type that is not read", TEXT, EITHER, formats=(BUNDLE,))
def another_bundle(text: bytes, at: At) -> bytes:
    return json.dumps(json.loads(text) | {"type": at.rng.choice(("history", "zzz", None, ["batch"]))}).encode()


@mutation("a Bundle in a Bundle", TEXT, ENDS, formats=(BUNDLE,))
def bundle_in_a_bundle(text: bytes, at: At) -> bytes:
    inner = json.loads(text)
    return json.dumps(inner | {"entry": [{"resource": inner}]}).encode()


@mutation("a JSON that is nested a hundred thousand times", TEXT, EITHER, formats=FHIR)
def abyss(text: bytes, at: At) -> bytes:
    return b"[" * 100_000 + b"\n" + text


@mutation("a resource on several lines", TEXT, EITHER, formats=(NDJSON,))
def several_lines(text: bytes, at: At) -> bytes:
    first, _, others = text.partition(b"\n")
    return json.dumps(json.loads(first), indent=1).encode() + b"\n" + others


@mutation("a key that stands twice in an object", TEXT, EITHER, formats=FHIR)
def key_twice(text: bytes, at: At) -> bytes:
    return text.replace(b"{", b'{"id": "twice", ', 1)


# --- Folders -------------------------------------------------------------------------------------------------------


@mutation("a file is missing", FOLDER, REFUSED, formats=FILES, fhir=EITHER)
def file_missing(folder: Any, name: str, other: str) -> None:
    (folder / name).unlink()


@mutation("two files have each other's content", FOLDER, REFUSED, formats=FILES, fhir=ENDS)
def swapped_files(folder: Any, name: str, other: str) -> None:
    (folder / name).rename(folder / "between")
    (folder / other).rename(folder / name)
    (folder / "between").rename(folder / other)


@mutation("a folder where a file is expected", FOLDER, REFUSED, formats=FILES, fhir=EITHER)
def folder_for_a_file(folder: Any, name: str, other: str) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()


@mutation("a link that leads nowhere", FOLDER, REFUSED, formats=FILES, fhir=EITHER)
def link_to_nowhere(folder: Any, name: str, other: str) -> None:
    (folder / name).unlink()
    (folder / name).symlink_to(folder / "nowhere")


# --- Lives and stays -----------------------------------------------------------------------------------------------


@mutation("a person is born after the death", CELL, on="death")
def born_after_death(at: At) -> Any:
    return at.written("1850-01-01")


@mutation("a stay ends before it begins", CELL, on="end")
def ends_before_it_begins(at: At) -> Any:
    return at.written("1850-01-01")
