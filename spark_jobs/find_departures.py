"""Find the rows that a database no longer has, when it was asked for what changed only.

Rows are counted by blocks of keys on both sides; only the keys of blocks that differ are read. A table without a
numeric key is counted as one block.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from etl.declaration import SourceTable
from etl.readers.csv import CsvRecords
from etl.readers.database import count_blocks, open_relation
from etl.sql_text import name
from spark_jobs.bronze import ROW
from spark_jobs.delta import range_of, row_count
from spark_jobs.door import Door, Stager
from spark_jobs.type_rows import row_hash

ROWS_OF_A_BLOCK = 50  # about: more make more keys to read around each row that is gone, fewer make more blocks to count
WHOLE = 0  # the block of a table that is one


@dataclass
class Departures:
    """Compares bronze with the relation that a connection reads."""

    door: Door
    connection: Any
    table_name: str

    @property
    def table(self) -> SourceTable:
        return self.door.source.tables[self.table_name]

    @property
    def block_column(self) -> str | None:
        """The first part of the key that is a number and no identifier."""
        return next(
            (
                c
                for c in self.table.key
                if self.table.columns[c].type == "bigint" and c not in self.table.identity_columns
            ),
            None,
        )

    @cached_property
    def there(self) -> dict[int, int]:
        """First key of a block → rows that the relation has there now."""
        table, column = self.table, self.block_column
        return count_blocks(self.connection, self.door.source, self.table_name, table, column, self.size)

    @cached_property
    def size(self) -> int:
        """Numbers of a block; from what the log of bronze says of the key, without reading a row."""
        path = self.door.lake.bronze(self.door.source.name, self.table_name)
        span = range_of(path, self.block_column) if self.block_column else None
        return max(1, (span[1] - span[0]) * ROWS_OF_A_BLOCK // max(row_count(path), 1)) if span else ROWS_OF_A_BLOCK

    @property
    def now(self) -> int:
        """Rows of the relation."""
        return sum(self.there.values())

    def find(self, known: str, spoilt: str | None) -> str | None:
        """Query of the ``_row`` that are gone, or can be read no more; None when there are none.

        Args:
            known: view of what bronze would hold without departures: ``_row`` and the columns of the key.
            spoilt: query of the ``_row`` that came and could not be read.
        """
        block = self._block("k")
        counted = self.door.engine.rows(f"SELECT {block} AS block, count(*) AS n FROM {known} AS k GROUP BY {block}")
        differing = sorted(row["block"] for row in counted if self.there.get(row["block"], 0) != row["n"])
        gone = [spoilt] if spoilt else []
        if differing:
            blocks = f"blocks__{self.table_name}"
            self.door.engine.view_of_arrow(blocks, pa.table({"block": pa.array(differing, pa.int64())}))
            gone.append(
                f"SELECT k.{ROW} FROM {known} AS k JOIN {blocks} AS d ON d.block = {block} "
                f"LEFT ANTI JOIN {self._keys(differing)} AS t ON t.{ROW} = k.{ROW}"
            )
        return " UNION ".join(gone) or None

    def _block(self, alias: str) -> str:
        if self.block_column is None:
            return f"CAST({WHOLE} AS bigint)"
        column = f"{alias}.{name(self.block_column)}"
        return f"({column} - pmod({column}, CAST({self.size} AS bigint)))"

    def _keys(self, blocks: list[int]) -> str:
        """View of the keys that the relation has in some blocks: ``_row``."""
        door, table = self.door, self.table
        alone = table.model_copy(
            update={
                "columns": {column: table.columns[column] for column in table.key},
                "identity_columns": {c: kind for c, kind in table.identity_columns.items() if c in table.key},
                **dict.fromkeys(("crosswalk", "free_text", "required"), ()),
            }
        )
        raw, view = door.staging / "keys" / self.table_name, f"keys__{self.table_name}"
        within = (self.block_column, self.size, blocks) if self.block_column else None
        with (
            open_relation(
                self.connection, door.source, self.table_name, alone, only_keys=True, within=within
            ) as stream,
            Stager(door, alone, raw) as stager,
        ):
            for batch in CsvRecords(door.source, self.table_name, alone, stream).batches():
                stager.write(batch)
        door.engine.view_of_parquet(view, raw)
        row = row_hash(door.source, self.table_name, door.salt)
        door.engine.sql(f"SELECT DISTINCT {row} AS {ROW} FROM {view}").createOrReplaceTempView(f"rows_of_{view}")
        return f"rows_of_{view}"
