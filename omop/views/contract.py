"""Declarations of the views (``<name>.yaml``): grain, key, columns, and when each fact became available."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

import pyarrow as pa
import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from omop.lake import CONTRACT
from passerelle.errors import ContractError

FOLDER = Path(__file__).parent

ARROW_TYPES: dict[str, pa.DataType] = {
    "bigint": pa.int64(),
    "int": pa.int32(),
    "double": pa.float64(),
    "string": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


class ViewColumn(BaseModel, extra="forbid", frozen=True):
    """One column of a view."""

    type: Literal["bigint", "int", "double", "string", "date", "timestamp"]
    meaning: str = Field(min_length=1)
    unit: str | None = Field(None, description="unit, or the column that holds it")
    nullable: bool = True
    known_at: str | None = Field(None, description="as of t, the value is null unless this column is at or before t")


class View(BaseModel, extra="forbid", frozen=True):
    """One view of the contract."""

    name: str
    version: str
    title: str
    grain: str = Field(description="what one row is")
    key: tuple[str, ...] = Field(min_length=1, description="columns that make a row itself, and the order of reads")
    rows_of: tuple[str, ...] = Field(min_length=1, description="CDM tables whose rows make its rows: none, no row")
    available_at: str | None = Field(description="as of t, a row exists if this column is at or before t; null: always")
    superseded_at: str | None = Field(None, description="as of t, a row is gone if this column is at or before t")
    notes: tuple[str, ...] = ()
    columns: dict[str, ViewColumn]

    @model_validator(mode="after")
    def _names_exist(self) -> "View":
        known_at = {column.known_at for column in self.columns.values() if column.known_at}
        named = {*self.key, *known_at, *filter(None, (self.available_at, self.superseded_at))}
        if missing := sorted(named - set(self.columns)):
            raise ValueError(f"names columns that the view does not have: {', '.join(missing)}")
        return self

    @property
    def sql_file(self) -> Path:
        """The SELECT of the view, in portable Spark SQL."""
        return FOLDER / f"{self.name}.sql"

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of a read; the same from every store."""
        return pa.schema([pa.field(name, ARROW_TYPES[column.type]) for name, column in self.columns.items()])

    def check_columns(self, names: tuple[str, ...]) -> None:
        """Raises: ContractError: a name is not a column of the view."""
        if unknown := sorted(set(names) - set(self.columns)):
            raise ContractError(
                f"the view {self.name} has no column {', '.join(unknown)}",
                looked=f"contract {self.version}: {', '.join(self.columns)}",
                do="read a column of the contract",
            )


@lru_cache(maxsize=1)
def views() -> dict[str, View]:
    """Every view of the contract, by name.

    Raises: ContractError: a declaration cannot be read, or belongs to another version.
    """
    declared = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        try:
            declared[path.stem] = View.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (yaml.YAMLError, ValidationError) as error:
            raise ContractError("the declaration of a view cannot be read", looked=f"{path.name}: {error}") from error
        if declared[path.stem].name != path.stem or declared[path.stem].version != CONTRACT:
            raise ContractError(
                f"{path.name} declares {declared[path.stem].name} {declared[path.stem].version}",
                do=f"name it {path.stem}, version {CONTRACT}",
            )
    return declared


def view(name: str) -> View:
    """One view by name.

    Raises: ContractError: the contract has no such view.
    """
    try:
        return views()[name]
    except KeyError:
        raise ContractError(
            f"there is no view {name}", looked=f"contract {CONTRACT}: {', '.join(views())}", do="correct the name"
        ) from None
