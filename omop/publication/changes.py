"""What differs between two versions of a Delta table: rows that are gone and rows that came, by their files."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from omop.publication.rows import cells


@dataclass(frozen=True)
class Changes:
    """Two sets of rows in a DuckDB that lives as long as they are read."""

    connection: Any
    gone: int
    came: int

    def keys_gone(self, key: tuple[str, ...]) -> pa.RecordBatchReader:
        """Key columns of the rows that are gone, and of those that are otherwise now."""
        columns = ", ".join(f'"{name}"' for name in key)
        return self.connection.cursor().sql(f"SELECT {columns} FROM gone").to_arrow_reader(65_536)

    def rows_came(self) -> pa.RecordBatchReader:
        """Rows that are new, and those that are otherwise now."""
        return self.connection.cursor().sql("SELECT * FROM came").to_arrow_reader(65_536)


@contextmanager
def changes_between(
    path: Path, before: int, after: int, columns: Mapping[str, str], *, instants: bool = False
) -> Iterator[Changes]:
    """Compare two versions of a table, reading only the files that one of them has.

    Args:
        columns, instants: as in `cells`.

    Raises: DeltaError: an old file is no longer there.
    """
    import duckdb

    old, new = _files(path, before), _files(path, after)
    with duckdb.connect() as connection:
        connection.execute("SET memory_limit = '2GB'")
        for name, files in (("was", old - new), ("is_now", new - old)):
            connection.register("rows_of_files", _rows(sorted(files), columns, instants))
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM rows_of_files")
            connection.unregister("rows_of_files")
        for name, ours, theirs in (("gone", "was", "is_now"), ("came", "is_now", "was")):
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM {ours} EXCEPT ALL SELECT * FROM {theirs}")
        counts = connection.sql("SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM came)").fetchall()
        yield Changes(connection, *counts[0])


def _files(path: Path, version: int) -> set[str]:
    from deltalake import DeltaTable

    return set(DeltaTable(str(path.resolve()), version=version).file_uris())


def _rows(files: list[str], columns: Mapping[str, str], instants: bool) -> pa.RecordBatchReader:
    dataset = ds.dataset(files, format="parquet") if files else ds.dataset(pa.table({}))
    return dataset.scanner(columns=cells(columns, dataset, instants=instants)).to_reader()
