"""Rows as one array a column, and the few steps on them: as quick for two orders at the bedside as for a million."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Columns = dict[str, NDArray[Any]]
Rows = NDArray[np.int64]  # positions of rows
INSTANT = "datetime64[us]"
FEW = 64  # so few rows are walked through one by one: quicker than any call on arrays


def take(columns: Columns, rows: NDArray[Any] | slice) -> Columns:
    """The rows at these positions, in this range, or where a mask is true."""
    return {name: column[rows] for name, column in columns.items()}


class Taken(Mapping[str, NDArray[Any]]):
    """The rows at these positions, a column at a time and only when it is asked for: of many columns few are read."""

    def __init__(self, columns: Columns, rows: NDArray[Any]) -> None:
        self._columns, self.rows = columns, rows

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._columns[name][self.rows]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


def stacked(parts: Sequence[Columns]) -> Columns:
    """The rows of all parts, which have the same columns and are at least one."""
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def codes(*keys: NDArray[Any]) -> Rows:
    """One number a row; equal numbers are equal keys."""
    found = np.zeros(len(keys[0]), dtype=np.int64)
    for key in keys:
        number, values = factorized(key)
        found = found * (len(values) + 1) + number
    return found


def joined(*columns: NDArray[Any]) -> NDArray[np.object_]:
    """The texts of each row as one, with bars between them."""
    _, first, number = np.unique(codes(*columns), return_index=True, return_inverse=True)
    rows = zip(*(column[first].tolist() for column in columns), strict=True)
    return np.array(["|".join(row) for row in rows], dtype=object)[number]


def factorized(values: NDArray[Any]) -> tuple[Rows, list[Any]]:
    """The number of each value, and the distinct values in the order in which they occur."""
    if len(values) > FEW:
        number, distinct = pd.factorize(values)
        return number, list(distinct)
    seen: dict[Any, int] = {}
    return np.array([seen.setdefault(value, len(seen)) for value in values.tolist()], dtype=np.int64), [*seen]


def pairs(left: Rows, right: Rows) -> tuple[Rows, Rows]:
    """Positions of every two rows whose codes are equal, in the order of the left, then of the right."""
    order = np.argsort(right, kind="stable")
    in_order = right[order]
    start, end = np.searchsorted(in_order, left, "left"), np.searchsorted(in_order, left, "right")
    count = end - start
    first = np.repeat(start - (np.cumsum(count) - count), count)
    return np.repeat(np.arange(len(left)), count), order[first + np.arange(len(first))]


def found_at(sorted_values: NDArray[Any], wanted: NDArray[Any]) -> tuple[Rows, NDArray[np.bool_]]:
    """Where each wanted value stands, and whether it is there at all; else the position means nothing."""
    if not len(sorted_values):
        return np.zeros(len(wanted), dtype=np.int64), np.zeros(len(wanted), dtype=bool)
    at = np.minimum(np.searchsorted(sorted_values, wanted), len(sorted_values) - 1)
    return at, sorted_values[at] == wanted


def last_until(group: NDArray[Any], time: NDArray[Any], of: NDArray[Any], until: NDArray[Any]) -> Rows:
    """Position of the last row of a group at or before an instant; -1 where there is none.

    Args:
        group, time: of the rows, which are sorted by both.
        of, until: the group and the instant of each question.
    """
    _, rank = np.unique(np.concatenate([time, until]), return_inverse=True)
    _, number = np.unique(np.concatenate([group, of]), return_inverse=True)
    place = number * (len(rank) + 1) + rank
    at: Rows = np.searchsorted(place[: len(group)], place[len(group) :], "right") - 1
    same = (at >= 0) & (number[at] == number[len(group) :]) if len(group) else np.zeros(len(of), dtype=bool)
    return np.where(same, at, -1)


def picked(column: NDArray[Any], rows: Rows, missing: Any) -> NDArray[Any]:
    """The values at these positions; ``missing`` at -1."""
    if not len(column):
        return np.full(len(rows), missing, dtype=column.dtype)
    return np.where(rows >= 0, column[rows], np.asarray(missing, dtype=column.dtype))


def columns_of(frame: pd.DataFrame) -> Columns:
    """The columns of a frame."""
    return {str(name): frame[name].to_numpy() for name in frame}


def instants(column: NDArray[Any] | pd.Series) -> NDArray[Any]:
    """Times as microseconds, whatever the unit in which a frame holds them."""
    return np.asarray(column, dtype=INSTANT)


def texts(column: NDArray[Any] | pd.Series) -> NDArray[Any]:
    """Words, an empty one where none is written."""
    written = zip(column, pd.isna(column), strict=True)
    return np.array(["" if missing else str(text) for text, missing in written], dtype=object)


@lru_cache(maxsize=50_000)
def plain(text: str) -> str:
    """A text as patterns are compared with it: lower case, without accents."""
    spelt = unicodedata.normalize("NFD", text.lower().replace("œ", "oe"))
    return "".join(letter for letter in spelt if not unicodedata.combining(letter))
