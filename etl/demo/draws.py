"""Reproducible draws for blocks of patients.

Patients are drawn in blocks of a fixed size, each table of each block with its own generator, whose seed depends only
on the seed of the hospital, the block and the table's name. So patient i is the same whatever the total asked for, and
adding a column to one table moves no other.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
Texts = NDArray[np.str_]
Objects = NDArray[np.object_]
Moments = NDArray[np.datetime64]  # local wall clock, seconds

BLOCK = 500  # patients drawn together; part of the seed, so changing it changes every patient
SECOND = "datetime64[s]"
EMPTY: Objects = np.array(None, dtype=object)  # NULL, where a column of texts has none


@dataclass(frozen=True)
class Block:
    """Patients ``first`` to ``first + BLOCK - 1`` of a hospital."""

    seed: int
    number: int

    @property
    def first(self) -> int:
        """Index of the first patient of the block, from 0."""
        return self.number * BLOCK

    def generator(self, table: str) -> np.random.Generator:
        """The generator of one table of this block.

        CRC-32, not ``hash()``: the latter changes with PYTHONHASHSEED.
        """
        sequence = np.random.SeedSequence(self.seed, spawn_key=(self.number, zlib.crc32(table.encode())))
        return np.random.Generator(np.random.PCG64(sequence))


def choose(rng: np.random.Generator, weights: Sequence[float] | Floats, size: int) -> Integers:
    """Indices drawn with these weights, shape (size,)."""
    cumulative = np.cumsum(np.asarray(weights, dtype=np.float64))
    return np.searchsorted(cumulative, rng.random(size) * cumulative[-1], side="right").astype(np.int64)


def choose_by_row(rng: np.random.Generator, weights: Floats) -> Integers:
    """One column per row, drawn with the row's weights.

    Args:
        weights: shape (rows, columns), not negative; a row of zeros gives -1.
    """
    cumulative = np.cumsum(weights, axis=1)
    total = cumulative[:, -1]
    drawn = (cumulative <= (rng.random(len(weights)) * total)[:, None]).sum(axis=1)
    return np.where(total > 0, np.minimum(drawn, weights.shape[1] - 1), -1).astype(np.int64)


def rank_within(groups: Integers) -> Integers:
    """Position of each row in its run of equal values: ``[7, 7, 9, 7]`` → ``[0, 1, 0, 0]``.

    Example:
        >>> rank_within(np.array([4, 4, 4, 5])).tolist()
        [0, 1, 2, 0]
    """
    n = len(groups)
    if n == 0:
        return np.zeros(0, dtype=np.int64)
    starts = np.concatenate([[True], groups[1:] != groups[:-1]])
    first = np.maximum.accumulate(np.where(starts, np.arange(n), 0))
    return np.arange(n) - first


def repeat_rows(counts: Integers) -> tuple[Integers, Integers]:
    """Row numbers repeated ``counts`` times, and the rank of each copy."""
    rows = np.repeat(np.arange(len(counts)), counts)
    return rows, rank_within(rows)


def seconds(amount: Floats | Integers) -> NDArray[np.timedelta64]:
    """A duration in whole seconds."""
    return np.asarray(amount).round().astype("timedelta64[s]")


def hour_of(moments: Moments) -> Floats:
    """Hour of the day, 0 ≤ h < 24."""
    return ((moments.astype(SECOND).astype(np.int64)) % 86400) / 3600.0


def weekday_of(moments: Moments) -> Integers:
    """0 Monday to 6 Sunday."""
    return (moments.astype("datetime64[D]").astype(np.int64) + 3) % 7


def day_of(moments: Moments) -> NDArray[np.datetime64]:
    """Midnight of the same day."""
    return moments.astype("datetime64[D]").astype(SECOND)


def scramble(numbers: Integers, modulus: int, multiplier: int, shift: int) -> Integers:
    """A bijection of 0 … modulus-1, so that identifiers look like a hospital's and do not count patients."""
    return (numbers * multiplier + shift) % modulus


def french_number(values: Floats, decimals: Integers) -> Objects:
    """Numbers as a French laboratory prints them: ``4,20``; NaN gives None."""
    texts = np.empty(len(values), dtype=object)
    for places in np.unique(decimals):
        rows = np.flatnonzero((decimals == places) & ~np.isnan(values))
        pattern = f"%.{places}f"
        texts[rows] = [(pattern % value).replace(".", ",") for value in values[rows].tolist()]
    return texts
