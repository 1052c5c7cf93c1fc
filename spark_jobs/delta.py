"""The Delta writer: one commit a table, and a receipt that compares what is there with what was meant."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from omop.lake import is_delta
from omop.views.contract import ARROW_TYPES
from passerelle.errors import ReceiptError

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from pyspark.sql import DataFrame

NEW = -1
COMMITS = "_delta_log/" + "[0-9]" * 20 + ".json"
BUCKET = "person_bucket"
DELTA_TYPES = {
    "bigint": "long",
    "int": "integer",
    "double": "double",
    "string": "string",
    "date": "date",
    "timestamp": "timestamp",
    "boolean": "boolean",
}


@dataclass(frozen=True)
class Receipt:
    """What one write left behind."""

    path: Path
    version: int
    rows: int  # rows that this write put there


@dataclass(frozen=True)
class Buckets:
    """Person buckets: the half-open range that one source owns, or some of them, which one increment touched."""

    first: int
    end: int
    only: frozenset[int] | None = None

    @classmethod
    def of(cls, buckets: Iterable[int]) -> "Buckets":
        """These buckets and no others."""
        only = frozenset(buckets)
        return cls(min(only), max(only) + 1, only)

    @property
    def predicate(self) -> str:
        if self.only is not None:
            return f"{BUCKET} IN ({', '.join(map(str, sorted(self.only)))})"
        return f"{BUCKET} >= {self.first} AND {BUCKET} < {self.end}"

    def holds(self, bucket: int) -> bool:
        return self.first <= bucket < self.end and (self.only is None or bucket in self.only)


def overwrite(frame: "DataFrame", path: Path, schema: dict[str, str], rows: int) -> Receipt:
    """Replace a whole table.

    Args:
        frame: exactly the columns of ``schema``, in its order.
        path: the table.
        schema: column → type (bigint, int, double, string, date, timestamp, boolean).
        rows: how many rows are meant, counted before and elsewhere.

    Raises: ReceiptError: the table does not hold what was meant; the previous version is back.
    """

    def write() -> None:
        frame.select(*schema).write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(
            str(path.resolve())
        )

    return _write(write, path, schema, rows, None)


def overwrite_with_nothing(path: Path, schema: dict[str, str]) -> int:
    """Make a table empty, without an engine; returns its version. Nothing is done where it is so already."""
    import pyarrow as pa
    from deltalake import write_deltalake

    if is_delta(path) and row_count(path) == 0 and columns_of(path) == _meant(schema):
        return table_version(path)
    path.mkdir(parents=True, exist_ok=True)
    nothing = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in schema.items()]).empty_table()
    write_deltalake(str(path.resolve()), nothing, mode="overwrite", schema_mode="overwrite")
    return table_version(path)


def replace_buckets(frame: "DataFrame", path: Path, schema: dict[str, str], rows: int, buckets: Buckets) -> Receipt:
    """Replace the rows of a range of person buckets; all others stay as they are. Arguments as `overwrite`.

    The predicate replaces, never a dynamic partition overwrite: one engine ignores that mode and empties the table.
    """
    if BUCKET not in schema:
        raise ReceiptError(f"{path.name} has no {BUCKET}", do="write it with overwrite")
    _same_schema(path, schema)
    if rows == 0 and is_delta(path) and not holds_rows(path, buckets):
        return Receipt(path, table_version(path), 0)  # nothing in place of nothing: one engine makes no version of it

    def write() -> None:
        writer = frame.select(*schema).write.format("delta").mode("overwrite")
        there = is_delta(path)
        writer = writer.option("replaceWhere", buckets.predicate) if there else writer.partitionBy(BUCKET)
        writer.save(str(path.resolve()))

    return _write(write, path, schema, rows, buckets)


def append(frame: "DataFrame", path: Path, schema: dict[str, str], rows: int) -> Receipt:
    """Add rows to a table that exists; the receipt counts all of them. Arguments as `overwrite`."""
    _same_schema(path, schema)

    def write() -> None:
        frame.select(*schema).write.format("delta").mode("append").save(str(path.resolve()))

    return _write(write, path, schema, row_count(path) + rows, None)


def _same_schema(path: Path, schema: dict[str, str]) -> None:
    """Compare before writing: an engine may drop a surplus column without a word."""
    if not is_delta(path):
        return
    there = columns_of(path)
    meant = _meant(schema)
    if there != meant:
        differing = sorted({name for name in {*there, *meant} if there.get(name) != meant.get(name)})
        raise ReceiptError(
            f"{path.name} has another schema than this run writes: {', '.join(differing)}",
            looked=str(path),
            do="a new release changed the table: rebuild this workspace, or migrate it",
        )


def _meant(schema: dict[str, str]) -> dict[str, str]:
    return {name: DELTA_TYPES[kind] for name, kind in schema.items()}


def _write(
    write: Callable[[], None], path: Path, schema: dict[str, str], rows: int, buckets: Buckets | None
) -> Receipt:
    before = table_version(path)
    others = _rows_outside(_open(path), buckets) if before != NEW else {}
    for attempt in Retrying(
        stop=stop_after_attempt(3),
        wait=wait_random_exponential(max=2),
        retry=retry_if_exception(_lost_a_race),
        reraise=True,
    ):
        with attempt:
            write()
    return _receipt(path, before, schema, rows, others, buckets)


def _lost_a_race(error: BaseException) -> bool:
    return "Failed to commit transaction" in str(error) or "ConcurrentModification" in str(error)


def _rows_outside(table: "DeltaTable", buckets: Buckets | None) -> dict[int, int]:
    """Rows in each bucket that a write must leave alone; none when it replaces the table."""
    counts = _rows_by_bucket(table) if buckets is not None else {}
    return {bucket: n for bucket, n in counts.items() if n and buckets is not None and not buckets.holds(bucket)}


def _receipt(
    path: Path, before: int, schema: dict[str, str], rows: int, others: dict[int, int], buckets: Buckets | None
) -> Receipt:
    table = _open(path)
    version = table.version()
    found = _row_count(table)
    there = _columns(table)
    meant = _meant(schema)
    problems = []
    if version != before + 1:
        problems.append(f"version {version} after {before}")
    if found != (whole := rows + sum(others.values())):
        problems.append(f"{found} rows, {whole} meant")
    elif _rows_outside(table, buckets) != others:  # one engine does not hold the rows against the predicate
        problems.append("rows in buckets that are not those of this write")
    if there != meant:
        problems.append(f"columns {there}, {meant} meant")
    if problems:
        if before == NEW:
            shutil.rmtree(path)
        else:
            table.restore(before)
        raise ReceiptError(
            f"{path.name} does not hold what was meant: {'; '.join(problems)}",
            looked=str(path),
            do="the previous version is back; report the difference with the versions of engine and deltalake",
        )
    return Receipt(path, version, rows)


def table_version(path: Path) -> int:
    """Newest version of a table; -1 when there is none. The name of the newest commit says it; nothing is read."""
    return max((int(commit.stem) for commit in path.glob(COMMITS)), default=NEW)


def columns_of(path: Path) -> dict[str, str]:
    """Columns of a table and their Delta types, in order."""
    return _columns(_open(path))


def _columns(table: "DeltaTable") -> dict[str, str]:
    return {field.name: str(getattr(field.type, "type", field.type)) for field in table.schema().fields}


def row_count(path: Path) -> int:
    """Rows of a table, from its log alone."""
    return _row_count(_open(path)) if is_delta(path) else 0


def _open(path: Path, version: int | None = None) -> "DeltaTable":
    from deltalake import DeltaTable

    return DeltaTable(str(path.resolve()), version=version)


def _row_count(table: "DeltaTable") -> int:
    import pyarrow as pa

    actions = pa.table(table.get_add_actions(flatten=True))
    return sum(actions["num_records"].to_pylist())


def holds_rows(path: Path, buckets: Buckets) -> bool:
    """Whether a table has rows in a range of buckets, from its log alone."""
    counts = _rows_by_bucket(_open(path)) if is_delta(path) else {}
    return any(rows and buckets.holds(bucket) for bucket, rows in counts.items())


def rows_in(path: Path, buckets: Buckets) -> int:
    """Rows of a table in a range of buckets, from its log alone; all rows of a table that knows no buckets."""
    if not is_delta(path):
        return 0
    table = _open(path)
    by_bucket = _rows_by_bucket(table)
    return sum(n for bucket, n in by_bucket.items() if buckets.holds(bucket)) if by_bucket else _row_count(table)


def range_of(path: Path, column: str) -> tuple[int, int] | None:
    """Least and greatest value of a numeric column, from the log alone; None where the log does not say."""
    import pyarrow as pa

    actions = pa.table(_open(path).get_add_actions(flatten=True))
    bounds = [f"{end}.{column}" for end in ("min", "max")]
    if actions.num_rows == 0 or any(name not in actions.column_names for name in bounds):
        return None
    least, most = ([v for v in actions[name].to_pylist() if v is not None] for name in bounds)
    return (min(least), max(most)) if least and most else None


def file_count(path: Path, buckets: Buckets) -> int:
    """Files of a table in some buckets."""
    import pyarrow as pa

    actions = pa.table(_open(path).get_add_actions(flatten=True))
    return sum(buckets.holds(int(bucket)) for bucket in actions[f"partition.{BUCKET}"].to_pylist())


def restore(path: Path, version: int) -> None:
    """Give a table the content of one of its versions again, as a new version; nothing is done when it has it."""
    if set(_open(path).file_uris()) != set(_open(path, version).file_uris()):
        _open(path).restore(version)


def _rows_by_bucket(table: "DeltaTable") -> dict[int, int]:
    import pyarrow as pa

    actions = pa.table(table.get_add_actions(flatten=True))
    if actions.num_rows == 0 or BUCKET not in table.metadata().partition_columns:
        return {}
    counts: dict[int, int] = {}
    for bucket, rows in zip(
        actions[f"partition.{BUCKET}"].to_pylist(), actions["num_records"].to_pylist(), strict=True
    ):
        counts[int(bucket)] = counts.get(int(bucket), 0) + rows
    return counts
