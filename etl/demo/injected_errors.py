"""Errors put into the orders, in the shares that were published, and the truth about them.

Source of the shares: Bedouch 2008 (1,800 interventions on 38,626 orders of six hospitals) and 2009. What is put in is
written to the schema ``truth``, which nothing of the pipeline reads. An injected dose is what the nurses then give.
"""

import numpy as np
import pyarrow as pa

from etl.demo.catalogue import Catalogue
from etl.demo.draws import Block, Flags, Integers
from etl.demo.look_alikes import add_look_alikes
from etl.demo.orders import ORDINARY, Orders, concatenate, draw_orders
from etl.demo.people import EXTRACTION, People
from etl.demo.stays import Stays
from etl.demo.wrong_lines import change_lines
from etl.demo.wrong_sets import IN_PLACE, add_contraindicated, add_duplicate, add_interacting

# Mechanism → Act-IP problem class of the French society of clinical pharmacy.
ACT_IP = {
    "contre_indication": 1, "indication_non_traitee": 2, "sous_dosage": 3, "surdosage": 4, "non_adapte_renal": 4,
    "doublon": 5, "interaction": 6, "effet_indesirable": 7, "voie": 8, "rythme": 8, "frequence": 8, "non_recu": 9,
    "suivi_absent": 10,
}  # fmt: skip


def draw_orders_with_errors(block: Block, stays: Stays, catalogue: Catalogue, chosen: Flags) -> Orders:
    """The orders of a block with errors among them: changed lines, lines too many, lines that are missing."""
    orders = draw_orders(block, stays, catalogue, chosen)
    for name, mechanism in IN_PLACE:
        orders = mechanism(block.generator(name), stays, catalogue, orders)
    orders = change_lines(block.generator("erreurs.lignes"), stays, catalogue, orders)
    added = [
        add_contraindicated(block.generator("erreurs.contre_indication"), stays, catalogue, chosen),
        add_interacting(block.generator("erreurs.interaction"), stays, catalogue, chosen, orders),
        add_duplicate(block.generator("erreurs.doublon"), stays, catalogue, chosen, orders),
    ]
    filed = concatenate([orders, *added])
    filed = filed.with_columns(filed=np.array([ACT_IP.get(m, 0) for m in filed.mechanism.tolist()], dtype=np.int64))
    return add_look_alikes(block.generator("sosies"), stays, catalogue, filed)


def truth_table(block: Block, people: People, stays: Stays, orders: Orders, numbers: Integers) -> pa.Table:
    """Rows of ``truth.injected_error``."""
    wrong = np.flatnonzero(~orders.right & (orders.start < EXTRACTION))
    return pa.table(
        {
            "_p": people.index[stays.row[orders.stay[wrong]]],
            "ligne_id": numbers[wrong],
            "mechanism": orders.mechanism[wrong].tolist(),
            "parameters": orders.detail[wrong].tolist(),
            "seed": np.full(len(wrong), block.seed),
        }
    )


def reading_table(block: Block, people: People, stays: Stays, orders: Orders, numbers: Integers) -> pa.Table:
    """Rows of ``truth.reading``: what each of two pharmacists would say of the lines that are not ordinary.

    Columns: ``chance`` that a reader objects, and what ``first`` and ``second`` say. For the agreement of readers only;
    the reviews of the record are drawn apart.
    """
    told = np.flatnonzero((orders.concern > ORDINARY) & (orders.start < EXTRACTION))
    said = block.generator("lectures").random((2, len(told))) < orders.concern[told]
    return pa.table(
        {
            "_p": people.index[stays.row[orders.stay[told]]],
            "ligne_id": numbers[told],
            "chance": orders.concern[told],
            "first": said[0],
            "second": said[1],
        }
    )
