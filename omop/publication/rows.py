"""Rows of the lake as PostgreSQL and DuckDB take them: exact types, times without a zone, no NUL."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from omop.views.contract import ARROW_TYPES


def cells(columns: Mapping[str, str], dataset: ds.Dataset, *, instants: bool = False) -> dict[str, pc.Expression]:
    """A projection of a dataset on columns and their types; a column that it does not have is null.

    Args:
        columns: column → type (bigint, int, double, string, date, timestamp).
        instants: True keeps the zone of times (the views give instants); False leaves it out (the CDM is in UTC).
    """
    present = set(dataset.schema.names)
    return {name: _cell(name, kind, name in present, instants) for name, kind in columns.items()}


def _cell(name: str, kind: str, present: bool, instants: bool) -> pc.Expression:
    # Copied as binary: the Arrow type must be the column's exactly.
    arrow = pa.timestamp("us") if kind == "timestamp" and not instants else ARROW_TYPES[kind]
    if not present:
        return pc.scalar(None).cast(arrow)
    value = pc.field(name).cast(arrow)
    # PostgreSQL holds no NUL, with which some exports fill a field: there it is left out.
    return pc.replace_substring(value, pattern="\0", replacement="") if pa.types.is_string(arrow) else value
