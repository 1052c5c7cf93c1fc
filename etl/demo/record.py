"""The record of one block of patients: every fact of their care, in the tables of the first hospital.

Another hospital records the same kind of facts in other tables and codes (`second_record`); the course is drawn once.
"""

from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from etl.demo.administrations import administration_table
from etl.demo.biology import draw_samples, result_table, watch
from etl.demo.catalogue import Catalogue
from etl.demo.clinical import history_table, measure_table
from etl.demo.coding import act_table, diagnosis_table
from etl.demo.documents import letter_table, scan_table
from etl.demo.draws import BLOCK, Block
from etl.demo.injected_errors import draw_orders_with_errors, reading_table, truth_table
from etl.demo.orders import draw_choice, order_table, record_orders
from etl.demo.people import draw_people, patient_table
from etl.demo.pharmacists import apply_interventions, draw_reviews, review_table
from etl.demo.problems import problem_table
from etl.demo.stays import alive_until, deaths_of, draw_stays, moves_table, stay_table

Tables = dict[str, pa.Table]
BLOCKS_PER_LOAD = 10  # 5,000 patients are held in memory at a time
TRUTH, READINGS = "truth.injected_error", "truth.reading"


def block_tables(block: Block, book: Catalogue) -> Tables:
    """Every table of one block, with the patient's index in ``_p``."""
    people = draw_people(block, book)
    stays = draw_stays(block, people, book)
    chosen = draw_choice(block, stays, book)
    orders = draw_orders_with_errors(block, stays, book, chosen)
    watched = watch(orders, stays, book)
    reviews = draw_reviews(block, orders, stays, book)
    orders = apply_interventions(orders, reviews, book)
    record = record_orders(block, orders, stays, book)
    deaths = deaths_of(block, people, stays, book)
    alive = alive_until(stays, deaths)
    samples = draw_samples(block, people, stays, alive, book, watched)
    return {
        "patient": patient_table(people, deaths, book, block),
        "sejour": stay_table(block, people, stays, book),
        "mouvement": moves_table(block, people, stays, book),
        "diagnostic": diagnosis_table(block, people, stays, book),
        "acte": act_table(block, people, stays, book),
        "prescription": order_table(people, stays, orders, record, book),
        "administration": administration_table(block, people, stays, orders, record, book),
        "avis_pharmaceutique": review_table(people, stays, orders, record, reviews, book),
        "resultat_biologie": result_table(block, people, stays, samples, book, watched),
        "mesure_clinique": measure_table(block, people, stays, book),
        "antecedent": history_table(block, people, stays),
        "probleme": problem_table(block, people, stays, alive, book),
        "document": letter_table(block, people, stays, orders, record, book),
        "document_numerise": scan_table(block, people, stays),
        TRUTH: truth_table(block, people, stays, orders, record.number),
        READINGS: reading_table(block, people, stays, orders, record.number),
    }


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
