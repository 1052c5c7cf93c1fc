"""The problem list: what physicians write while a stay goes on, long before anything of it is coded.

The words of each problem are in ``catalogue/problemes.csv``; a code that has none there is no problem: a history, a
circumstance, a complication.
"""

import numpy as np
import pyarrow as pa

from etl.demo.catalogue import CHRONIC, FEATURES, Catalogue
from etl.demo.coding import written_codes
from etl.demo.draws import BLOCK, Block, Flags, Floats, Integers, Moments, choose_by_row, rank_within, seconds
from etl.demo.people import EXTRACTION, People
from etl.demo.stays import HC, Stays

DISEASES_WRITTEN, REASONS_WRITTEN = 0.85, 0.8
DISEASE_HOURS, REASON_HOURS = (0.5, 20.0), (0.3, 6.0)  # after the first stay begins; after the stay begins
UNKNOWN_SHARE = 0.03
NUMBERS_PER_PATIENT = 64
# One disease, coded by its stage: origin in the catalogue → eGFR in mL/min/1.73 m², from and below.
RENAL_STAGES = {"IRC": (30.0, np.inf), "IRC4": (15.0, 30.0), "IRC5": (0.0, 15.0)}


def problem_table(block: Block, people: People, stays: Stays, until: Moments, book: Catalogue) -> pa.Table:
    """Rows of ``dpi.probleme``: chronic diseases for good, the reason of an admission as long as it lasts.

    Args:
        until: the moment of each patient after which nothing is written any more, shape (BLOCK,).
    """
    rng = block.generator("probleme")
    person, disease, told = _diseases(rng, people, stays, book)
    admission, reason, seen = _reasons(rng, stays, book)
    patient = np.concatenate([person, stays.row[admission]])
    which = np.concatenate([disease, reason])
    written = np.concatenate([told, seen])
    left = np.where(stays.is_open[admission], np.datetime64("NaT", "s"), stays.end[admission])
    closed = np.concatenate([np.full(len(person), np.datetime64("NaT", "s")), left])
    codes = written_codes(rng, np.array([row["code"] for row in book.diagnoses], dtype=object)[which], UNKNOWN_SHARE)
    words = [book.problems[book.diagnoses[row]["code"]] for row in which.tolist()]
    labels = [said[int(part * len(said))] for said, part in zip(words, rng.random(len(which)).tolist(), strict=True)]
    order = np.lexsort((written, patient))
    order = order[written[order] < until[patient[order]]]
    patient, written, closed = patient[order], written[order], closed[order]
    return pa.table(
        {
            "_p": people.index[patient],
            "probleme_id": people.index[patient] * NUMBERS_PER_PATIENT + rank_within(patient),
            "ipp": people.ipp[patient],
            "code_cim10": codes[order],
            "libelle": np.array(labels, dtype=object)[order],
            "saisi_le": pa.array(written),
            "clos_le": pa.array(closed),
            "maj_le": pa.array(np.where(np.isnat(closed), written, closed)),
        }
    )


def _diseases(
    rng: np.random.Generator, people: People, stays: Stays, book: Catalogue
) -> tuple[Integers, Integers, Moments]:
    """Row of the patient, row of the diagnosis and moment of each chronic disease that is written."""
    first = np.full(BLOCK, EXTRACTION)
    np.minimum.at(first, stays.row, stays.start)
    moment = first + seconds(rng.uniform(*DISEASE_HOURS, BLOCK) * 3600)
    disease = np.array(["IRC" if row["origine"] in RENAL_STAGES else row["origine"] for row in book.diagnoses])
    has = np.stack([_has(people, row["origine"]) for row in book.diagnoses], axis=1)
    weights = np.where(has, _weights(book, "DAS"), 0.0)
    chosen = np.stack([choose_by_row(rng, np.where(disease == name, weights, 0.0)) for name in CHRONIC], axis=1)
    person, column = np.nonzero((chosen >= 0) & (rng.random(chosen.shape) < DISEASES_WRITTEN))
    return person, chosen[person, column], moment[person]


def _reasons(rng: np.random.Generator, stays: Stays, book: Catalogue) -> tuple[Integers, Integers, Moments]:
    """Row of the stay, row of the diagnosis and moment of each reason of an admission that is written."""
    origins = np.array([FEATURES[row["origine"]] for row in book.diagnoses])
    has = (stays.features[:, origins] > 0) & (stays.kind == HC)[:, None]
    chosen = choose_by_row(rng, np.where(has, _weights(book, "DP"), 0.0))
    moment = stays.start + seconds(rng.uniform(*REASON_HOURS, len(chosen)) * 3600)
    written = (chosen >= 0) & (rng.random(len(chosen)) < REASONS_WRITTEN) & (moment < stays.end)
    admission = np.flatnonzero(written)
    return admission, chosen[admission], moment[admission]


def _has(people: People, origin: str) -> Flags:
    """Who has what a diagnosis of the catalogue stands for, shape (BLOCK,)."""
    if origin in RENAL_STAGES:
        low, high = RENAL_STAGES[origin]
        return people.has("IRC") & (low <= people.egfr) & (people.egfr < high)
    return people.has(origin) if origin in CHRONIC else np.zeros(BLOCK, dtype=bool)


def _weights(book: Catalogue, role: str) -> Floats:
    """Weight of each diagnosis that is a problem, in this role; 0 for the others."""
    kept = [row["role"] == role and row["code"] in book.problems for row in book.diagnoses]
    return np.where(kept, [float(row["poids"]) for row in book.diagnoses], 0.0)
