"""The rules of prescription review: pure functions from orders and knowledge tables to findings.

A finding is one row: which order, which rule, which knowledge line, how severe, the value that met the limit, and
the other row that it rests on. Whether a finding deserves an alert is the model's question, not the rules'.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from models.prescription_review.knowledge import Knowledge, lines_by_code
from models.prescription_review.orders import KEY, active_pairs

# Rule -> category of the finding (HL7 v3-ActCode, value set detectedissue-category).
CATEGORIES = {
    "dose": "DOSEH",
    "dose_sum": "DOSEH",
    "renal": "LAB",
    "lab": "LAB",
    "duplicate": "DUPTHPY",
    "contraindication": "COND",
    "age": "AGE",
    "interaction": "DRG",
}
SEVERITY_RANK = {"low": 1, "moderate": 2, "high": 3}
COLUMNS = [KEY, "rule", "line", "severity", "value", "limit", "other_table", "other_id", "detail"]
NO_ROW = -1
ROUNDING = 1 + 1e-9  # 3 x 0.1 is not above 0.3


def find_all(orders: pd.DataFrame, diagnoses: pd.DataFrame, knowledge: Knowledge) -> pd.DataFrame:
    """Every finding of every rule, the most severe first within an order."""
    same = same_substance_pairs(orders)
    found = [
        dose_above_maximum(orders, knowledge.maximum_daily_dose),
        dose_sum_above_maximum(orders, same, knowledge.maximum_daily_dose),
        renal(orders, knowledge.renal_limits),
        laboratory(orders, knowledge.lab_limits),
        age(orders, knowledge.age_limits),
        contraindication(orders, diagnoses, knowledge.contraindications),
        duplicate(orders, same, knowledge.duplicate_classes),
        interaction(orders, knowledge.interactions),
    ]
    findings = pd.concat([rows for rows in found if len(rows)] or [_none()], ignore_index=True)
    rank = findings["severity"].map(SEVERITY_RANK)
    order = findings.assign(rank=-rank.astype(float)).sort_values([KEY, "rank", "rule", "line", "other_id"])
    return order[COLUMNS].reset_index(drop=True)


def with_lines(orders: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Orders joined to the knowledge lines of their substance."""
    return orders.merge(lines_by_code(orders["atc"], table), left_on="atc", right_on="code", suffixes=("", "_line"))


def of_that_age(rows: pd.DataFrame) -> pd.Series:
    """Whether the patient's age lies within the line's; a missing age lies nowhere."""
    return (rows["age"] >= rows["age_from"].fillna(0)) & (rows["age"] < rows["age_below"].fillna(np.inf))


def maximum_ratio(orders: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Daily dose over the maximum of the line that applies (route, age, unit); one row per order that has one."""
    rows = with_lines(orders, table)
    applies = of_that_age(rows) & ((rows["route_line"] == "any") | (rows["route_line"] == rows["route"]))
    rows = rows[applies & (rows["unit"] == rows["unit_line"])]
    rows = rows.assign(ratio=rows["daily"] / rows["max_daily"])
    return rows.sort_values([KEY, "max_daily"]).drop_duplicates(KEY)


def dose_above_maximum(orders: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The daily dose of the line is above the maximum of the product information."""
    rows = maximum_ratio(orders, table)
    rows = rows[rows["ratio"] > ROUNDING]
    return _findings(rows, "dose", severity=_by_excess(rows["ratio"]), value=rows["daily"], limit=rows["max_daily"])


def dose_sum_above_maximum(orders: pd.DataFrame, pairs: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Several active lines of one substance are together above a maximum that this line alone respects."""
    alike = pairs[(pairs["unit"] == pairs["unit_other"]) & (pairs["route"] == pairs["route_other"])]
    others = alike.groupby(KEY)["daily_other"].sum()
    first = alike.sort_values([KEY, f"{KEY}_other"]).drop_duplicates(KEY).set_index(KEY)[f"{KEY}_other"]
    rows = maximum_ratio(orders, table)
    rows = rows[rows[KEY].isin(others.index) & ~(rows["ratio"] > ROUNDING)]
    total = rows["daily"] + rows[KEY].map(others)
    ratio = total / rows["max_daily"]
    rows, total, ratio = rows[ratio > ROUNDING], total[ratio > ROUNDING], ratio[ratio > ROUNDING]
    return _findings(
        rows,
        "dose_sum",
        severity=_by_excess(ratio),
        value=total,
        limit=rows["max_daily"],
        other_table="drug_exposure",
        other_id=rows[KEY].map(first),
    )


def renal(orders: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Contra-indicated, too high or too often at this kidney function."""
    rows = with_lines(orders, table)
    rows = rows[(rows["clearance"] >= rows["clearance_from"]) & (rows["clearance"] < rows["clearance_below"])]
    too_much = (rows["unit"] == rows["unit_line"]) & (rows["daily"] > rows["max_daily"] * ROUNDING)
    too_often = rows["per_day"] > rows["max_per_day"] * ROUNDING
    rows = rows[(rows["action"] == "contraindicated") | too_much | too_often]
    return _findings(
        rows,
        "renal",
        severity=rows["severity"],
        value=rows["clearance"],
        limit=rows["clearance_below"],
        other_table="measurement",
        other_id=rows["creatinine_id"],
    )


def laboratory(orders: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """A recent potassium or INR on the wrong side of a limit."""
    rows = with_lines(orders, table)
    parts = []
    for analyte, some in rows.groupby("analyte"):
        value = some[str(analyte)]
        wrong = np.where(some["side"] == "above", value > some["limit"], value < some["limit"])
        met = some[wrong]
        parts.append(
            _findings(
                met,
                "lab",
                severity=met["severity"],
                value=met[str(analyte)],
                limit=met["limit"],
                other_table="measurement",
                other_id=met[f"{analyte}_id"],
            )
        )
    return pd.concat(parts, ignore_index=True) if parts else _none()


def age(orders: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The patient's age is one at which the substance is contra-indicated or potentially inappropriate."""
    rows = with_lines(orders, table)
    rows = rows[of_that_age(rows)]
    limit = rows["age_below"].where(rows["age_from"].fillna(0) == 0, rows["age_from"])
    return _findings(rows, "age", severity=rows["severity"], value=rows["age"], limit=limit)


def contraindication(orders: pd.DataFrame, diagnoses: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """A diagnosis already coded when the order was written (an earlier stay) speaks against the substance.

    ICD-10 only: the tables hold no code that an ICD-9 code could begin with.
    """
    code = diagnoses["source_code"].fillna("").str.upper().str.replace(r"[^A-Z0-9]", "", regex=True)
    coded = diagnoses.assign(code=code).merge(lines_by_code(code, table, "icd10")[["code", "line"]], on="code")
    rows = with_lines(orders, table)
    pairs = rows.merge(
        coded[["person_id", "line", "condition_occurrence_id", "available_at", "concept_name"]],
        on=["person_id", "line"],
    )
    pairs = pairs[pairs["available_at"] <= pairs["index_time"]]
    pairs = pairs.sort_values([KEY, "line", "available_at", "condition_occurrence_id"])
    pairs = pairs.drop_duplicates([KEY, "line"], keep="last")
    return _findings(
        pairs,
        "contraindication",
        severity=pairs["severity"],
        other_table="condition_occurrence",
        other_id=pairs["condition_occurrence_id"],
        detail=pairs["condition"],
    )


def same_substance_pairs(orders: pd.DataFrame) -> pd.DataFrame:
    """Orders with the other active orders of the same seven-character ATC code."""
    coded = orders[orders["atc"].str.len() == 7]
    several = coded[coded.duplicated(["person_id", "atc"], keep=False)]
    columns = [KEY, "person_id", "atc", "index_time", "end_time", "unit", "route", "daily", "drug_name"]
    return active_pairs(several[columns], several[columns], ["person_id", "atc"])


def duplicate(orders: pd.DataFrame, same: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The same substance, or another of the same class, is already active."""
    ignored = lines_by_code(orders["atc"], table[table["kind"] == "ignore"])["code"].unique()
    classes = table[table["kind"] == "class"]
    substance = same[~same["atc"].isin(ignored)].sort_values([KEY, f"{KEY}_other"]).drop_duplicates(KEY)
    members = with_lines(orders[~orders["atc"].isin(ignored)], classes)
    members = members[members.duplicated(["person_id", "class"], keep=False)]
    pairs = active_pairs(members, members, ["person_id", "class"])
    pairs = pairs[pairs["atc"] != pairs["atc_other"]].sort_values([KEY, "line", f"{KEY}_other"])
    pairs = pairs.drop_duplicates([KEY, "line"])
    return pd.concat(
        [
            _findings(
                substance.assign(line="SUBSTANCE"),
                "duplicate",
                severity="moderate",
                other_table="drug_exposure",
                other_id=substance[f"{KEY}_other"],
                detail=substance["drug_name_other"],
            ),
            _findings(
                pairs,
                "duplicate",
                severity=pairs["severity"],
                other_table="drug_exposure",
                other_id=pairs[f"{KEY}_other"],
                detail=pairs["drug_name_other"],
            ),
        ],
        ignore_index=True,
    )


def interaction(orders: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """An active order interacts with this one, at the level of the ANSM thesaurus."""
    sides = [lines_by_code(orders["atc"], table, column)[["code", "line", "severity"]] for column in ("atc_a", "atc_b")]
    a, b = (orders.merge(side, left_on="atc", right_on="code") for side in sides)
    on = ["person_id", "line"]
    columns = [KEY, *on, "index_time", "end_time", "severity", "drug_name"]
    here = a.merge(b[on].drop_duplicates(), on=on)[columns]
    there = b.merge(a[on].drop_duplicates(), on=on)[columns]
    pairs = pd.concat([active_pairs(here, there, on), active_pairs(there, here, on)], ignore_index=True)
    pairs = pairs.sort_values([KEY, "line", f"{KEY}_other"]).drop_duplicates([KEY, "line"])
    return _findings(
        pairs,
        "interaction",
        severity=pairs["severity"],
        other_table="drug_exposure",
        other_id=pairs[f"{KEY}_other"],
        detail=pairs["drug_name_other"],
    )


def _by_excess(ratio: pd.Series) -> pd.Series:
    """Up to a quarter above the maximum is often meant; twice is rarely so."""
    words = np.select([ratio >= 2 / ROUNDING, ratio > 1.25 * ROUNDING], ["high", "moderate"], "low")
    return pd.Series(words, index=ratio.index)


def _findings(rows: pd.DataFrame, rule: str, **columns: Any) -> pd.DataFrame:
    given: dict[str, Any] = {
        "value": np.nan,
        "limit": np.nan,
        "other_table": "",
        "other_id": NO_ROW,
        "detail": "",
        **columns,
    }
    found = pd.DataFrame({KEY: rows[KEY], "line": rows["line"]}).assign(rule=rule, **given)
    return found[COLUMNS].astype({KEY: "int64", "other_id": "int64", "value": float, "limit": float})


def _none() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=object) for name in COLUMNS}).astype({KEY: "int64", "other_id": "int64"})
