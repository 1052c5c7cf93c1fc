"""Lives and stays that cannot be."""

from typing import Any

from tests.hostile.mutations.mutation import CELL, At, mutation


@mutation("a person is born after the death", CELL, on="death")
def born_after_death(at: At) -> Any:
    return at.written("1850-01-01")


@mutation("a stay ends before it begins", CELL, on="end")
def ends_before_it_begins(at: At) -> Any:
    return at.written("1850-01-01")
