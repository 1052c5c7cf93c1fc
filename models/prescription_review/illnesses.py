"""Which diseases were known of a patient: coded at an earlier discharge, or on the list of problems."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, Rows

# Feature → beginnings of ICD-10 codes: diseases that forbid, ask for, or change the dose of many drugs.
ILLNESSES = {
    "ill_heart_failure": ("I50", "I110", "I130", "I132"),
    "ill_atrial_fibrillation": ("I48",),
    "ill_coronary": ("I20", "I21", "I22", "I24", "I25"),
    "ill_stroke": ("I60", "I61", "I63", "I64", "I69", "G45"),
    "ill_bleeding": ("K25", "K26", "K27", "K28", "K920", "K921", "K922"),
    "ill_obstructive_lung": ("J44",),
    "ill_asthma": ("J45", "J46"),
    "ill_epilepsy": ("G40", "G41"),
    "ill_kidney": ("N18", "N17"),
    "ill_diabetes": ("E10", "E11", "E13", "E14"),
    "ill_gout": ("M10",),
    "ill_thyroid": ("E03", "E05"),
    "ill_dementia": ("F00", "F01", "F02", "F03", "G30"),
    "ill_depression": ("F32", "F33"),
    "ill_cancer": ("C",),
}


def illnesses(facts: Columns, diagnoses: Columns, person: Rows, of: Rows) -> Columns:
    """1 where a disease was known when an order is judged, else 0.

    Args:
        person, of: a small number for the person of each order, and of each diagnosis.
    """
    at = facts["index_time"]
    return {name: np.nan_to_num(coded_by(begins, diagnoses, of, person, at)) for name, begins in ILLNESSES.items()}


def coded_by(
    begins: tuple[str, ...], diagnoses: Columns, of: Rows, person: Rows, at: NDArray[Any]
) -> NDArray[np.float64]:
    """1 where a diagnosis of a person was coded by then; else NaN: not coded is not known."""
    ill = np.array([code.startswith(begins) for code in diagnoses["code"].tolist()], dtype=bool)
    first = np.full(max(person.max(initial=-1), of.max(initial=-1)) + 1, np.datetime64("NaT"), dtype=at.dtype)
    order = np.argsort(diagnoses["available_at"][ill], kind="stable")[::-1]
    first[of[ill][order]] = diagnoses["available_at"][ill][order]  # the earliest is written last
    return np.where(first[person] <= at, 1.0, np.nan)
