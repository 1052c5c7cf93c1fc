"""Training, calibration and test parts: by time, and never the same patient on two sides."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PARTS = ("train", "calibration", "test")
LEFT_OUT = "left_out"


@dataclass(frozen=True, slots=True)
class Cut:
    """Two instants (naive UTC): calibration begins at the first, the test part at the second."""

    calibration_start: np.datetime64
    test_start: np.datetime64

    def as_dict(self) -> dict[str, str]:
        """ISO instants, as they are written beside the model."""
        return {name: str(value) for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, str]) -> "Cut":
        """The inverse of :meth:`as_dict`."""
        return cls(*(np.datetime64(values[name], "us") for name in ("calibration_start", "test_start")))


def choose_cut(times: NDArray[Any], *, calibration_share: float = 0.15, test_share: float = 0.3) -> Cut:
    """Instants that leave the last ``test_share`` of rows to the test and the ``calibration_share`` before it.

    Args:
        times: instants of the rows, shape (n,), any order.
    """
    ordered = np.sort(np.asarray(times, dtype="datetime64[us]"))
    if len(ordered) == 0:
        raise ValueError("no rows to split")
    at = [int(len(ordered) * (1 - test_share - calibration_share)), int(len(ordered) * (1 - test_share))]
    first, second = (ordered[min(index, len(ordered) - 1)] for index in at)
    return Cut(first, second)


def assign(times: NDArray[Any], persons: NDArray[Any], cut: Cut) -> NDArray[Any]:
    """The part of each row: train, calibration, test, or left_out.

    A patient belongs to the first part in which they appear. Their later rows are left out, not moved:
    moved to the training part they would bring the future into it, kept in the test part they would be known.
    """
    times = np.asarray(times, dtype="datetime64[us]")
    persons = np.asarray(persons)
    part = np.where(times < cut.calibration_start, 0, np.where(times < cut.test_start, 1, 2))
    _, person = np.unique(persons, return_inverse=True)
    first = np.full(person.max(initial=-1) + 1, len(PARTS))
    np.minimum.at(first, person, part)
    names = np.array([*PARTS, LEFT_OUT])
    return names[np.where(part == first[person], part, len(PARTS))]


def person_folds(persons: NDArray[Any], folds: int, seed: int) -> NDArray[Any]:
    """A fold per row, 0 to folds-1; the same patient is always in the same fold, whatever the other rows are."""
    salt = 0x9E3779B97F4A7C15 * (seed + 1) % 2**64
    mixed = np.asarray(persons).astype(np.uint64) + np.uint64(salt)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed ^ (mixed >> np.uint64(31))) % np.uint64(folds)).astype(np.int64)
