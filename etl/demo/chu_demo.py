"""Generate the fictitious French university hospital ``chu_demo`` into a PostgreSQL.

Everything is drawn in blocks of patients (`etl.demo.draws`) and loaded with COPY: memory does not grow with the total.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import csv

from etl.demo import feeds
from etl.demo.catalogue import load_catalogue
from etl.demo.draws import Block
from etl.demo.next_day import SHARE, as_of
from etl.demo.record import Tables, block_tables, loads
from etl.demo.staff import commune_table, practitioners, ward_table
from passerelle.errors import UsageError

if TYPE_CHECKING:
    import psycopg

HOSPITAL = "chu_demo"
SEED = 20250101
PATIENTS = 600
SCHEMA = Path(__file__).with_name("chu_demo.sql")


def generate(
    dsn: str, patients: int = PATIENTS, seed: int = SEED, day: int = 0, share: float = SHARE
) -> dict[str, int]:
    """Make the hospital. The schemas ``dpi`` and ``truth`` of the database are replaced, in one transaction.

    Args:
        dsn: URL of a PostgreSQL where schemas may be made.
        patients: how many; patient i is the same whatever the total.
        seed: another seed, another hospital.
        day: 0 for the record at the extract, 1 for that of the day after…
        share: of the patients that each day after the first touches.

    Returns: rows of each table.
    """
    import psycopg

    if patients < 1:
        raise UsageError(f"a hospital needs at least one patient, not {patients}", do="give --patients N")
    with psycopg.connect(dsn) as connection:
        connection.execute(SCHEMA.read_text(encoding="utf-8"))
        rows = {name: _load(connection, f"dpi.{name}", table) for name, table in reference_tables().items()}
        for tables in _loads(patients, seed, day, share):
            for name, table in tables.items():
                target = name if "." in name else f"dpi.{name}"
                rows[name] = rows.get(name, 0) + _load(connection, target, table)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("ANALYZE")
    return rows


def reference_tables() -> Tables:
    """Tables that do not grow with the patients."""
    book = load_catalogue(HOSPITAL)
    return {"commune": commune_table(book), "unite_fonctionnelle": ward_table(book), "praticien": practitioners(book)}


def patient_tables(patients: int, seed: int = SEED, day: int = 0, share: float = SHARE) -> Tables:
    """Every table of the first patients as of a day, in memory: for tests and small studies."""
    parts = list(_loads(patients, seed, day, share))
    return {name: pa.concat_tables([part[name] for part in parts]) for name in parts[0]}


def block_of_day(block: Block, day: int, share: float, patients: int) -> Tables:
    """Every table of one block as of a day, with the patient's index in ``_p``."""
    return as_of(block_tables(block, load_catalogue(HOSPITAL)), feeds.chu_demo(), block, day, share, patients)


def _loads(patients: int, seed: int, day: int, share: float) -> Iterator[Tables]:
    return loads(patients, seed, lambda block: block_of_day(block, day, share, patients))


def _load(connection: "psycopg.Connection[Any]", target: str, table: pa.Table) -> int:
    """Bulk-load a table: CSV made in bulk by Arrow, read in bulk by COPY."""
    columns = ", ".join(table.column_names)
    sink = io.BytesIO()
    csv.write_csv(table, sink, csv.WriteOptions(include_header=False))
    with connection.cursor() as cursor, cursor.copy(f"COPY {target} ({columns}) FROM STDIN (FORMAT csv)") as copy:
        copy.write(sink.getbuffer())
    return table.num_rows
