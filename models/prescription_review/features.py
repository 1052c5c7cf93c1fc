"""From views to one row of numbers per order, with nothing in it that was not known at the order's index time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.prescription_review import rules
from models.prescription_review.config import Config
from models.prescription_review.dose_reference import MEASURES, NAMES
from models.prescription_review.knowledge import Knowledge
from models.prescription_review.orders import KEY, count_active, prepare_orders
from models.prescription_review.patient_facts import add_patient_facts, with_weights

CATEGORICAL = ("atc2", "route", "stay_kind")
RULE_FEATURES = tuple(f"rule_{rule}" for rule in rules.CATEGORIES)
MONOTONE = ("max_ratio", "rules_total", *RULE_FEATURES)  # more alarm never lowers the risk
NUMERIC = (
    "age",
    "female",
    "clearance",
    "creatinine",
    "creatinine_age_h",
    "creatinine_change",
    "potassium",
    "potassium_age_h",
    "INR",
    "INR_age_h",
    "hours_since_admission",
    "hour",
    "weekend",
    "per_day",
    "dose_missing",
    "active_orders",
    "active_same_substance",
    "active_same_class",
    "change_from_previous",
    *(f"{measure}_{name}" for measure in MEASURES for name in NAMES),
)
FEATURES = (*CATEGORICAL, *NUMERIC, *MONOTONE)
Categories = dict[str, list[str]]


@dataclass(frozen=True)
class Cases:
    """Orders with what was known of the patient, and the rules' findings on them."""

    orders: pd.DataFrame
    findings: pd.DataFrame
    diagnoses: pd.DataFrame


def build_cases(views: Mapping[str, pd.DataFrame], config: Config, knowledge: Knowledge) -> Cases:
    """Everything about each order that does not depend on a training part."""
    results = with_weights(views["lab_results"], views["observations"])
    orders = add_patient_facts(
        prepare_orders(views["drug_orders"]), views["persons"], views["stays"], results, config.analytes
    )
    orders = orders.assign(drug_name=orders["atc"].map(knowledge.names).fillna(orders["drug_name"]))
    diagnoses = views["diagnoses"].dropna(subset=["available_at"])
    findings = rules.find_all(orders, diagnoses, knowledge)
    ratio = rules.maximum_ratio(orders, knowledge.maximum_daily_dose).set_index(KEY)["ratio"]
    local = orders["index_time"].dt.tz_localize("UTC").dt.tz_convert(config.timezone)
    orders = orders.assign(
        max_ratio=orders[KEY].map(ratio).astype(float),
        hour=local.dt.hour.astype(float),
        weekend=(local.dt.dayofweek >= 5).astype(float),
        atc2=orders["atc"].str[:3],
        dose_missing=orders["daily"].isna().astype(float),
        creatinine_change=np.log(orders["creatinine"] / orders["creatinine_previous"]),
        change_from_previous=_change_from_previous(orders),
        active_orders=count_active(orders, ["person_id"]).astype(float),
        active_same_substance=count_active(orders, ["person_id", "drug"]).astype(float),
        active_same_class=_same_class(orders),
    )
    return Cases(orders.assign(**_rule_features(orders, findings)), findings, diagnoses)


def _change_from_previous(orders: pd.DataFrame) -> pd.Series:
    """Log of the daily dose over that of the patient's previous order of the same drug in the same unit."""
    previous = orders.groupby(["person_id", "drug", "unit"], sort=False)["daily"].shift()
    change: pd.Series = (orders["daily"] / previous).map(np.log)
    return change


def _same_class(orders: pd.DataFrame) -> pd.Series:
    coded = orders[orders["atc"].str.len() >= 5]
    count = count_active(coded.assign(atc4=coded["atc"].str[:5]), ["person_id", "atc4"])
    return count.reindex(orders.index).astype(float)


def _rule_features(orders: pd.DataFrame, findings: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Per rule the rank of its most severe finding (0 none … 3 high), and the number of findings of all rules."""
    rank = findings["severity"].map(rules.SEVERITY_RANK).astype(float)
    worst = rank.groupby([findings[KEY], findings["rule"]]).max()
    columns: dict[str, Any] = {}
    for rule, name in zip(rules.CATEGORIES, RULE_FEATURES, strict=True):
        of_rule = worst[worst.index.get_level_values(1) == rule].droplevel(1)
        columns[name] = orders[KEY].map(of_rule).fillna(0.0).to_numpy(float)
    columns["rules_total"] = orders[KEY].map(findings.groupby(KEY).size()).fillna(0).to_numpy(float)
    return columns


def learn_categories(orders: pd.DataFrame, at_least: int = 20) -> Categories:
    """The values of each categorical feature that are frequent enough to learn from; others become missing."""
    counts = {name: orders[name].value_counts() for name in CATEGORICAL}
    return {name: sorted(str(value) for value in count[count >= at_least].index) for name, count in counts.items()}


def feature_matrix(orders: pd.DataFrame, doses: pd.DataFrame, categories: Categories) -> NDArray[np.float64]:
    """Shape (orders, ``FEATURES``). Categories are their position in ``categories``; NaN means missing.

    Args:
        doses: the comparison of the same orders with a dose reference.
    """
    columns: dict[str, Any] = {name: orders[name] for name in (*NUMERIC, *MONOTONE) if name in orders}
    columns |= {name: doses[name] for name in doses if name in NUMERIC}
    for name in CATEGORICAL:
        position = pd.Index(categories[name]).get_indexer(pd.Index(orders[name].astype(str))).astype(float)
        columns[name] = np.where(position < 0, np.nan, position)
    return np.column_stack([np.asarray(columns[name], dtype=np.float64) for name in FEATURES])
