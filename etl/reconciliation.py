"""Controls of a source: the same question put to the source and to the CDM (``reconcile.yaml`` beside the declaration).

A control owes nothing to the mapping: it is written from what the hospital knows (so many deaths, the first stay, the
sum of the results), so that an error of the mapping cannot hide in it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, Field, TypeAdapter, ValidationError, model_validator

from etl.sql_text import literal
from passerelle.errors import UsageError

FILE = "reconcile.yaml"
TINY = 1e-9  # relative: sums of doubles depend on the order of their terms
_TABLE = re.compile(r"\b(bronze|omop)\.(\w+)")


class Control(BaseModel, extra="forbid", frozen=True):
    """One question, put twice. Each side is one SELECT that gives one row with one column, ``value``."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    table: str = Field(description="CDM table that the control is about")
    source: str = Field(description="SELECT … AS value FROM bronze.…")
    cdm: str = Field(description="SELECT … AS value FROM omop.…")
    severity: Literal["fatal", "convention", "characterization"] = "convention"
    allowed_percent: float = Field(0, ge=0, le=100, description="difference that is accepted")
    reason: str | None = Field(None, description="why a difference is accepted")

    @model_validator(mode="after")
    def _a_difference_has_a_reason(self) -> "Control":
        if self.allowed_percent and not self.reason:
            raise ValueError(f"{self.name}: say why a difference is allowed (reason)")
        return self


def load_controls(folder: Path) -> list[Control]:
    """The controls of a source; none where it has no file.

    Raises: UsageError: the file cannot be read as a list of controls.
    """
    path = folder / FILE
    if not path.exists():
        return []
    try:
        return TypeAdapter(list[Control]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise UsageError("the controls of the source cannot be read", looked=f"{path}: {error}") from error


def tables_of(controls: Sequence[Control], room: Literal["bronze", "omop"]) -> set[str]:
    """Tables of a room that the controls read."""
    text = " ".join(f"{control.source} {control.cdm}" for control in controls)
    return {table for found, table in _TABLE.findall(text) if found == room}


def controls_query(controls: Sequence[Control], views: Mapping[str, Callable[[str], str]]) -> str:
    """One statement that answers all controls: ``name``, ``side``, ``value`` (text).

    Args:
        views: room (bronze, omop) → table → what the engine calls it.
    """

    def named(sql: str) -> str:
        return _TABLE.sub(lambda match: views[match[1]](match[2]), sql)

    return "\nUNION ALL\n".join(
        f"SELECT {literal(control.name)} AS name, {literal(side)} AS side, CAST(q.value AS string) AS value "
        f"FROM ({named(sql)}) AS q"
        for control in controls
        for side, sql in (("source", control.source), ("cdm", control.cdm))
    )


def difference(source: str | None, cdm: str | None) -> tuple[int, int]:
    """How far the CDM is from the source: (difference, of how many). Numbers by their size, all else equal or not."""
    if source is None or cdm is None:
        return int(source != cdm), 1
    try:
        return abs(int(source) - int(cdm)), max(int(source), 1)
    except ValueError:
        pass
    try:
        return int(abs(float(source) - float(cdm)) > TINY * max(abs(float(source)), 1.0)), 1
    except ValueError:
        return int(source != cdm), 1
