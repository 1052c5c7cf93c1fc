"""What a record says of allergies: observations of that kind, and the codes of a history of allergy."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, last_until, plain
from models.prescription_review.known import PERSON, Known

# Written in the field of allergies, and none.
NONE_KNOWN = re.compile(
    r"\b(?:no (?:known )?(?:drug )?allerg|not allergic|aucune?|pas d'|sans allergie|non allergique|negati|"
    r"absence|denies|nkda|family history|antecedents? famili|ruled out|ecartee)|\bnon$"
)
HISTORY = ("Z88", "Z910")  # ICD-10: allergy to drugs, allergy other than to drugs


def allergies(observations: Columns, diagnoses: Columns) -> Columns:
    """One row an allergy, by person and time: text, code (ICD-10), label, table and id of the row that says so."""
    stated = observations["kind"] == "allergy"
    stated &= np.array([not NONE_KNOWN.search(text) for text in observations["text"]], dtype=bool)
    coded = np.array([code.startswith(HISTORY) for code in diagnoses["code"]], dtype=bool)
    codes, names = diagnoses["code"][coded], diagnoses["name"][coded]
    parts = {
        PERSON: (observations[PERSON][stated], diagnoses[PERSON][coded]),
        "available_at": (observations["available_at"][stated], diagnoses["available_at"][coded]),
        "text": (observations["text"][stated], np.array([plain(name) for name in names], dtype=object)),
        "code": (observations["code"][stated], codes),
        "label": (observations["label"][stated], np.where(names == "", codes, names)),
        "id": (observations["id"][stated], diagnoses["condition_occurrence_id"][coded]),
        "table": (
            np.full(stated.sum(), "observation", dtype=object),
            np.full(coded.sum(), "condition_occurrence", dtype=object),
        ),
    }
    columns = {name: np.concatenate(two) for name, two in parts.items()}
    order = np.lexsort((columns["id"], columns["available_at"], columns[PERSON]))
    return {name: column[order] for name, column in columns.items()}


def allergies_known(orders: Columns, known: Known) -> NDArray[np.float64]:
    """How many allergies were known when each order is judged."""
    of = allergies(known.tables["observations"], known.tables["diagnoses"])
    row = last_until(of[PERSON], of["available_at"], orders[PERSON], orders["index_time"])
    first = np.searchsorted(of[PERSON], orders[PERSON])
    return np.where(row >= 0, row - first + 1, 0).astype(float)
