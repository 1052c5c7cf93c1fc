"""What nurses gave: planned from the orders, at the ward's hours, with the dose that was ordered."""

import numpy as np
import pyarrow as pa

from etl.demo.catalogue import Catalogue
from etl.demo.draws import Block, Floats, Integers, Objects, choose, day_of, repeat_rows, seconds
from etl.demo.orders import Orders, Record
from etl.demo.people import EXTRACTION, People
from etl.demo.stays import URG, Stays

HOURS = {
    1: (8.0,),
    2: (8.0, 20.0),
    3: (8.0, 13.0, 20.0),
    4: (8.0, 12.0, 18.0, 22.0),
    6: (2.0, 6.0, 10.0, 14.0, 18.0, 22.0),
}
HOURS_IV = {3: (6.0, 14.0, 22.0), 4: (0.0, 6.0, 12.0, 18.0)}
EVENING = ("N05C", "N05BA", "C10AA", "N06AX11", "L04AX03")
STATUS = np.array(["faite", "non_faite", "refusee"], dtype=object)
NUMBERS_PER_LINE = 4_096
WITHOUT_ORDER = 0.002


def administration_table(
    block: Block, people: People, stays: Stays, orders: Orders, record: Record, catalogue: Catalogue
) -> pa.Table:
    """Rows of ``dpi.administration``."""
    rng = block.generator("administration")
    slots = _slots(orders, catalogue)
    every = np.where(orders.per_day < 1, np.round(1 / np.maximum(orders.per_day, 0.01)), 1).astype(np.int64)
    first_day = day_of(orders.start)
    days = ((day_of(orders.end) - first_day).astype("timedelta64[D]").astype(np.int64) + 1).clip(1)
    days = -(-days // every)
    width = (~np.isnan(slots)).sum(axis=1)
    counts = np.where(record.status == "annulee", 0, days * width)
    line, rank = repeat_rows(counts)
    day, slot = rank // width[line], rank % width[line]
    planned = first_day[line] + (day * every[line]).astype("timedelta64[D]") + seconds(slots[line, slot] * 3600)
    inside = (planned >= orders.start[line]) & (planned < orders.end[line]) & (planned < EXTRACTION)
    line, rank, planned = line[inside], rank[inside], planned[inside]
    return _table(rng, people, stays, orders, record, catalogue, (line, rank, planned))


def _slots(orders: Orders, catalogue: Catalogue) -> Floats:
    """Hours of the day of each line, padded with NaN, shape (lines, 6)."""
    atc = [drug.atc for drug in catalogue.drugs]
    evening = np.array([code.startswith(EVENING) for code in atc])[orders.drug]
    per_day = np.maximum(1, np.round(orders.per_day)).astype(np.int64).clip(1, 6)
    slots = np.full((len(orders), 6), np.nan)
    for times, hours in HOURS.items():
        slots[per_day == times, : len(hours)] = hours
    for times, hours in HOURS_IV.items():
        slots[(per_day == times) & (orders.route == "IV"), : len(hours)] = hours
    slots[per_day == 5, :5] = (6.0, 10.0, 14.0, 18.0, 22.0)
    slots[(per_day == 1) & evening, 0] = 21.0
    return slots


def _table(
    rng: np.random.Generator, people: People, stays: Stays, orders: Orders, record: Record, catalogue: Catalogue,
    events: tuple[Integers, Integers, np.ndarray],
) -> pa.Table:  # fmt: skip
    line, rank, planned = events
    n = len(line)
    status = STATUS[choose(rng, catalogue.habits.given, n)]
    status = np.where(orders.mechanism[line] == "non_recu", "non_faite", status)
    given = planned + seconds(rng.normal(12, 22, n) * 60)
    done = np.where(status == "faite", np.maximum(given, stays.start[orders.stay[line]]), np.datetime64("NaT", "s"))
    patient = stays.row[orders.stay[line]]
    orphan = rng.random(n) < WITHOUT_ORDER
    number = record.number[line]
    labels = np.array([drug.label for drug in catalogue.drugs], dtype=object)
    codes = record.atc[line]
    table = pa.table(
        {
            "_p": people.index[patient],
            "administration_id": number * NUMBERS_PER_LINE + rank,
            "ligne_id": pa.array(number, mask=orphan),
            "ipp": people.ipp[patient],
            "numero_sejour": stays.number[orders.stay[line]],
            "code_atc": codes,
            "libelle": labels[orders.drug[line]],
            "prevue_le": pa.array(planned),
            "faite_le": pa.array(done),
            "statut": status,
            "dose": _given(record.dose_text)[line],
            "unite": record.unit[line],
            "voie": orders.route[line],
            "maj_le": pa.array(np.where(np.isnat(done), planned, done)),
        }
    )
    return table.filter(pa.array((stays.kind[orders.stay[line]] != URG) | (rng.random(n) < 0.9)))


def _given(doses: Objects) -> Objects:
    """The dose that is given: the one ordered, or the lower bound of a range."""
    words = {"1-2": "1", "1 à 2": "1", "selon protocole": None}
    return np.array([words.get(text, text) for text in doses.tolist()], dtype=object)
