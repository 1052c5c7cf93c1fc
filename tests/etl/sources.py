"""A source that ships, run over its real files with the vocabulary of the tests: what its tests look at."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from omop.delta_read import dataset
from omop.lake import Lake
from passerelle.cli import run as cli
from spark_jobs.load_vocabulary import LOADED as VOCABULARY


@dataclass(frozen=True)
class Loaded:
    """A workspace after one run of one source."""

    workspace: Path

    def rows(self, table: str, **where: Any) -> list[dict[str, Any]]:
        """Rows of a CDM table with these values."""
        rows = dataset(Lake(self.workspace).omop(table)).to_table().to_pylist()
        return [row for row in rows if all(row[name] == value for name, value in where.items())]

    def only(self, table: str, **where: Any) -> dict[str, Any]:
        """The one row with these values."""
        (row,) = self.rows(table, **where)
        return row

    def texts(self) -> str:
        """Every distinct text of every table of the lake, a line each, in lower case."""
        found: set[str] = set()
        for folder in sorted((self.workspace / "lake").glob("*/**/_delta_log")):
            if folder.parent.name not in VOCABULARY:
                table = dataset(folder.parent).to_table()
                for field in table.schema:
                    if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
                        found.update(value.lower() for value in pc.unique(table[field.name]).to_pylist() if value)
        return "\n".join(sorted(found))

    def ledger(self, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
        """Source table → its accounts."""
        return {entry["source_table"]: entry for entry in self._json("ledger", capsys)}

    def gaps(self, capsys: pytest.CaptureFixture[str]) -> set[tuple[str, str]]:
        """Codes without a concept, with their vocabulary."""
        return {(gap["vocabulary"], gap["code"]) for gap in self._json("gaps", capsys)}

    def _json(self, command: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
        capsys.readouterr()
        assert cli([command, "--workspace", str(self.workspace), "--json"]) == 0
        found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
        return found


def load(source: str, place: str, workspace: Path, shared_data: Path) -> Loaded:
    """Run a source from a folder or a database, on the piece of the OMOP vocabulary that the tests may read."""
    where = ["--workspace", str(workspace)]
    assert cli(["vocabulary", "load", str(shared_data / "omop-vocabulary-subset"), *where]) == 0
    assert cli(["run", source, "--input", place, *where]) == 0
    return Loaded(workspace)
