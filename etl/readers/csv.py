"""Parse a UTF-8 CSV stream into Arrow batches of text, with a list of the records that cannot be one."""

import io
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv

from etl.declaration import Source, SourceTable
from passerelle.errors import PasserelleError, SourceError

BLOCK_BYTES = 8 << 20
LINE = "_line"
LINE_BREAK = ord("\n")


@dataclass
class BadRecord:
    """A record with more or fewer fields than the header."""

    number: int  # among the records; the header is 1
    lines: int  # that it takes in the file
    reason: str
    line: int = 0  # where it begins; known when the records before it are


@dataclass
class CsvRecords:
    """Batches of one table: every declared column as text, plus ``_line``, where the record begins in the file.

    The header is line 1; blank lines between records are not counted.
    """

    source: Source
    name: str
    table: SourceTable
    stream: io.RawIOBase
    bad: list[BadRecord] = field(default_factory=list)
    read: int = 0
    _number: int = 1  # of the last record that was passed
    _next_line: int = 2
    _last_line: int = 1
    # A last record of our own, which no file can hold: a quote that never closes would swallow it, as all that follows.
    _end: str = field(default_factory=lambda: secrets.token_hex(8))
    _end_seen: bool = False

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Read to the end; the stream is consumed.

        Raises: SourceError: columns are missing or undeclared, or the text is not CSV.
        """
        try:
            reader = self._reader()
        except pa.ArrowInvalid as error:
            if "Empty CSV file" in str(error):
                raise self._error("the file is empty, it has not even a header", "have the file sent again") from error
            raise self._error(f"the text is not CSV: {_first(error)}", "check delimiter and quotes") from error
        self._same_columns(reader.schema.names)
        self._next_line += sum(column.count("\n") for column in reader.schema.names)
        try:
            for batch in reader:
                self.read += batch.num_rows
                yield batch.select(list(self.table.columns)).append_column(LINE, self._lines(batch))
        except pa.ArrowInvalid as error:
            raise self._not_csv(error) from error
        self._pass([record for record in self.bad if not record.line])
        self.read += len(self.bad)
        if not self._end_seen:
            raise self._error(
                f"a quote opens at line {self._last_line} and is never closed",
                "have the file sent again, or correct it",
            )

    def _not_csv(self, error: Exception) -> PasserelleError:
        if "straddling" not in str(error):
            return self._error(f"the text is not CSV after line {self._last_line}: {_first(error)}", "check quotes")
        return self._error(
            f"a record after line {self._last_line} is longer than {BLOCK_BYTES >> 20} MB",
            "look for a quote that opens there and is not closed; a value of that length is a document of its own",
        )

    def _reader(self) -> pv.CSVStreamingReader:
        delimiter = self.source.files.delimiter if self.source.kind == "files" else ","
        end = self._end + delimiter * len(self.table.columns)  # one field too many
        binary = io.BufferedReader(self.stream, BLOCK_BYTES)
        if not binary.peek(1):
            raise pa.ArrowInvalid("Empty CSV file")
        return pv.open_csv(
            io.BufferedReader(_WithEnd(binary, f"\n{end}\n".encode()), BLOCK_BYTES),
            read_options=pv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
            parse_options=pv.ParseOptions(
                delimiter=delimiter,
                newlines_in_values=True,
                invalid_row_handler=self._set_aside,
            ),
            convert_options=pv.ConvertOptions(
                column_types={name: pa.string() for name in self.table.columns},
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=self.source.kind == "files",
            ),
        )

    def _set_aside(self, row: pv.InvalidRow) -> str:
        if row.text.startswith(self._end):
            self._end_seen = True
        else:
            reason = f"{row.actual_columns} fields, {row.expected_columns} expected"
            self.bad.append(BadRecord(row.number or 0, 1 + row.text.count("\n"), reason))
        return "skip"

    def _lines(self, batch: pa.RecordBatch) -> pa.Array:
        """Where the next good records begin, stepping over the bad ones between them."""
        heights = np.ones(batch.num_rows, dtype=np.int64)
        for column in batch.columns:
            if _has_line_breaks(column):
                heights += pc.fill_null(pc.count_substring(column, "\n"), 0).to_numpy(zero_copy_only=False)
        pending = [record for record in self.bad if not record.line]
        begins, done = np.empty(batch.num_rows, dtype=np.int64), 0
        for record in pending:
            before = record.number - self._number - 1  # good records that stand before it
            if done + before >= batch.num_rows:
                break
            begins[done : done + before] = self._step(heights[done : done + before])
            done += before
            self._pass([record])
        begins[done:] = self._step(heights[done:])
        return pa.array(begins, pa.int64())

    def _step(self, heights: "np.ndarray") -> "np.ndarray":
        """Where records of these heights begin, from here on."""
        begins = self._next_line + np.cumsum(heights) - heights
        if len(heights):
            self._last_line = int(begins[-1])
        self._number += len(heights)
        self._next_line += int(heights.sum())
        return begins

    def _pass(self, records: list[BadRecord]) -> None:
        for record in records:
            record.line = int(self._step(np.array([record.lines]))[0])

    def _same_columns(self, header: list[str]) -> None:
        if twice := sorted({name for name in header if header.count(name) > 1}):
            known = [name for name in twice if name in self.table.columns] or [f"{len(twice)} that nobody declared"]
            raise self._error(f"the header names a column twice: {', '.join(known)}", "have the file sent again")
        missing = [name for name in self.table.columns if name not in header]
        unknown = [name for name in header if name not in self.table.columns]
        if missing or unknown:
            # A first line with few of the names is no header but a patient: it is not repeated.
            is_header = 2 * len(missing) <= len(self.table.columns)
            others = ", ".join(unknown) if is_header else f"{len(unknown)}, not named here: they may be values"
            said = [
                *([f"declared columns are missing: {', '.join(missing)}"] if missing else []),
                *([f"columns that nobody declared: {others}"] if unknown else []),
            ]
            if missing:
                do = "correct source.yaml (columns, delimiter), or have the file sent again"
            else:
                do = "declare each with its type, as identity or as crosswalk: an undeclared column may identify people"
            raise self._error("; ".join(said), do)

    def _error(self, what: str, do: str) -> PasserelleError:
        where = self.table.path or self.table.relation or self.name
        return SourceError(f"{self.source.name}.{self.name} ({where}): {what}", do=do)


class _WithEnd(io.RawIOBase):
    """A stream and some bytes after its end."""

    def __init__(self, stream: "io.BufferedReader[Any]", end: bytes) -> None:
        self._stream, self._end = stream, end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        read = self._stream.readinto1(buffer)
        if read == 0 and self._end:
            read = min(len(buffer), len(self._end))
            buffer[:read], self._end = self._end[:read], self._end[read:]
        return read


def _has_line_breaks(column: pa.Array) -> bool:
    """Whether some text of a column may have more than one line; its bytes say so long before its rows would."""
    if not pa.types.is_string(column.type):
        return False
    data = column.buffers()[2]
    return data is not None and bool((np.frombuffer(data, dtype=np.uint8) == LINE_BREAK).any())


def _first(error: Exception) -> str:
    """First words of an Arrow message; the rest may quote the row."""
    return str(error).splitlines()[0].split(":")[0][:120]
