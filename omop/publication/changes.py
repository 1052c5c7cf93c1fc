"""What differs between two versions of a Delta table: rows that are gone and rows that came, by their files."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds

from omop.publication.rows import cells


class Comparison:
    """A DuckDB in which two versions of a table are compared; it holds the last comparison."""

    def __enter__(self) -> "Comparison":
        import duckdb

        self._connection = duckdb.connect()
        self._connection.execute("SET memory_limit = '2GB'")
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def between(
        self, path: Path, before: int, after: int, columns: Mapping[str, str], *, instants: bool = False
    ) -> tuple[int, int]:
        """How many rows are gone and how many came, reading only the files that one of the versions has.

        Args:
            columns, instants: as in `cells`.
        """
        old, new = _files(path, before), _files(path, after)
        if old == new:
            return 0, 0
        for name, files in (("was", old - new), ("is_now", new - old)):
            self._connection.register("rows_of_files", _rows(sorted(files), columns, instants))
            self._connection.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM rows_of_files")
            self._connection.unregister("rows_of_files")
        for name, ours, theirs in (("gone", "was", "is_now"), ("came", "is_now", "was")):
            difference = f"SELECT * FROM {ours} EXCEPT ALL SELECT * FROM {theirs}"
            self._connection.execute(f"CREATE OR REPLACE TABLE {name} AS {difference}")
        counts = self._connection.sql("SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM came)").fetchall()
        gone, came = counts[0]
        return gone, came

    def keys_gone(self, key: tuple[str, ...]) -> pa.RecordBatchReader:
        """Key columns of the rows that are gone, and of those that are otherwise now."""
        columns = ", ".join(f'"{name}"' for name in key)
        return self._connection.cursor().sql(f"SELECT {columns} FROM gone").to_arrow_reader(65_536)

    def rows_came(self) -> pa.RecordBatchReader:
        """Rows that are new, and those that are otherwise now."""
        return self._connection.cursor().sql("SELECT * FROM came").to_arrow_reader(65_536)


def _files(path: Path, version: int) -> set[str]:
    from deltalake import DeltaTable

    return set(DeltaTable(str(path.resolve()), version=version).file_uris())


def _rows(files: list[str], columns: Mapping[str, str], instants: bool) -> pa.RecordBatchReader:
    dataset = ds.dataset(files, format="parquet") if files else ds.dataset(pa.table({}))
    return dataset.scanner(columns=cells(columns, dataset, instants=instants)).to_reader()
