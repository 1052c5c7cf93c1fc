"""Whether a woman is known to be pregnant when an order is judged, and how far."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, last_until, picked
from models.prescription_review.known import PERSON, Known

LASTS_DAYS = 280
FERTILE = (12, 56)  # years, the second excluded
# ICD-10. What ends a pregnancy: abortion, delivery, its outcome, the puerperium. What says that there is one.
ENDED = re.compile(r"O0[0-8]|O8[0-9]|O9[0-2]|Z3[789]")
PREGNANT = re.compile(r"O|Z33|Z34|Z35|Z321")
# French ICD-10, weeks of amenorrhoea of O09: the middle of each class.
WEEKS_OF_CODE = {"O090": 4, "O091": 9, "O092": 16, "O093": 22, "O094": 30, "O095": 35, "O096": 39, "O097": 42}
WEEKS_WRITTEN = re.compile(r"\b(\d{1,2})\s*(?:\+\s*\d\s*)?(?:sa\b|semaines? d'amenorrhee|weeks?\b|wk\b)")
NOT_SO = re.compile(r"\b(?:non|no|not|absen\w*|negati\w*|ended|terminee?)\b")
NO_ROW = -1


def pregnancy(orders: Columns, known: Known) -> Columns:
    """Per order: ``pregnant`` (1 or 0), ``pregnancy_week`` (of amenorrhoea; NaN unknown) and the row that says so.

    Args:
        orders: with age and sex; a man, or a woman of another age, is not pregnant.
    """
    facts = _facts(known.tables["observations"], known.tables["diagnoses"])
    row = last_until(facts[PERSON], facts["available_at"], orders[PERSON], orders["index_time"])
    days = (orders["index_time"] - picked(facts["available_at"], row, np.datetime64("NaT"))) / np.timedelta64(1, "D")
    low, below = FERTILE
    woman = (orders["female"] == 1) & (orders["age"] >= low) & (orders["age"] < below)
    week = picked(facts["week"], row, np.nan) + days / 7
    pregnant = woman & (row >= 0) & (days <= LASTS_DAYS) & picked(facts["pregnant"], row, False) & ~(week > 43)
    return {
        "pregnant": pregnant.astype(float),
        "pregnancy_week": np.where(pregnant, week, np.nan),
        "pregnancy_id": np.where(pregnant, picked(facts["id"], row, NO_ROW), NO_ROW),
        "pregnancy_table": np.where(pregnant, picked(facts["table"], row, ""), ""),
    }


def _facts(observations: Columns, diagnoses: Columns) -> Columns:
    """What is said of a pregnancy or of its end, by person and time; of one instant the end comes last."""
    said = observations["kind"] == "pregnancy"
    texts, values = observations["text"][said], observations["value"][said]
    coded = np.array([bool(PREGNANT.match(code) or ENDED.match(code)) for code in diagnoses["code"]], dtype=bool)
    codes = diagnoses["code"][coded]
    parts = {
        PERSON: (observations[PERSON][said], diagnoses[PERSON][coded]),
        "available_at": (observations["available_at"][said], diagnoses["available_at"][coded]),
        "pregnant": (
            np.array([not NOT_SO.search(text) for text in texts], dtype=bool),
            np.array([not ENDED.match(code) for code in codes], dtype=bool),
        ),
        "week": (_weeks(texts, values), np.array([WEEKS_OF_CODE.get(code[:4], np.nan) for code in codes], dtype=float)),
        "id": (observations["id"][said], diagnoses["condition_occurrence_id"][coded]),
        "table": (
            np.full(len(texts), "observation", dtype=object),
            np.full(len(codes), "condition_occurrence", dtype=object),
        ),
    }
    columns = {name: np.concatenate(two) for name, two in parts.items()}
    order = np.lexsort((columns["id"], ~columns["pregnant"], columns["available_at"], columns[PERSON]))
    return {name: column[order] for name, column in columns.items()}


def _weeks(texts: NDArray[np.object_], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weeks where they are written, or where the number can be nothing else."""
    written = [match.group(1) if (match := WEEKS_WRITTEN.search(text)) else np.nan for text in texts]
    week = np.where(np.isnan(values), np.array(written, dtype=float), values)
    return np.where((week >= 3) & (week <= 42), week, np.nan)
