"""Whether a woman is known to be pregnant when an order is judged, and how far; or to have given birth not long ago."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, codes, last_until, picked, take
from models.prescription_review.known import PERSON, Known

LASTS_DAYS = 280
DAY = np.timedelta64(1, "D")
LABOUR = DAY  # a delivery that is written beside a pregnancy is what she came for
NURSING_DAYS = 180  # exclusive breastfeeding as the WHO advises it; whether she does is not coded
FERTILE = (12, 56)  # years, the second excluded
# ICD-10. What ends a pregnancy: abortion, delivery, its outcome, the puerperium. What says that there is one.
ENDED = re.compile(r"O0[0-8]|O8[0-9]|O9[0-2]|Z3[789]")
PREGNANT = re.compile(r"O|Z33|Z34|Z35|Z321")
# What says that a child may be breastfed, and what says that there is none.
DELIVERED = re.compile(r"O8|O9[0-2]|Z3[79]")
STILLBORN = re.compile(r"Z37[147]|O364")
# French ICD-10, weeks of amenorrhoea of O09: the middle of each class.
WEEKS_OF_CODE = {"O090": 4, "O091": 9, "O092": 16, "O093": 22, "O094": 30, "O095": 35, "O096": 39, "O097": 42}
WEEKS_WRITTEN = re.compile(r"\b(\d{1,2})\s*(?:\+\s*\d\s*)?(?:sa\b|semaines? d'amenorrhee|weeks?\b|wk\b)")
NOT_SO = re.compile(r"\b(?:non|no|not|absen\w*|negati\w*|ended|terminee?)\b")
NO_ROW = -1


def pregnancy(orders: Columns, known: Known) -> Columns:
    """Per order: ``pregnant`` (1 or 0), ``pregnancy_week`` (of amenorrhoea; NaN unknown) and the row that says so.

    Also ``nursing`` (1 or 0: not pregnant, and gave birth not long ago) and ``delivery_id``, the diagnosis of it.

    Args:
        orders: with age and sex; a man, or a woman of another age, is not pregnant.
    """
    ill = _of_pregnancy(known.tables["diagnoses"])
    facts, births = _facts(known.tables["observations"], ill), _births(ill)
    row = last_until(facts[PERSON], facts["available_at"], orders[PERSON], orders["index_time"])
    days = (orders["index_time"] - picked(facts["available_at"], row, np.datetime64("NaT"))) / DAY
    low, below = FERTILE
    woman = (orders["female"] == 1) & (orders["age"] >= low) & (orders["age"] < below)
    week = picked(facts["week"], row, np.nan) + days / 7
    pregnant = woman & (row >= 0) & (days <= LASTS_DAYS) & picked(facts["pregnant"], row, False) & ~(week > 43)
    birth = last_until(births[PERSON], births["available_at"], orders[PERSON], orders["index_time"])
    since = (orders["index_time"] - picked(births["available_at"], birth, np.datetime64("NaT"))) / DAY
    nursing = woman & ~pregnant & (birth >= 0) & (since <= NURSING_DAYS) & picked(births["alive"], birth, False)
    return {
        "pregnant": pregnant.astype(float),
        "pregnancy_week": np.where(pregnant, week, np.nan),
        "pregnancy_id": np.where(pregnant, picked(facts["id"], row, NO_ROW), NO_ROW),
        "pregnancy_table": np.where(pregnant, picked(facts["table"], row, ""), ""),
        "nursing": nursing.astype(float),
        "delivery_id": np.where(nursing, picked(births["condition_occurrence_id"], birth, NO_ROW), NO_ROW),
    }


def _of_pregnancy(diagnoses: Columns) -> Columns:
    """Those that speak of a pregnancy, of its end or of what follows."""
    coded = [bool(PREGNANT.match(code) or ENDED.match(code)) for code in diagnoses["code"]]
    return take(diagnoses, np.array(coded, dtype=bool))


def _facts(observations: Columns, ill: Columns) -> Columns:
    """What is said of a pregnancy or of its end, by person and time; of one instant the end comes last.

    An end that is coded as a form says that she is pregnant comes a day later.
    """
    said = observations["kind"] == "pregnancy"
    texts, values = observations["text"][said], observations["value"][said]
    parts = {
        PERSON: (observations[PERSON][said], ill[PERSON]),
        "available_at": (observations["available_at"][said], ill["available_at"]),
        "pregnant": (
            np.array([not NOT_SO.search(text) for text in texts], dtype=bool),
            np.array([not ENDED.match(code) for code in ill["code"]], dtype=bool),
        ),
        "week": (
            _weeks(texts, values),
            np.array([WEEKS_OF_CODE.get(code[:4], np.nan) for code in ill["code"]], dtype=float),
        ),
        "id": (observations["id"][said], ill["condition_occurrence_id"]),
        "table": (
            np.full(len(texts), "observation", dtype=object),
            np.full(len(ill["code"]), "condition_occurrence", dtype=object),
        ),
    }
    columns = {name: np.concatenate(two) for name, two in parts.items()}
    instant, form = codes(columns[PERSON], columns["available_at"]), columns["table"] == "observation"
    ahead = ~columns["pregnant"] & ~form & np.isin(instant, instant[columns["pregnant"] & form])
    columns["available_at"] = columns["available_at"] + LABOUR * ahead
    return take(columns, np.lexsort((columns["id"], ~columns["pregnant"], columns["available_at"], columns[PERSON])))


def _births(ill: Columns) -> Columns:
    """Diagnoses of a birth, by person and time; of one instant what says that the child is dead comes last."""
    dead = np.array([bool(STILLBORN.match(code)) for code in ill["code"]], dtype=bool)
    coded = dead | np.array([bool(DELIVERED.match(code)) for code in ill["code"]], dtype=bool)
    births = take(ill | {"alive": ~dead}, coded)
    order = np.lexsort((births["condition_occurrence_id"], ~births["alive"], births["available_at"], births[PERSON]))
    return take(births, order)


def _weeks(texts: NDArray[np.object_], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weeks where they are written, or where the number can be nothing else."""
    written = [match.group(1) if (match := WEEKS_WRITTEN.search(text)) else np.nan for text in texts]
    week = np.where(np.isnan(values), np.array(written, dtype=float), values)
    return np.where((week >= 3) & (week <= 42), week, np.nan)
