"""The CSV reader: what a hospital wrote comes back, with the line on which each record begins."""

import csv
import io

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from etl.declaration import Source
from etl.readers import csv as reader
from etl.readers.csv import LINE, CsvRecords
from etl.readers.files import Utf8Stream
from passerelle.errors import SourceError

DECLARED = """
name: here
label: a table of texts
kind: files
timezone: UTC
cdm_source: {cdm_source_name: x, cdm_source_abbreviation: x, cdm_holder: x, source_release_date: 2025-01-01}
files: {delimiter: ";"}
tables:
  mot: {path: mot.csv, key: [a], delete_rule: {kind: absence}, columns: {a: string, b: string, c: string}}
  seul: {path: seul.csv, key: [a], delete_rule: {kind: absence}, columns: {a: string}}
"""
SOURCE = Source.model_validate(yaml.safe_load(DECLARED))

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=8)
ROWS = st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=12)
RAGGED = st.lists(st.lists(TEXTS, min_size=1, max_size=5).filter(any), max_size=12)


def records(text: str | bytes, table: str = "mot") -> CsvRecords:
    clear = text.encode() if isinstance(text, str) else text
    return CsvRecords(SOURCE, table, SOURCE.tables[table], Utf8Stream(io.BytesIO(clear), "utf-8", "here"))


def written(rows: list[tuple[str, ...] | list[str]], terminator: str = "\n") -> tuple[str, list[int]]:
    """The file, and the line on which each record after the header begins."""
    file, lines = io.StringIO(newline=""), []
    writer = csv.writer(file, delimiter=";", lineterminator=terminator)
    writer.writerow("abc")
    for row in rows:
        lines.append(file.getvalue().count("\n") + 1)
        writer.writerow(row)
    return file.getvalue(), lines


@given(rows=ROWS, terminator=st.sampled_from(["\n", "\r\n"]))
def test_any_table_comes_back_equal_with_its_lines(rows, terminator):
    text, lines = written(rows, terminator)
    found = records(text)
    back = [row for batch in found.batches() for row in batch.to_pylist()]
    assert [row.pop(LINE) for row in back] == lines
    assert back == [dict(zip("abc", (cell or None for cell in row), strict=True)) for row in rows]
    assert (found.read, found.bad) == (len(rows), [])


@given(rows=RAGGED)
def test_records_of_another_length_are_set_aside_and_counted(rows):
    text, lines = written(rows)
    found = records(text)
    good = [row[LINE] for batch in found.batches() for row in batch.to_pylist()]
    assert good == [line for line, row in zip(lines, rows, strict=True) if len(row) == 3]
    assert [bad.line for bad in found.bad] == [line for line, row in zip(lines, rows, strict=True) if len(row) != 3]
    assert found.read == len(rows)


def test_no_record_passes_for_the_end_that_the_reader_adds_itself():
    found = records("a;b;c\n\x1e;\x1e;\x1e;\x1e\n1;2;3\n")
    assert sum(batch.num_rows for batch in found.batches()) == 1
    assert [(bad.line, bad.reason) for bad in found.bad] == [(2, "4 fields, 3 expected")] and found.read == 2


def test_a_record_that_no_block_holds_is_refused_with_its_place(monkeypatch):
    monkeypatch.setattr(reader, "BLOCK_BYTES", 1 << 20)
    with pytest.raises(SourceError, match="a record after line 2 is longer than 1 MB") as refused:
        list(records("a;b;c\n1;2;3\n4;" + "x" * (3 << 20) + ";6\n").batches())
    assert "quote" in (refused.value.do or "")


def test_lines_go_on_from_block_to_block(monkeypatch):
    monkeypatch.setattr(reader, "BLOCK_BYTES", 64)
    rows = [[str(n), "two\nlines" if n % 3 else "one", "c"][: 2 if n % 7 == 0 else 3] for n in range(1, 200)]
    text, lines = written(rows)
    found = records(text)
    good = [row[LINE] for batch in found.batches() for row in batch.to_pylist()]
    assert sorted([*good, *(bad.line for bad in found.bad)]) == lines


@pytest.mark.parametrize("text", ["a;b;c", "a;b;c\n", "a;b;c\r\n", "\ufeffa;b;c\n"])
def test_a_header_alone_is_a_table_without_rows(text):
    found = records(text)
    assert list(found.batches()) == [] and found.read == 0


def test_one_column_alone_is_read_too():
    found = records("a\nx\n\ny\n", "seul")
    assert [batch["a"].to_pylist() for batch in found.batches()] == [["x", "y"]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not even a header"),
        ("a;b\n1;2\n", "columns are missing: c"),
        ("a,b,c\n1,2,3\n", "columns are missing: a, b, c"),
        ("a;b;c;d\n1;2;3;4\n", "nobody declared: d"),
        ("a;b;c;b\n1;2;3;4\n", "a column twice: b"),
        ('a;b;c\n1;2;3\n4;"5;6\n7;8;9\n', "a quote opens at line 3 and is never closed"),
    ],
)
def test_what_is_not_the_declared_table_is_refused(text, says):
    with pytest.raises(SourceError) as refused:
        list(records(text).batches())
    assert says in refused.value.what and "mot.csv" in refused.value.what and refused.value.do


@given(before=st.integers(0, 50), text=TEXTS)
def test_a_byte_of_another_encoding_is_named_with_its_line(before, text):
    stream = Utf8Stream(io.BytesIO(b"ok\n" * before + b"\xe9t\xe9\n" + text.encode()), "utf-8", "mot.csv")
    with pytest.raises(SourceError) as refused:
        io.BufferedReader(stream).read()
    assert f"line {before + 1} is not utf-8" in refused.value.what
