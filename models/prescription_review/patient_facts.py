"""What was known of the patient when an order was written: age, sex, stay, last results, kidney function."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from models.prescription_review import renal
from models.prescription_review.config import Analyte
from models.prescription_review.orders import KEY
from models.prescription_review.units import lab_value

DAYS_PER_YEAR = 365.25
NO_ROW = -1
WEIGHT = 3025315  # OMOP concept of body weight


def add_patient_facts(
    orders: pd.DataFrame,
    persons: pd.DataFrame,
    stays: pd.DataFrame,
    lab_results: pd.DataFrame,
    analytes: Mapping[str, Analyte],
) -> pd.DataFrame:
    """The orders with age, sex, stay and, per analysis, value, age of the value, previous value and row id."""
    known = _person(orders, persons)
    known = _stay(known, stays)
    names = lab_results["concept_name"].fillna("").str.lower()
    for name, analyte in analytes.items():
        rows = lab_results[_is_analyte(lab_results["measurement_concept_id"], names, analyte)]
        known = _last_result(known, rows, name, analyte.max_age_days)
    return _kidney(known)


def with_weights(lab_results: pd.DataFrame, observations: pd.DataFrame) -> pd.DataFrame:
    """The results of the laboratory, and the weights as if they were some."""
    weights = observations[observations["kind"] == "weight"].rename(
        columns={"source_id": "measurement_id", "observed_at": "measured_at", "kind": "concept_name"}
    )
    return pd.concat([lab_results, weights.assign(measurement_concept_id=WEIGHT)], ignore_index=True)[[*lab_results]]


def _person(orders: pd.DataFrame, persons: pd.DataFrame) -> pd.DataFrame:
    who = persons.drop_duplicates("person_id").set_index("person_id").reindex(orders["person_id"])
    middle_of_year = pd.to_datetime(
        who["year_of_birth"].map(lambda year: f"{int(year)}-07-01" if pd.notna(year) else None), errors="coerce"
    )
    born = pd.to_datetime(who["birth_date"]).fillna(middle_of_year).to_numpy()
    age = (orders["index_time"].to_numpy() - born) / np.timedelta64(1, "D") / DAYS_PER_YEAR
    female = who["sex"].map({"F": 1.0, "M": 0.0}).to_numpy(dtype=float)
    return orders.assign(age=np.where(age >= 0, age, np.nan), female=female)


def _stay(orders: pd.DataFrame, stays: pd.DataFrame) -> pd.DataFrame:
    stay = stays[stays["visit_occurrence_id"] > 0].drop_duplicates("visit_occurrence_id")
    stay = stay.set_index("visit_occurrence_id").reindex(orders["visit_occurrence_id"])
    known = (stay["available_at"].to_numpy() <= orders["index_time"].to_numpy()) & (
        stay["started_at"].to_numpy() <= orders["index_time"].to_numpy()
    )
    hours = (orders["index_time"].to_numpy() - stay["started_at"].to_numpy()) / np.timedelta64(1, "h")
    return orders.assign(
        stay_kind=np.where(known, stay["kind"].fillna("unknown").to_numpy(), "unknown"),
        hours_since_admission=np.where(known, hours, np.nan),
    )


def _is_analyte(concept_id: pd.Series, name: pd.Series, analyte: Analyte) -> pd.Series:
    wanted, excluded = re.compile(analyte.name), re.compile(analyte.not_name) if analyte.not_name else None
    by_name = {text: bool(wanted.search(text)) and not (excluded and excluded.search(text)) for text in name.unique()}
    return concept_id.isin(analyte.concept_ids) | name.map(by_name)


def _last_result(orders: pd.DataFrame, rows: pd.DataFrame, analyte: str, max_age_days: int) -> pd.DataFrame:
    """As-of join on the time a result became available: a sample drawn before the order may be read after it."""
    value = lab_value(analyte, rows["value"], rows["unit"])
    results = pd.DataFrame(
        {
            "person_id": rows["person_id"],
            "seen_at": rows["available_at"],
            f"{analyte}_at": rows["measured_at"].fillna(rows["available_at"]),
            f"{analyte}_id": rows["measurement_id"],
            analyte: value,
        }
    ).dropna(subset=["seen_at", analyte])
    results = results.sort_values(["seen_at", f"{analyte}_at", f"{analyte}_id"], ignore_index=True)
    results[f"{analyte}_previous"] = results.groupby("person_id")[analyte].shift()
    left = orders[[KEY, "person_id", "index_time"]].sort_values(["index_time", KEY])
    joined = pd.merge_asof(
        left,
        results.astype({"seen_at": left["index_time"].dtype}),
        left_on="index_time",
        right_on="seen_at",
        by="person_id",
        tolerance=pd.Timedelta(days=max_age_days),
    )
    joined = joined.set_index(left.index).loc[orders.index]
    hours = (orders["index_time"] - joined[f"{analyte}_at"]).dt.total_seconds() / 3600
    return orders.assign(
        **{
            analyte: joined[analyte],
            f"{analyte}_age_h": hours,
            f"{analyte}_previous": joined[f"{analyte}_previous"],
            f"{analyte}_id": joined[f"{analyte}_id"].fillna(NO_ROW).astype("int64"),
            f"{analyte}_at": joined[f"{analyte}_at"],
        }
    )


def _kidney(orders: pd.DataFrame) -> pd.DataFrame:
    """Cockcroft–Gault where a weight is known, as product information does; else CKD-EPI, which needs none."""
    age, female = orders["age"].to_numpy(float), orders["female"].to_numpy(float)
    creatinine = orders["creatinine"].to_numpy(float)
    gault = renal.cockcroft_gault(age, orders["weight"].to_numpy(float), creatinine, female)
    rate = renal.ckd_epi_2009(age, creatinine, female)
    method = np.where(~np.isnan(gault), "Cockcroft-Gault", np.where(~np.isnan(rate), "CKD-EPI", ""))
    return orders.assign(clearance=np.where(np.isnan(gault), rate, gault), clearance_method=method)
