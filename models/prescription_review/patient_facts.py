"""What was known of the patient when an order is judged: age, sex, stay, last results, kidney function."""

from __future__ import annotations

import numpy as np

from models.prescription_review import renal
from models.prescription_review.allergies import allergies_known
from models.prescription_review.columns import Columns, found_at, last_until, picked
from models.prescription_review.config import Config
from models.prescription_review.known import WEIGHT, Known
from models.prescription_review.last_results import last_results
from models.prescription_review.pregnancy import pregnancy

DAYS_PER_YEAR = 365.25
NO_ROW = -1


def add_patient_facts(orders: Columns, known: Known, config: Config) -> Columns:
    """The orders with age, sex, stay, pregnancy and, per analysis, value, age of the value, trend and row id."""
    facts = orders | _person(orders, known.tables["persons"]) | _stay(orders, known.tables["stays"])
    facts |= _critical_care(orders, known.tables["critical_care"])
    facts |= last_results(orders, known.tables["lab_results"], config.analytes, config.trend_days)
    facts |= last_results(orders, known.tables["weights"], {WEIGHT: config.analytes[WEIGHT]}, config.trend_days)
    return facts | _kidney(facts) | pregnancy(facts, known) | {"allergies": allergies_known(facts, known)}


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
        "hours_in_stay": np.where(known, (orders["index_time"] - started) / np.timedelta64(1, "h"), np.nan),
        "stay_kind": np.where(known, picked(stays["kind"], row, "unknown"), "unknown"),
        "hours_since_admission": np.where(known, hours, np.nan),
    }


def _critical_care(orders: Columns, units: Columns) -> Columns:
    """1 while the patient is in the critical care unit that was entered last, else 0."""
    row = last_until(units["person_id"], units["started_at"], orders["person_id"], orders["index_time"])
    left = picked(units["ended_at"], row, np.datetime64("NaT")) <= orders["index_time"]
    return {"critical_care": ((row >= 0) & ~left).astype(float)}


def _kidney(orders: Columns) -> Columns:
    """Clearance by Cockcroft–Gault where a weight is known, as product information does, else by CKD-EPI, which needs
    none; and filtration by CKD-EPI, as laboratories report it: wards reduce doses by the one or by the other. The
    lowest filtration of the last days too: a dose was chosen for kidneys that may have recovered since."""
    age, female, creatinine = orders["age"], orders["female"], orders["creatinine"]
    gault = renal.cockcroft_gault(age, orders["weight"], creatinine, female)
    rate, lowest = (renal.ckd_epi_2009(age, value, female) for value in (creatinine, orders["creatinine_highest"]))
    method = np.where(~np.isnan(gault), "Cockcroft-Gault", np.where(~np.isnan(rate), "CKD-EPI", ""))
    clearance = np.where(np.isnan(gault), rate, gault)
    return {
        "clearance": clearance,
        "clearance_method": method.astype(object),
        "filtration": rate,
        "filtration_lowest": np.fmin(rate, lowest),
    }
