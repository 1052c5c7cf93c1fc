"""Generate the fictitious French university hospital ``chu_demo`` into a PostgreSQL.

Everything is drawn in blocks of patients (`etl.demo.draws`) and loaded with COPY: memory does not grow with the total.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from etl.demo.administrations import administration_table
from etl.demo.biology import draw_samples, result_table
from etl.demo.catalogue import Catalogue, load_catalogue
from etl.demo.clinical import history_table, measure_table
from etl.demo.coding import act_table, diagnosis_table
from etl.demo.documents import letter_table, scan_table
from etl.demo.draws import BLOCK, Block, Flags
from etl.demo.injected_errors import inject, truth_table
from etl.demo.orders import Orders, draw_choice, draw_orders, order_table, record_orders
from etl.demo.people import draw_people, patient_table
from etl.demo.pharmacists import apply_interventions, draw_reviews, review_table
from etl.demo.staff import commune_table, practitioners, ward_table
from etl.demo.stays import Stays, alive_until, deaths_of, draw_stays, moves_table, stay_table
from passerelle.errors import UsageError

if TYPE_CHECKING:
    import psycopg

SEED = 20250101
PATIENTS = 600
BLOCKS_PER_LOAD = 10  # 5,000 patients are held in memory at a time
SCHEMA = Path(__file__).with_name("chu_demo.sql")
TRUTH = "truth.injected_error"
MONITORED = (("B01AA02", "B01AA03"), ("C01AA05",), ("J01XA01",), ("N05AN01",))  # drugs with a level of their own


def generate(dsn: str, patients: int = PATIENTS, seed: int = SEED) -> dict[str, int]:
    """Make the hospital. The schemas ``dpi`` and ``truth`` of the database are replaced, in one transaction.

    Args:
        dsn: URL of a PostgreSQL where schemas may be made.
        patients: how many; patient i is the same whatever the total.
        seed: another seed, another hospital.

    Returns: rows of each table.
    """
    import psycopg

    if patients < 1:
        raise UsageError(f"a hospital needs at least one patient, not {patients}", do="give --patients N")
    with psycopg.connect(dsn) as connection:
        connection.execute(SCHEMA.read_text(encoding="utf-8"))
        rows = {name: _load(connection, f"dpi.{name}", table) for name, table in reference_tables().items()}
        for tables in _loads(patients, seed):
            for name, table in tables.items():
                target = name if "." in name else f"dpi.{name}"
                rows[name] = rows.get(name, 0) + _load(connection, target, table)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("ANALYZE")
    return rows


def reference_tables() -> dict[str, pa.Table]:
    """Tables that do not grow with the patients."""
    return {"commune": commune_table(), "unite_fonctionnelle": ward_table(), "praticien": practitioners()}


def patient_tables(patients: int, seed: int = SEED) -> dict[str, pa.Table]:
    """Every table of the first patients, in memory: for tests and small studies."""
    parts = list(_loads(patients, seed))
    return {name: pa.concat_tables([part[name] for part in parts]) for name in parts[0]}


def _loads(patients: int, seed: int) -> Iterator[dict[str, pa.Table]]:
    """Tables of up to `BLOCKS_PER_LOAD` blocks at a time, without the patients beyond the total."""
    blocks = [Block(seed, number) for number in range(-(-patients // BLOCK))]
    for first in range(0, len(blocks), BLOCKS_PER_LOAD):
        parts = [block_tables(block) for block in blocks[first : first + BLOCKS_PER_LOAD]]
        joined = {
            name: pa.concat_tables([part[name] for part in parts], promote_options="permissive") for name in parts[0]
        }
        yield {name: table.filter(pc.less(table["_p"], patients)).drop_columns("_p") for name, table in joined.items()}


def block_tables(block: Block) -> dict[str, pa.Table]:
    """Every table of one block, with the patient's index in ``_p``."""
    book = load_catalogue()
    people = draw_people(block, book)
    stays = draw_stays(block, people, book)
    chosen = draw_choice(block, stays, book)
    orders = inject(block, stays, book, chosen, draw_orders(block, stays, book, chosen))
    reviews = draw_reviews(block, orders, stays, book)
    orders = apply_interventions(orders, reviews, book)
    record = record_orders(block, orders, stays, book)
    deaths = deaths_of(block, people, stays)
    samples = draw_samples(block, people, stays, alive_until(stays, deaths))
    levels = _monitored(orders, stays, book)
    return {
        "patient": patient_table(people, deaths, book, block),
        "sejour": stay_table(block, people, stays),
        "mouvement": moves_table(block, people, stays),
        "diagnostic": diagnosis_table(block, people, stays, book),
        "acte": act_table(block, people, stays, book),
        "prescription": order_table(people, stays, orders, record, book),
        "administration": administration_table(block, people, stays, orders, record, book),
        "avis_pharmaceutique": review_table(people, stays, orders, record, reviews),
        "resultat_biologie": result_table(block, people, stays, samples, book, levels),
        "mesure_clinique": measure_table(block, people, stays, book),
        "antecedent": history_table(block, people, stays),
        "document": letter_table(block, people, stays, orders, record, book),
        "document_numerise": scan_table(block, people, stays),
        TRUTH: truth_table(block, people, stays, orders, record.number),
    }


def _monitored(orders: Orders, stays: Stays, book: Catalogue) -> Flags:
    """Who takes the drugs whose level is measured, shape (stays, 4)."""
    takes = np.zeros((len(stays.row), len(MONITORED)), dtype=bool)
    for column, codes in enumerate(MONITORED):
        drugs = [book.drug_index(atc) for atc in codes]
        takes[orders.stay[np.isin(orders.drug, drugs)], column] = True
    return takes


def _load(connection: "psycopg.Connection[Any]", target: str, table: pa.Table) -> int:
    """Bulk-load a table: CSV made in bulk by Arrow, read in bulk by COPY."""
    columns = ", ".join(table.column_names)
    sink = io.BytesIO()
    csv.write_csv(table, sink, csv.WriteOptions(include_header=False))
    with connection.cursor() as cursor, cursor.copy(f"COPY {target} ({columns}) FROM STDIN (FORMAT csv)") as copy:
        copy.write(sink.getbuffer())
    return table.num_rows
