"""Parse a UTF-8 CSV stream into Arrow batches of text, with a list of the records that cannot be one."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.csv as pv

from etl.declaration import Source, SourceTable
from passerelle.errors import PasserelleError, SourceError

BLOCK_BYTES = 8 << 20
LINE = "_line"


@dataclass
class BadRecord:
    """A record with more or fewer fields than the header."""

    line: int
    reason: str


@dataclass
class CsvRecords:
    """Batches of one table: every declared column as text, plus ``_line``, the record's number (the header is 1)."""

    source: Source
    name: str
    table: SourceTable
    stream: io.RawIOBase
    bad: list[BadRecord] = field(default_factory=list)
    read: int = 0

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
        line = 1
        try:
            for batch in reader:
                numbers, line = self._number(batch.num_rows, line)
                ordered = batch.select(list(self.table.columns))
                yield ordered.append_column(LINE, numbers)
        except pa.ArrowInvalid as error:
            raise self._error(f"the text is not CSV after record {line}: {_first(error)}", "check quotes") from error
        self.read += len(self.bad)

    def _reader(self) -> pv.CSVStreamingReader:
        binary = io.BufferedReader(self.stream, BLOCK_BYTES)
        header = binary.peek(1)
        if not header:
            raise pa.ArrowInvalid("Empty CSV file")
        return pv.open_csv(
            binary,
            read_options=pv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
            parse_options=pv.ParseOptions(
                delimiter=self.source.files.delimiter if self.source.kind == "files" else ",",
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
        reason = f"{row.actual_columns} fields, {row.expected_columns} expected"
        self.bad.append(BadRecord(row.number or 0, reason))
        return "skip"

    def _number(self, rows: int, line: int) -> tuple[pa.Array, int]:
        """Numbers of the next good records, stepping over the bad ones."""
        self.read += rows
        bad = {record.line for record in self.bad if record.line > line}
        if not bad:
            return pa.array(range(line + 1, line + 1 + rows), pa.int64()), line + rows
        numbers: list[int] = []
        while len(numbers) < rows:
            line += 1
            if line not in bad:
                numbers.append(line)
        return pa.array(numbers, pa.int64()), line

    def _same_columns(self, header: list[str]) -> None:
        missing = [name for name in self.table.columns if name not in header]
        unknown = [name for name in header if name not in self.table.columns]
        if missing:
            raise self._error(
                f"declared columns are missing: {', '.join(missing)}",
                "correct source.yaml, or have the file sent again",
            )
        if unknown:
            raise self._error(
                f"columns that nobody declared: {', '.join(unknown)}",
                "declare each with its type, as identity or as crosswalk: an undeclared column may identify people",
            )

    def _error(self, what: str, do: str) -> PasserelleError:
        where = self.table.path or self.table.relation or self.name
        return SourceError(f"{self.source.name}.{self.name} ({where}): {what}", do=do)


def _first(error: Exception) -> str:
    """First words of an Arrow message; the rest may quote the row."""
    return str(error).splitlines()[0].split(":")[0][:120]
