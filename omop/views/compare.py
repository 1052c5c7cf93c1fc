"""Whether two stores give the same rows: every row of every view, floats within 1e-9, times by instant."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from omop.views.contract import views
from omop.views.store import ViewStore

TOLERANCE = 1e-9  # of a value, or of 1 where it is smaller


@dataclass(frozen=True)
class Compared:
    """One view in two stores."""

    view: str
    rows_a: int | None  # None: the store has no such view
    rows_b: int | None
    only_a: int = 0
    only_b: int = 0

    @property
    def equal(self) -> bool:
        """Whether both hold the same rows."""
        return self.rows_a is not None and self.rows_a == self.rows_b and not self.only_a and not self.only_b

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"equal": self.equal}


def compare_views(a: ViewStore, b: ViewStore) -> list[Compared]:
    """Every view of the contract in both stores."""
    return [_compare(name, a, b) for name in views()]


def _compare(name: str, a: ViewStore, b: ViewStore) -> Compared:
    ours, theirs = (store.every_state(name) if name in store.versions else None for store in (a, b))
    if ours is None or theirs is None:
        return Compared(name, ours and ours.num_rows, theirs and theirs.num_rows)
    if same_rows(ours, theirs):
        return Compared(name, ours.num_rows, theirs.num_rows)
    return Compared(name, ours.num_rows, theirs.num_rows, _surplus(ours, theirs), _surplus(theirs, ours))


def same_rows(ours: pa.Table, theirs: pa.Table) -> bool:
    """Whether two tables of one schema hold the same rows, in whatever order."""
    if ours.num_rows != theirs.num_rows:
        return False
    ours, theirs = _sorted(ours.cast(theirs.schema)), _sorted(theirs)
    return all(_same_column(ours[name], theirs[name]) for name in ours.column_names)


def _sorted(table: pa.Table) -> pa.Table:
    """By everything that is exact, then by the rest: keys of other people's databases repeat."""
    exact = [field.name for field in table.schema if not pa.types.is_floating(field.type)]
    rest = [name for name in table.column_names if name not in exact]
    return table.sort_by([(name, "ascending") for name in (*exact, *rest)])


def _same_column(ours: pa.ChunkedArray, theirs: pa.ChunkedArray) -> bool:
    if not pa.types.is_floating(ours.type):
        return bool(ours.combine_chunks().equals(theirs.combine_chunks()))
    if not pc.is_null(ours).combine_chunks().equals(pc.is_null(theirs).combine_chunks()):
        return False
    x, y = (column.drop_null().to_numpy() for column in (ours, theirs))
    return bool(np.all(np.abs(x - y) <= TOLERANCE * np.maximum(1, np.abs(x))))


def _surplus(ours: pa.Table, theirs: pa.Table) -> int:
    """Rows of one that the other does not have, to the last bit."""
    import duckdb

    with duckdb.connect() as connection:
        connection.register("ours", ours)
        connection.register("theirs", theirs)
        query = "SELECT count(*) FROM (SELECT * FROM ours EXCEPT ALL SELECT * FROM theirs)"
        return int(connection.sql(query).fetchall()[0][0])
