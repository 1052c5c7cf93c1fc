"""The record of one block of patients: every fact of their care, in the tables of the first hospital.

Another hospital records the same kind of facts in other tables and codes (`second_record`); the course is drawn once.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.demo.administrations import administration_table
from etl.demo.biology import draw_samples, result_table
from etl.demo.catalogue import Catalogue
from etl.demo.clinical import history_table, measure_table
from etl.demo.coding import act_table, diagnosis_table
from etl.demo.documents import letter_table, scan_table
from etl.demo.draws import BLOCK, Block, Flags
from etl.demo.injected_errors import inject, truth_table
from etl.demo.orders import Orders, draw_choice, draw_orders, order_table, record_orders
from etl.demo.people import draw_people, patient_table
from etl.demo.pharmacists import apply_interventions, draw_reviews, review_table
from etl.demo.problems import problem_table
from etl.demo.stays import Stays, alive_until, deaths_of, draw_stays, moves_table, stay_table

Tables = dict[str, pa.Table]
BLOCKS_PER_LOAD = 10  # 5,000 patients are held in memory at a time
TRUTH = "truth.injected_error"
MONITORED = (("B01AA02", "B01AA03"), ("C01AA05",), ("J01XA01",), ("N05AN01",))  # drugs with a level of their own


def block_tables(block: Block, book: Catalogue) -> Tables:
    """Every table of one block, with the patient's index in ``_p``."""
    people = draw_people(block, book)
    stays = draw_stays(block, people, book)
    chosen = draw_choice(block, stays, book)
    orders = inject(block, stays, book, chosen, draw_orders(block, stays, book, chosen))
    reviews = draw_reviews(block, orders, stays, book)
    orders = apply_interventions(orders, reviews, book)
    record = record_orders(block, orders, stays, book)
    deaths = deaths_of(block, people, stays, book)
    alive = alive_until(stays, deaths)
    samples = draw_samples(block, people, stays, alive, book)
    levels = _monitored(orders, stays, book)
    return {
        "patient": patient_table(people, deaths, book, block),
        "sejour": stay_table(block, people, stays, book),
        "mouvement": moves_table(block, people, stays, book),
        "diagnostic": diagnosis_table(block, people, stays, book),
        "acte": act_table(block, people, stays, book),
        "prescription": order_table(people, stays, orders, record, book),
        "administration": administration_table(block, people, stays, orders, record, book),
        "avis_pharmaceutique": review_table(people, stays, orders, record, reviews, book),
        "resultat_biologie": result_table(block, people, stays, samples, book, levels),
        "mesure_clinique": measure_table(block, people, stays, book),
        "antecedent": history_table(block, people, stays),
        "probleme": problem_table(block, people, stays, alive, book),
        "document": letter_table(block, people, stays, orders, record, book),
        "document_numerise": scan_table(block, people, stays),
        TRUTH: truth_table(block, people, stays, orders, record.number),
    }


def _monitored(orders: Orders, stays: Stays, book: Catalogue) -> Flags:
    """Who takes the drugs whose level is measured, shape (stays, 4)."""
    takes = np.zeros((len(stays.row), len(MONITORED)), dtype=bool)
    for column, codes in enumerate(MONITORED):
        drugs = [position for position, drug in enumerate(book.drugs) if drug.atc in codes]
        takes[orders.stay[np.isin(orders.drug, drugs)], column] = True
    return takes


def loads(patients: int, seed: int, draw: Callable[[Block], Tables]) -> Iterator[Tables]:
    """Tables of up to `BLOCKS_PER_LOAD` blocks at a time, without the patients beyond the total.

    Args:
        draw: the tables of one block, with the patient's index in ``_p``.
    """
    blocks = [Block(seed, number) for number in range(-(-patients // BLOCK))]
    for first in range(0, len(blocks), BLOCKS_PER_LOAD):
        yield joined([draw(block) for block in blocks[first : first + BLOCKS_PER_LOAD]], patients)


def joined(parts: list[Tables], patients: int) -> Tables:
    """The tables of several blocks as one, without the patients beyond the total and without ``_p``."""
    tables = {name: pa.concat_tables([part[name] for part in parts], promote_options="permissive") for name in parts[0]}
    return {name: table.filter(pc.less(table["_p"], patients)).drop_columns("_p") for name, table in tables.items()}
