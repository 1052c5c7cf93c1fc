"""The errors that were put into the generated orders: what pharmacists saw of them is only what a model learns from.

For those who measure; nothing that learns or predicts can reach it.
"""

from collections.abc import Mapping
from csv import DictReader
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable

from etl.demo import catalogue
from etl.demo.chu_second import ENCODING
from etl.demo.draws import weekday_of
from etl.demo.habits import Habits
from etl.demo.orders import ORDINARY
from etl.demo.pharmacists import chance_of_objection

if TYPE_CHECKING:
    from models.prescription_review.columns import Columns

# Hospital of the benchmark → its source, and the table that holds its order lines.
LINES = {"home": ("chu_demo", "prescription"), "away": ("chu_second", "lignes")}
HABITS = {name: catalogue.HABITS[source] for name, (source, _) in LINES.items()}
ERRORS, READINGS = "injected_error", "reading"  # tables of the truth


def truth_of(folder: Path, hospital: str) -> Path:
    """The folder where the errors of a hospital are kept, beside its workspace."""
    return folder / f"truth_{hospital}"


def keep_truth(dsn: str, folder: Path) -> None:
    """Write the truth of the generated PostgreSQL as that of the other hospital is written."""
    import psycopg

    folder.mkdir(parents=True, exist_ok=True)
    with psycopg.connect(dsn) as connection:
        for table in (ERRORS, READINGS):
            query = f"COPY truth.{table} TO STDOUT (FORMAT csv, HEADER, DELIMITER ';', ENCODING 'WIN1252')"
            with (folder / f"{table}.csv").open("wb") as file, connection.cursor().copy(query) as rows:
                for row in rows:
                    file.write(row)


@dataclass(frozen=True)
class Truth:
    """What is known of the generated orders alone, by order of the CDM.

    Attributes:
        mechanism: how it was made wrong.
        chance: that a pharmacist who reads it objects, were every error seen; the ordinary ones are left out.
    """

    mechanism: Mapping[int, str]
    chance: Mapping[int, float]

    def chances(self, orders: "Columns", habits: Habits, timezone: str) -> np.ndarray:
        """The chance with which the review of each order is drawn, where pharmacists are as these; shape (orders,)."""
        from models.prescription_review.orders import KEY

        numbers = orders[KEY].tolist()
        concern = np.array([self.chance.get(number, ORDINARY) for number in numbers])
        wrong = np.array([number in self.mechanism for number in numbers])
        local = pd.DatetimeIndex(orders["index_time"], tz="UTC").tz_convert(timezone).tz_localize(None)
        return chance_of_objection(habits, concern, wrong, busy=weekday_of(local.to_numpy()) == 0)


def read_truth(folder: Path, hospital: str, workspace: Path) -> Truth:
    """The truth of a hospital, found by the numbers of the lines."""
    source, table = LINES[hospital]
    lines = _rows(workspace / "lake" / "bronze" / source / table, ["_row", "ligne_id"])
    traced = _rows(workspace / "lake" / "ops" / "provenance", ["target_id", "source_table", "source_row", "mapping"])
    traced = traced.filter(pc.equal(traced["mapping"], "drug_exposure.prescription"))
    number = dict(zip(lines["_row"].to_pylist(), map(str, lines["ligne_id"].to_pylist()), strict=True))
    pairs = zip(traced["target_id"].to_pylist(), traced["source_row"].to_pylist(), strict=True)
    line = {target: number[row] for target, row in pairs if row in number}

    def told(name: str, column: str) -> dict[int, str]:
        with (truth_of(folder, hospital) / f"{name}.csv").open(encoding=ENCODING, newline="") as file:
            value = {row["ligne_id"]: row[column] for row in DictReader(file, delimiter=";")}
        return {target: value[number] for target, number in line.items() if number in value}

    chance = told(READINGS, "chance")
    return Truth(told(ERRORS, "mechanism"), {target: float(value) for target, value in chance.items()})


def _rows(table: Path, columns: list[str]) -> pa.Table:
    return pq.ParquetDataset([str(path) for path in DeltaTable(str(table)).file_uris()]).read(columns=columns)
