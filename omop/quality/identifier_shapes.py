"""Search what the source wrote for values that have the shape of an identifier: one statement over all tables."""

from collections.abc import Mapping
from typing import Any

from omop.cdm import cdm_tables
from omop.quality.needs import Tables
from omop.quality.scan import Resolve

SHORTEST = 10  # characters of an identifier; codes are shorter, so most values are never matched
# A national number without its key or of Corsica, an e-mail, a French telephone.
SHAPES = (
    r"^[12][0-9]{2}(0[1-9]|1[0-2]|[2-9][0-9])(2[AB]|[0-9]{2})[0-9]{6}$",
    r"^[12][0-9]{2}(0[1-9]|1[0-2]|[2-9][0-9])2[AB][0-9]{8}$",
    r"^[^@ ]+@[^@ ]+[.][A-Za-z]+$",
    r"^([+]33|0)[1-9]([ .-]?[0-9]{2}){4}$",
)
# A code of SNOMED may have fifteen digits too: there the key must be right.
WITH_KEY = r"^[12][0-9]{2}(0[1-9]|1[0-2]|[2-9][0-9])[0-9]{10}$"


def source_value_columns(tables: Tables) -> dict[str, list[str]]:
    """Table → its columns that hold what the source wrote; not the vocabulary's."""
    return {
        name: found
        for name, table in cdm_tables().items()
        if table.schema != "VOCAB"
        and (found := [c for c in table.column_names if c.endswith("_source_value") and c in tables.get(name, {})])
    }


def identifiers_query(tables: Tables, resolve: Resolve) -> str | None:
    """One statement over all tables: ``cdm_table``, ``found`` (one count a column, in order)."""
    branches = [
        f"SELECT '{name}' AS cdm_table, array({', '.join(map(_count, columns))}) AS found FROM {resolve(name)} AS t"
        for name, columns in source_value_columns(tables).items()
    ]
    return "\nUNION ALL\n".join(branches) or None


def _count(column: str) -> str:
    cell = f"t.{column}"
    key = f"97 - try_cast(substring({cell}, 1, 13) AS bigint) % 97 = try_cast(substring({cell}, 14, 2) AS bigint)"
    matched = [f"{cell} RLIKE '{shape}'" for shape in SHAPES] + [f"({cell} RLIKE '{WITH_KEY}' AND {key})"]
    return f"count(CASE WHEN length({cell}) >= {SHORTEST} AND ({' OR '.join(matched)}) THEN 1 END)"


def read_identifiers(rows: list[dict[str, Any]], tables: Tables) -> Mapping[str, int]:
    """Column → values shaped like an identifier, of the rows of `identifiers_query`."""
    columns = source_value_columns(tables)
    return {
        f"{row['cdm_table']}.{column}": n
        for row in rows
        for column, n in zip(columns[row["cdm_table"]], row["found"], strict=True)
    }
