"""What differs between two versions of a Delta table: rows that are gone and rows that came, by their files."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds

from omop.publication.ddl import quote
from omop.publication.rows import cells

HASH = "_hash"
BATCH = 65_536
_TYPES = {
    "bigint": "bigint",
    "int": "int",
    "double": "double",
    "string": "varchar",
    "date": "date",
    "timestamp": "timestamptz",
}


class NotComparable(Exception):
    """Two versions of a table differ in a way that rows by key do not tell."""


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
        self, path: Path, before: int, after: int, columns: Mapping[str, str], key: tuple[str, ...]
    ) -> tuple[int, int]:
        """How many rows are gone and how many came, reading only the files that one of the versions has.

        Rows are compared by key and by a hash of 64 bits of all their cells.

        Args:
            columns: column → type.
            key: columns that make a row itself.

        Raises: NotComparable: a key is there twice.
        """
        (old, old_names), (new, new_names) = _files(path, before), _files(path, after)
        self._files = sorted(new - old)
        for name, files, there in (("was", sorted(old - new), old_names), ("is_now", self._files, new_names)):
            hashed = {column: kind for column, kind in columns.items() if column in there}
            self._connection.execute(f"CREATE OR REPLACE TABLE {name} AS {_hashes(files, hashed, key)}")
        same = " AND ".join(f"ours.{quote(name)} IS NOT DISTINCT FROM theirs.{quote(name)}" for name in (*key, HASH))
        for name, ours, theirs in (("gone", "was", "is_now"), ("came", "is_now", "was")):
            difference = f"SELECT ours.* FROM {ours} AS ours ANTI JOIN {theirs} AS theirs ON {same}"
            self._connection.execute(f"CREATE OR REPLACE TABLE {name} AS {difference}")
        counted = ", ".join(f"(SELECT count(*) FROM {name})" for name in ("was", "is_now", "gone", "came"))
        was, is_now, gone, came = self._connection.sql(f"SELECT {counted}").fetchall()[0]
        if was - gone + came != is_now:
            raise NotComparable(f"{path.name} holds a key twice")
        return gone, came

    def keys_gone(self, key: tuple[str, ...]) -> pa.RecordBatchReader:
        """Key columns of the rows that are gone, and of those that are otherwise now."""
        return self._connection.cursor().sql(f"SELECT {_list(key)} FROM gone").to_arrow_reader(BATCH)

    def rows_came(self, columns: Mapping[str, str], key: tuple[str, ...], *, instants: bool) -> pa.RecordBatchReader:
        """Rows that are new, and those that are otherwise now. ``columns`` and ``instants`` as in `cells`."""
        dataset = ds.dataset(self._files, format="parquet")
        rows = dataset.scanner(columns=cells(columns, dataset, instants=instants)).to_reader()
        other = self._connection.cursor()
        other.register("rows_of_files", rows)
        same = " AND ".join(f"r.{quote(name)} IS NOT DISTINCT FROM c.{quote(name)}" for name in key)
        return other.sql(f"SELECT r.* FROM rows_of_files AS r SEMI JOIN came AS c ON {same}").to_arrow_reader(BATCH)


def _files(path: Path, version: int) -> tuple[set[str], set[str]]:
    """Files of a version, and its columns."""
    from deltalake import DeltaTable

    table = DeltaTable(str(path.resolve()), version=version)
    return set(table.file_uris()), {field.name for field in table.schema().fields}


def _hashes(files: list[str], columns: Mapping[str, str], key: tuple[str, ...]) -> str:
    if not files:
        nothing = ", ".join(f"CAST(NULL AS {_TYPES[columns[name]]}) AS {quote(name)}" for name in key)
        return f"SELECT {nothing}, CAST(NULL AS ubigint) AS {HASH} WHERE false"
    names = ", ".join(f"'{file}'" for file in files)
    return f"SELECT {_list(key)}, hash({_list(columns)}) AS {HASH} FROM read_parquet([{names}], union_by_name = true)"


def _list(names: Iterable[str]) -> str:
    return ", ".join(quote(name) for name in names)
