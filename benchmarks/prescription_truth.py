"""The errors that were put into the generated orders: what pharmacists saw of them is only what a model learns from.

For those who measure; nothing that learns or predicts can reach it.
"""

from csv import DictReader
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable

from etl.demo.chu_second import ENCODING

# Hospital of the benchmark → its source, and the table that holds its order lines.
LINES = {"home": ("chu_demo", "prescription"), "away": ("chu_second", "lignes")}
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


def injected(folder: Path, hospital: str, workspace: Path) -> dict[int, str]:
    """Order of the CDM → how it was made wrong, by the numbers of the lines."""
    return _told(folder, hospital, workspace, ERRORS, "mechanism")


def objected(folder: Path, hospital: str, workspace: Path) -> dict[int, float]:
    """Order of the CDM → the chance that a pharmacist who reads it objects, were every error seen; the ordinary ones
    are left out (`ORDINARY`)."""
    chance = _told(folder, hospital, workspace, READINGS, "chance")
    return {order: float(value) for order, value in chance.items()}


def _told(folder: Path, hospital: str, workspace: Path, table: str, column: str) -> dict[int, str]:
    source, lines_table = LINES[hospital]
    lines = _rows(workspace / "lake" / "bronze" / source / lines_table, ["_row", "ligne_id"])
    traced = _rows(workspace / "lake" / "ops" / "provenance", ["target_id", "source_table", "source_row", "mapping"])
    traced = traced.filter(pc.equal(traced["mapping"], "drug_exposure.prescription"))
    number = dict(zip(lines["_row"].to_pylist(), map(str, lines["ligne_id"].to_pylist()), strict=True))
    with (truth_of(folder, hospital) / f"{table}.csv").open(encoding=ENCODING, newline="") as file:
        told = {row["ligne_id"]: row[column] for row in DictReader(file, delimiter=";")}
    pairs = zip(traced["target_id"].to_pylist(), traced["source_row"].to_pylist(), strict=True)
    return {target: told[number[row]] for target, row in pairs if number.get(row) in told}


def _rows(table: Path, columns: list[str]) -> pa.Table:
    return pq.ParquetDataset([str(path) for path in DeltaTable(str(table)).file_uris()]).read(columns=columns)
