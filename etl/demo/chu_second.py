"""Generate the second fictitious hospital, ``chu_second``: a nightly dump of Windows-1252 CSV files.

Semicolons, CRLF, days and minutes as text, decimal commas: what a French record system writes for whoever asks. The
course of care is drawn by the code of the first hospital, with this one's catalogue and habits.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from etl.demo import feeds
from etl.demo.catalogue import load_catalogue
from etl.demo.draws import Block
from etl.demo.next_day import SHARE, as_of
from etl.demo.people import EXTRACTION
from etl.demo.record import READINGS, TRUTH, Tables, block_tables, loads
from etl.demo.second_codes import RHYTHMS, WARD_KINDS
from etl.demo.second_products import formulary
from etl.demo.second_record import coded, second_tables
from etl.demo.staff import practitioners
from passerelle.errors import UsageError

HOSPITAL = "chu_second"
SEED = 20250202
PATIENTS = 600
ENCODING = "windows-1252"
RHYTHM_COLUMNS = ["rythme", "libelle", "prises_jour"]
DAY_FORMAT, MOMENT_FORMAT = "%d/%m/%Y", "%d/%m/%Y %H:%M"


def generate(
    folder: Path,
    patients: int = PATIENTS,
    seed: int = SEED,
    day: int = 0,
    share: float = SHARE,
    truth: Path | None = None,
) -> dict[str, int]:
    """Write the dump of one night.

    Args:
        folder: where the files go; those of another night are replaced.
        patients: how many; patient i is the same whatever the total.
        seed: another seed, another hospital.
        day: 0 for the first dump, 1 for that of the night after…
        share: of the patients that each day after the first touches.
        truth: a folder outside ``folder`` for the errors that were put in on purpose, and the chance that a pharmacist
            objects; nothing of the pipeline reads it.

    Returns: rows of each table.
    """
    if patients < 1:
        raise UsageError(f"a hospital needs at least one patient, not {patients}", do="give --patients N")
    for made in filter(None, (folder, truth)):
        made.mkdir(parents=True, exist_ok=True)
    rows: dict[str, int] = {}
    for tables in (reference_tables(), *_loads(patients, seed, day, share)):
        for name, table in tables.items():
            if name not in (TRUTH, READINGS):
                path = folder / f"{name.upper()}.csv"
            elif truth is not None:
                path = truth / f"{name.removeprefix('truth.')}.csv"
            else:
                continue
            _append(path, table, first=name not in rows)
            rows[name] = rows.get(name, 0) + table.num_rows
    return rows


def patient_tables(patients: int, seed: int = SEED, day: int = 0, share: float = SHARE) -> Tables:
    """Every table of the first patients as of a day, in memory: for tests and small studies."""
    parts = list(_loads(patients, seed, day, share))
    return {name: pa.concat_tables([part[name] for part in parts]) for name in parts[0]}


def reference_tables() -> Tables:
    """Tables that do not grow with the patients."""
    book = load_catalogue(HOSPITAL)
    staff = practitioners(book)
    kinds = pa.chunked_array([[row["type_uf"] for row in book.wards]])
    return {
        "structure": pa.table(
            {
                "um": [row["uf"] for row in book.wards],
                "libelle": [row["libelle"] for row in book.wards],
                "pole": [row["pole"] for row in book.wards],
                "activite": coded(kinds, WARD_KINDS),
                "cp": [row["site"] for row in book.wards],
            }
        ),
        "professionnels": pa.table(
            {
                "rpps": staff["praticien_id"],
                "nom": staff["nom"],
                "prenom": staff["prenom"],
                "discipline": staff["specialite"],
                "um": pc.if_else(pc.equal(staff["uf"], "PHARMA"), pa.scalar(None, pa.string()), staff["uf"]),
            }
        ),
        "livret": formulary(),
        "rythmes": pa.table([pa.array(column) for column in zip(*RHYTHMS.values(), strict=True)], RHYTHM_COLUMNS),
    }


def block_of_day(block: Block, day: int, share: float, patients: int) -> Tables:
    """Every table of one block as of a day, with the patient's index in ``_p``."""
    book = load_catalogue(HOSPITAL)
    care = block_tables(block, book)
    tables = {**second_tables(block, care, book), TRUTH: care[TRUTH], READINGS: care[READINGS]}
    tables = as_of(tables, feeds.chu_second(), block, day, share, patients)
    known = pc.less(tables["fusions"]["date_fusion"], pa.scalar(EXTRACTION + np.timedelta64(day, "D")))
    return {**tables, "fusions": tables["fusions"].filter(known)}


def _loads(patients: int, seed: int, day: int, share: float) -> Iterator[Tables]:
    return loads(patients, seed, lambda block: block_of_day(block, day, share, patients))


def _append(path: Path, table: pa.Table, first: bool) -> None:
    """Write or go on with a file, as the hospital's dump does."""
    sink = pa.BufferOutputStream()
    options = csv.WriteOptions(include_header=first, delimiter=";")
    csv.write_csv(_as_text(table), sink, options)
    text = sink.getvalue().to_pybytes().decode().replace("\n", "\r\n")
    with path.open("wb" if first else "ab") as file:
        file.write(text.encode(ENCODING))


def _as_text(table: pa.Table) -> pa.Table:
    formats = {"timestamp[s]": MOMENT_FORMAT, "date32[day]": DAY_FORMAT}
    columns = {
        field.name: pc.strftime(table[field.name], formats[str(field.type)])
        if str(field.type) in formats
        else table[field.name]
        for field in table.schema
    }
    return pa.table(columns)
