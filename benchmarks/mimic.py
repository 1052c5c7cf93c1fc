"""The prescriptions of the MIMIC-IV demo as the view that the model reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd


def read_table(path: Path) -> pd.DataFrame:
    """A table as text, nothing taken for missing."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def times(column: pd.Series) -> pd.Series:
    """Times as written; NaT where there is none."""
    return pd.to_datetime(column, errors="coerce")


def prescriptions(shared: Path) -> pd.DataFrame:
    """Every line with more columns than its own.

    ``atc``: the ATC code of its GSN, "" where none is known; ``frequency``: when it is given, "Q8H" for "Q 8H", and
    whether by a sliding scale; ``age``: the patient's at its start, in years.

    Args:
        shared: where ``mimic-iv-demo`` and ``drug-codes`` are.
    """
    hospital = shared / "mimic-iv-demo" / "csv" / "hosp"
    codes = read_table(shared / "drug-codes" / "gsn_atc_ndc_mapping.csv.gz")
    atc = dict(zip(codes["gsn"], codes["atc"], strict=True))
    rows = read_table(hospital / "prescriptions.csv.gz")
    rows["atc"] = [next((atc[one] for one in text.replace(",", " ").split() if one in atc), "") for text in rows["gsn"]]
    pharmacy = read_table(hospital / "pharmacy.csv.gz").drop_duplicates("pharmacy_id").set_index("pharmacy_id")
    written = pharmacy["frequency"].str.upper().str.replace(" ", "") + " " + pharmacy["sliding_scale"]
    rows["frequency"] = rows["pharmacy_id"].map(written).fillna("")
    anchor = read_table(hospital / "patients.csv.gz").set_index("subject_id")[["anchor_age", "anchor_year"]].astype(int)
    born = rows["subject_id"].map(anchor["anchor_year"] - anchor["anchor_age"])
    rows["age"] = times(rows["starttime"]).dt.year - born
    return rows


def drug_orders(rows: pd.DataFrame) -> pd.DataFrame:
    """Lines as rows of the view ``drug_orders``."""
    return pd.DataFrame({
        "drug_exposure_id": np.arange(len(rows)), "person_id": rows["subject_id"].astype(np.int64),
        "visit_occurrence_id": rows["hadm_id"].astype(np.int64), "drug_concept_id": 0, "concept_name": rows["drug"],
        "source_code": rows["drug"], "atc_code": rows["atc"], "route_concept_id": 0, "route_source": rows["route"],
        "started_at": times(rows["starttime"]), "ended_at": times(rows["stoptime"]),
        "dose_value": pd.to_numeric(rows["dose_val_rx"], errors="coerce"), "dose_unit": rows["dose_unit_rx"],
        "doses_per_day": pd.to_numeric(rows["doses_per_24_hrs"], errors="coerce"),
        "available_at": times(rows["starttime"]),
    })  # fmt: skip
