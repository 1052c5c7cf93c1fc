"""Look at a folder of files: delimiter, encoding, header, a sample of the rows."""

import codecs
import csv
import gzip
import io
import json
import re
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from etl.scaffold.scan import SECONDS, Scan, ScannedTable, table_of
from etl.scaffold.shapes import type_of
from passerelle.errors import SourceError

TABLES = (".csv", ".tsv", ".txt", ".dat", ".psv")
PROSE = (".txt", ".dat")  # a table, or a licence: what cannot be a table is no question
FHIR = (".ndjson", ".json")
DELIMITERS = (",", ";", "\t", "|")
CHUNK = 1 << 20
HEAD_BYTES = 1 << 16
HEAD_RECORDS = 50
HIGH = bytes(range(0x80, 0xA0))  # letters in windows-1252, control signs that nobody writes in latin-1
NOT_A_NAME = re.compile(r"[ ,;{}()\n\t=]")  # signs that a Delta column cannot have


def scan_folder(folder: Path, progress: Callable[[str], None] = lambda _: None) -> Scan:
    """Every file of a folder that holds a table, below it too.

    Raises: SourceError: there is none.
    """
    found: list[tuple[ScannedTable, str, str]] = []
    unread: dict[str, str] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        where = path.relative_to(folder).as_posix()
        suffix = Path(path.stem).suffix.lower() if path.suffix == ".gz" else path.suffix.lower()
        if suffix in FHIR:
            unread[where] = "FHIR resources" if _is_fhir(path) else "JSON: not a table"
        elif suffix in TABLES:
            progress(f"looking at {where}")
            scanned = _scan_file(path, where, {table.name for table, _, _ in found})
            if isinstance(scanned, str):
                if suffix not in PROSE:
                    unread[where] = scanned
            else:
                found.append(scanned)
    if not found and "FHIR resources" not in unread.values():
        raise SourceError(
            "the folder holds no table that can be read",
            looked=f"{folder}: {', '.join(f'{w} ({why})' for w, why in list(unread.items())[:5]) or 'no such file'}",
            do=f"give a folder with files that end in {', '.join(TABLES)}, compressed by gzip or not",
        )
    encoding = _most([e for _, e, _ in found if e != "ascii"]) or "utf-8"
    delimiter = _most([d for _, _, d in found]) or ","
    return Scan("files", _of_one_format(found, encoding, delimiter, unread), encoding, delimiter, unread=unread)


def _of_one_format(
    found: list[tuple[ScannedTable, str, str]], encoding: str, delimiter: str, unread: dict[str, str]
) -> list[ScannedTable]:
    """A source has one way of writing files: those that are written otherwise are a source of their own."""
    kept = []
    for table, own_encoding, own_delimiter in found:
        if own_encoding not in (encoding, "ascii"):
            unread[table.where] = f"written in {own_encoding}, the other files in {encoding}"
        elif own_delimiter != delimiter and len(table.columns) > 1:
            unread[table.where] = f"fields end with {own_delimiter!r}, those of the other files with {delimiter!r}"
        else:
            kept.append(table)
    return kept


def _most(values: list[str]) -> str | None:
    return Counter(values).most_common(1)[0][0] if values else None


def _scan_file(path: Path, where: str, taken: set[str]) -> tuple[ScannedTable, str, str] | str:
    try:
        encoding = encoding_of(path)
        if encoding is None:
            return "UTF-16 or binary: have it written in UTF-8"
        with _text(path, "utf-8" if encoding == "ascii" else encoding) as file:
            head = file.read(HEAD_BYTES)
        if not head.strip():
            return "empty: not even a header"
        delimiter = delimiter_of(head)
        with _text(path, "utf-8" if encoding == "ascii" else encoding) as file:
            records = csv.reader(file, delimiter=delimiter)
            header = [name.removeprefix("\ufeff") for name in next(records)]
            if problem := _header_problem(header):
                return problem
            table = table_of(_table_name(where, taken), where, header, records)
    except (OSError, EOFError, gzip.BadGzipFile, csv.Error, UnicodeDecodeError) as error:
        return f"cannot be read: {type(error).__name__}"
    return table, encoding, delimiter


def _header_problem(header: list[str]) -> str | None:
    if len(set(header)) < len(header) or not all(name.strip() for name in header):
        return "no header, or one that names a column twice or not at all"
    if sum(type_of([name])[0] != "string" for name in header) > len(header) / 3:
        return "no header: the first line holds values"
    if strange := [name for name in header if NOT_A_NAME.search(name)]:
        return f"{len(strange)} column name(s) with a blank, a comma, a bracket or an equals sign: have them renamed"
    return None


def encoding_of(path: Path, seconds: float = SECONDS) -> str | None:
    """ascii, utf-8, windows-1252 or latin-1; None when it is none of them. Every byte counts, within the time.

    Accented letters alone are the same in the last two: windows-1252 is said, the one that hospitals write.
    """
    decoder, is_utf8, high, until = (
        codecs.getincrementaldecoder("utf-8")(),
        True,
        set[int](),
        time.monotonic() + seconds,
    )
    with _bytes(path) as file:
        first = chunk = file.read(CHUNK)
        if b"\0" in first[:HEAD_BYTES]:
            return None
        while time.monotonic() < until:
            high |= {byte for byte in set(chunk) if byte > 0x7F}
            try:
                if is_utf8:
                    decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError:
                is_utf8 = False
            if not chunk:
                break
            chunk = file.read(CHUNK)
    if not high:
        return "ascii"
    if is_utf8:
        return "utf-8"
    try:
        bytes(sorted(high & set(HIGH))).decode("windows-1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "windows-1252"


def delimiter_of(head: str) -> str:
    """The sign that cuts the first records into the same number of fields, as many as possible."""

    def fields(delimiter: str) -> tuple[float, int]:
        records = [
            r for _, r in zip(range(HEAD_RECORDS), csv.reader(io.StringIO(head), delimiter=delimiter), strict=False)
        ]
        widths = Counter(len(record) for record in records[:-1] or records)
        width, agreeing = widths.most_common(1)[0]
        return (agreeing / sum(widths.values()) if width > 1 else 0.0), width

    return max(DELIMITERS, key=fields)


def _table_name(where: str, taken: set[str]) -> str:
    """A name that SQL and YAML take as it is: the file's, else with its folder before it."""
    stem = re.sub(r"(\.[a-z]{2,4})?(\.gz)?$", "", where, flags=re.IGNORECASE)
    for candidate in (stem.rpartition("/")[2], stem):
        plain = "".join(c for c in unicodedata.normalize("NFKD", candidate) if not unicodedata.combining(c))
        name = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_") or "table"
        name = f"t_{name}" if name[0].isdigit() else name
        if name not in taken:
            return name
    return f"{name}_{len(taken)}"


def _is_fhir(path: Path) -> bool:
    try:
        with _text(path, "utf-8") as file:
            head = file.read(HEAD_BYTES)
    except (OSError, UnicodeDecodeError, EOFError):
        return False
    if '"resourceType"' not in head:
        return False
    first = head.splitlines()[0]
    try:
        return isinstance(json.loads(first), dict)
    except json.JSONDecodeError:
        return head.lstrip().startswith("{")


@contextmanager
def _bytes(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile(fileobj=raw) as clear:
                yield clear  # type: ignore[misc]
        else:
            yield raw


@contextmanager
def _text(path: Path, encoding: str) -> Iterator[IO[str]]:
    csv.field_size_limit(1 << 24)
    with _bytes(path) as raw, io.TextIOWrapper(raw, encoding, newline="", errors="replace") as text:
        yield text
