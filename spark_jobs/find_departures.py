"""Find the rows that a database no longer has, when it was asked for what changed only.

Keys are counted, and their numbers summed, by blocks on both sides; only the keys of blocks that differ are read. A
table without a numeric key is one block.
"""

from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from etl.declaration import SourceTable
from etl.readers.csv import CsvRecords
from etl.readers.database import COUNTED, Blocks, count_blocks, open_relation
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
    turn: Any  # lock of the connection: the door asks it for the next tables meanwhile
    table_name: str

    @property
    def table(self) -> SourceTable:
        return self.door.source.tables[self.table_name]

    @cached_property
    def blocks(self) -> Blocks:
        """Blocks of the key's first number that is no identifier, wide enough for some rows each.

        How wide, the log of bronze tells without reading a row.
        """
        table = self.table
        numbers = tuple(
            c
            for c in table.key
            if table.columns[c].type == "bigint" and c not in (*table.identity_columns, *table.crosswalk)
        )
        path = self.door.lake.bronze(self.door.source.name, self.table_name)
        span = range_of(path, numbers[0]) if numbers else None
        size = (span[1] - span[0]) * ROWS_OF_A_BLOCK // max(row_count(path), 1) if span else ROWS_OF_A_BLOCK
        return Blocks(table.key, numbers, max(1, size))

    @cached_property
    def _there(self) -> pa.Table:
        with self.turn:
            return count_blocks(self.connection, self.door.source, self.table_name, self.table, self.blocks)

    @property
    def now(self) -> int:
        """Rows of the relation."""
        return int(pc.sum(self._there["n"]).as_py() or 0)

    def find(self, known: str, spoilt: str | None) -> str | None:
        """Query of the ``_row`` that are gone, or can be read no more; None when there are none.

        Args:
            known: view of what bronze would hold without departures: ``_row`` and the columns of the key.
            spoilt: query of the ``_row`` that came and could not be read.
        """
        block = self._block("k")
        sums = [f"sum(CAST(k.{name(column)} AS decimal(38, 0)))" for column in self.blocks.numbers]
        cells = ", ".join(f"{cell} AS _{i}" for i, cell in enumerate(["count(*)", *sums]))
        query = f"SELECT {block} AS block, {cells} FROM {known} AS k GROUP BY {block}"
        differing = _differing(self.door.engine.sql(query).toArrow(), self._there)
        gone = [spoilt] if spoilt else []
        if len(differing):
            blocks = f"blocks__{self.table_name}"
            self.door.engine.view_of_arrow(blocks, pa.table({"block": differing}))
            gone.append(
                f"SELECT k.{ROW} FROM {known} AS k JOIN {blocks} AS d ON d.block = {block} "
                f"LEFT ANTI JOIN {self._keys(differing.to_pylist())} AS t ON t.{ROW} = k.{ROW}"
            )
        return " UNION ".join(gone) or None

    def _block(self, alias: str) -> str:
        if not self.blocks.numbers:
            return f"CAST({WHOLE} AS bigint)"
        column = f"{alias}.{name(self.blocks.numbers[0])}"
        return f"({column} - {column} % CAST({self.blocks.size} AS bigint))"

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
        within = (self.blocks.numbers[0], self.blocks.size, blocks) if self.blocks.numbers else None
        with (
            self.turn,
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


def _differing(here: pa.Table, there: pa.Table) -> pa.Array:
    """Blocks of which the database does not have what bronze has; what bronze lacks will have come as a change."""
    sums = [column for column in here.column_names if column != "block"]
    counted = [pa.table({"block": side["block"], **{c: side[c].cast(COUNTED) for c in sums}}) for side in (here, there)]
    both = counted[0].join(counted[1], "block", right_suffix="_there")
    same = [pc.equal(pc.fill_null(both[c], 0), pc.fill_null(both[f"{c}_there"], 0)) for c in sums]
    return both.filter(pc.invert(reduce(pc.and_, same)))["block"].drop_null().combine_chunks()
