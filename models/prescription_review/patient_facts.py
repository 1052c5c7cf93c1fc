"""What was known of the patient when an order was written: age, sex, stay, last results, kidney function."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.prescription_review import renal
from models.prescription_review.columns import INSTANT, Columns, found_at, last_until, picked
from models.prescription_review.config import Config
from models.prescription_review.known import Known

DAYS_PER_YEAR = 365.25
NO_ROW = -1


def add_patient_facts(orders: Columns, known: Known, config: Config) -> Columns:
    """The orders with age, sex, stay and, per analysis, value, age of the value, previous value and row id."""
    facts = orders | _person(orders, known.tables["persons"]) | _stay(orders, known.tables["stays"])
    facts |= _critical_care(orders, known.tables["critical_care"])
    for name, analyte in config.analytes.items():
        facts |= _last_result(orders, known.tables[name], name, analyte.max_age_days)
    return facts | _kidney(facts)


def _person(orders: Columns, persons: Columns) -> Columns:
    at, there = found_at(persons["person_id"], orders["person_id"])
    row = np.where(there, at, NO_ROW)
    born = picked(persons["born"], row, np.datetime64("NaT"))
    age = (orders["index_time"] - born) / np.timedelta64(1, "D") / DAYS_PER_YEAR
    return {"age": np.where(age >= 0, age, np.nan), "female": picked(persons["female"], row, np.nan)}


def _stay(orders: Columns, stays: Columns) -> Columns:
    order = np.argsort(stays["visit_occurrence_id"], kind="stable")
    at, there = found_at(stays["visit_occurrence_id"][order], orders["visit_occurrence_id"])
    row = np.where(there, order[at] if len(order) else at, NO_ROW)
    started = picked(stays["started_at"], row, np.datetime64("NaT"))
    available = picked(stays["available_at"], row, np.datetime64("NaT"))
    known = (available <= orders["index_time"]) & (started <= orders["index_time"])
    hours = (orders["written_at"] - started) / np.timedelta64(1, "h")
    return {
        "stay_kind": np.where(known, picked(stays["kind"], row, "unknown"), "unknown"),
        "hours_since_admission": np.where(known, hours, np.nan),
    }


def _critical_care(orders: Columns, units: Columns) -> Columns:
    """1 while the patient is in the critical care unit that was entered last, else 0."""
    row = last_until(units["person_id"], units["started_at"], orders["person_id"], orders["index_time"])
    left = picked(units["ended_at"], row, np.datetime64("NaT")) <= orders["index_time"]
    return {"critical_care": ((row >= 0) & ~left).astype(float)}


def _last_result(orders: Columns, results: Columns, analyte: str, max_age_days: int) -> Columns:
    """As-of join on the time a result became available: a sample drawn before the order may be read after it."""
    row = last_until(results["person_id"], results["seen_at"], orders["person_id"], orders["index_time"])
    seen = picked(results["seen_at"], row, np.datetime64("NaT"))
    row = np.where(orders["index_time"] - seen <= np.timedelta64(max_age_days, "D"), row, NO_ROW)
    drawn = picked(results["at"], row, np.datetime64("NaT"))
    return {
        analyte: picked(results["value"], row, np.nan),
        f"{analyte}_age_h": (orders["index_time"] - drawn) / np.timedelta64(1, "s") / 3600,
        f"{analyte}_previous": picked(results["value"], _before(results["person_id"], row), np.nan),
        f"{analyte}_id": picked(results["id"], row, NO_ROW),
        f"{analyte}_at": drawn.astype(INSTANT),
    }


def _before(person: NDArray[np.int64], row: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row before each, of the same person."""
    previous = np.maximum(row - 1, 0)
    same = (row > 0) & (person[previous] == person[row]) if len(person) else np.zeros(len(row), dtype=bool)
    return np.where(same, previous, NO_ROW)


def _kidney(orders: Columns) -> Columns:
    """Cockcroft–Gault where a weight is known, as product information does; else CKD-EPI, which needs none."""
    age, female, creatinine = orders["age"], orders["female"], orders["creatinine"]
    gault = renal.cockcroft_gault(age, orders["weight"], creatinine, female)
    rate = renal.ckd_epi_2009(age, creatinine, female)
    method = np.where(~np.isnan(gault), "Cockcroft-Gault", np.where(~np.isnan(rate), "CKD-EPI", ""))
    return {"clearance": np.where(np.isnan(gault), rate, gault), "clearance_method": method.astype(object)}
