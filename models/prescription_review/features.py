"""From views to one row of numbers per order, with nothing in it that was not known when the order is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.prescription_review import rules, situations
from models.prescription_review.associations import RARE
from models.prescription_review.columns import Columns, Rows, codes, found_at, take
from models.prescription_review.config import Config
from models.prescription_review.dose_reference import COMPARED
from models.prescription_review.gifts import given
from models.prescription_review.illnesses import ILLNESSES, illnesses
from models.prescription_review.knowledge import Knowledge
from models.prescription_review.known import Known, known
from models.prescription_review.labels import NEVER, reviewed_at
from models.prescription_review.objections import OBJECTED
from models.prescription_review.orders import KEY, count_active, judged_at
from models.prescription_review.patient_facts import add_patient_facts

CATEGORICAL = ("atc2", "atc4", "route")
RULE_FEATURES = tuple(f"rule_{rule}" for rule in rules.CATEGORIES)
CLASS = len("A00AA")  # level 4 of the ATC
CLEARANCES = (20, 30, 45, 60)  # mL/min; from the last on no dose is reduced
GRAVE = 2  # rank from which a finding would interrupt
MONOTONE = (
    "max_ratio",
    "rules_total",
    "rules_grave",
    "interaction_level",
    *RULE_FEATURES,
)  # more alarm never lowers the risk
ANALYTES = ("sodium", "glucose", "haemoglobin", "platelets", "ALT")
NUMERIC = (
    "age",
    "female",
    "clearance",
    "filtration",
    "filtration_lowest",
    "kidney_margin",
    "creatinine",
    "creatinine_age_h",
    "creatinine_change",
    "potassium",
    "potassium_highest",
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
    "treated_hours",
    "given_doses",
    "given_share",
    "after_other",
    "allergies",
    "pregnant",
    "stopp_criteria",
    *ANALYTES,
    *ILLNESSES,
    *COMPARED,
    *RARE,
    *OBJECTED,
)
FEATURES = (*CATEGORICAL, *NUMERIC, *MONOTONE)
Categories = dict[str, list[str]]


@dataclass(frozen=True)
class Cases:
    """Orders with what was known of the patient, the rules' findings on them, and what they stand beside."""

    rows: Columns
    found: Columns
    beside: Columns  # ``situations``

    @cached_property
    def orders(self) -> pd.DataFrame:
        """One row an order."""
        return pd.DataFrame(self.rows)

    @cached_property
    def findings(self) -> pd.DataFrame:
        """One row a finding: ``rules.COLUMNS``."""
        return pd.DataFrame(self.found)

    def only(self, orders: NDArray[np.bool_]) -> Cases:
        """Some of the orders; findings about the others do no harm."""
        return Cases(take(self.rows, orders), self.found, situations.only(self.beside, orders))


def build_cases(
    views: Mapping[str, pd.DataFrame], config: Config, knowledge: Knowledge, *, as_of: datetime | None = None
) -> Cases:
    """Everything about each order of some views that does not depend on a training part.

    Args:
        views: with ``order_reviews`` each order is judged when it was reviewed, as the pharmacist did.
        as_of: nothing later is known.
    """
    of_all = known(views, config)
    orders = of_all.tables["orders"]
    reviewed = reviewed_at(views["order_reviews"], orders[KEY]) if "order_reviews" in views else np.asarray(NEVER)
    orders["index_time"] = judged_at(orders, config.judged_within_hours, reviewed_at=reviewed, as_of=as_of)
    return cases_of(of_all, np.arange(len(of_all.tables["orders"][KEY])), config, knowledge)


def cases_of(known: Known, asked: Rows, config: Config, knowledge: Knowledge) -> Cases:
    """The same about some of the orders that are known, each beside all the others.

    Args:
        asked: positions of orders.
    """
    orders = dict(known.tables["orders"])
    named = zip(orders["atc"], orders["drug_name"], strict=True)
    orders["drug_name"] = np.array([knowledge.names.get(atc, name) for atc, name in named], dtype=object)
    facts = add_patient_facts(take(orders, asked), known, config)
    lookup = rules.Lookup(
        orders, asked, facts, known.tables["diagnoses"], knowledge, known.tables["observations"], known.feeds
    )
    found = rules.find_all(lookup)
    person, ill = lookup.people
    facts |= _when(facts["written_at"], config.timezone) | _beside(lookup)
    facts |= illnesses(facts, lookup.diagnoses, person[asked], ill)
    facts |= {
        "atc2": np.array([code[:3] for code in facts["atc"]], dtype=object),
        "atc4": np.array([code[:CLASS] for code in facts["atc"]], dtype=object),
        "dose_missing": np.isnan(facts["daily"]).astype(float),
        "creatinine_change": np.log(facts["creatinine"] / facts["creatinine_previous"]),
        "treated_hours": lookup.treated_hours,
        "kidney_margin": facts["filtration_lowest"] / lookup.kidneys_matter_below,
        **given(facts, known.tables["gifts"]),
        **_with_such_kidneys(facts),
    }
    facts |= _rule_features(facts[KEY], found) | {"after_other": _after_other(lookup, found)}
    facts["interaction_level"] = _interaction_level(facts[KEY], found, knowledge)
    return Cases(facts, found, situations.situations(lookup, facts, found))


def _with_such_kidneys(facts: Columns) -> Columns:
    """The dose of a day where the kidneys fail, and how much they do, by each way to tell it."""
    found = {}
    for told_by, edges in (("clearance", CLEARANCES), ("filtration", situations.FILTRATIONS)):
        value = facts[told_by]
        found[f"{told_by}_band"] = np.digitize(value, edges).astype(str).astype(object)
        found[f"daily_by_{told_by}"] = np.where(value < edges[-1], facts["daily"], np.nan)
    return found


def _when(written_at: NDArray[Any], timezone: str) -> Columns:
    local = pd.DatetimeIndex(written_at, tz="UTC").tz_convert(timezone)
    return {"hour": np.asarray(local.hour, float), "weekend": np.asarray(local.dayofweek >= 5, float)}


def _beside(lookup: rules.Lookup) -> Columns:
    """What the other orders of the patient say about each order asked about."""
    orders, asked, (person, _) = lookup.orders, lookup.asked, lookup.people
    ratio = np.full(len(asked), np.nan)
    ratio[lookup.maximum["at"]] = lookup.maximum["ratio"]
    return {
        "max_ratio": ratio,
        "change_from_previous": _change_from_previous(orders, codes(person, orders["drug"], orders["unit"]))[asked],
        "active_orders": count_active(orders, person, asked).astype(float),
        "active_same_substance": count_active(orders, codes(person, orders["drug"]), asked).astype(float),
        "active_same_class": _same_class(orders, person, asked),
    }


def _change_from_previous(orders: Columns, drug: Rows) -> NDArray[np.float64]:
    """Log of the daily dose over that of the patient's previous order of the same drug in the same unit."""
    order = np.argsort(drug, kind="stable")  # orders are by time
    daily, first = orders["daily"][order], np.r_[True, drug[order][1:] != drug[order][:-1]][: len(order)]
    change = np.full(len(order), np.nan)
    change[order] = np.where(first, np.nan, np.log(daily / np.roll(daily, 1)))
    return change


def _same_class(orders: Columns, person: Rows, asked: Rows) -> NDArray[np.float64]:
    coded = np.array([len(code) >= CLASS for code in orders["atc"]], dtype=bool)
    group = codes(person, np.array([code[:CLASS] for code in orders["atc"]], dtype=object))
    return np.where(coded[asked], count_active(orders, group, asked), np.nan)


def _after_other(lookup: rules.Lookup, found: Columns) -> NDArray[np.float64]:
    """1 where an order was written after the other one of its gravest finding, 0 where before; NaN where none."""
    at, other = lookup.places(found)
    of_two = np.flatnonzero(other != rules.NO_ROW)
    here, first = np.unique(at[of_two], return_index=True)  # findings stand by order, the gravest first
    written, after = lookup.orders["written_at"], np.full(len(lookup.asked), np.nan)
    after[here] = written[lookup.asked[here]] >= written[other[of_two[first]]]
    return after


def _interaction_level(order_id: NDArray[np.int64], found: Columns, knowledge: Knowledge) -> NDArray[np.float64]:
    """The highest level of an interaction that nothing keeps from interrupting; 0 without one."""
    rows = take(found, (found["rule"] == "interaction") & (found["severity"] != "low"))
    line, number = np.unique(rows["line"].astype(str), return_inverse=True)
    level = np.array([knowledge.interactions.level(one) for one in line.tolist()], dtype=float)
    highest = np.zeros(len(order_id))
    by_id = np.argsort(order_id, kind="stable")
    at, there = found_at(order_id[by_id], rows[KEY])
    np.maximum.at(highest, by_id[at[there]], level[number][there] if len(level) else np.empty(0))
    return highest


def _rule_features(order_id: NDArray[np.int64], found: Columns) -> Columns:
    """Per rule the rank of its most severe finding (0 none … 3 high), and the number of findings of all rules."""
    by_id = np.argsort(order_id)
    number = by_id[np.searchsorted(order_id[by_id], found[KEY])] if len(by_id) else np.empty(0, np.int64)
    rank = np.array([rules.SEVERITY_RANK[severity] for severity in found["severity"]], dtype=float)
    columns: Columns = {}
    for rule, name in zip(rules.CATEGORIES, RULE_FEATURES, strict=True):
        columns[name] = np.zeros(len(order_id))
        of_rule = found["rule"] == rule
        np.maximum.at(columns[name], number[of_rule], rank[of_rule])
    columns["stopp_criteria"] = np.bincount(number[found["rule"] == "stopp"], minlength=len(order_id)).astype(float)
    columns["rules_total"] = np.bincount(number, minlength=len(order_id)).astype(float)
    columns["rules_grave"] = np.bincount(number[rank >= GRAVE], minlength=len(order_id)).astype(float)
    return columns


def learn_categories(orders: pd.DataFrame, at_least: int = 20) -> Categories:
    """The values of each categorical feature that are frequent enough to learn from; others become missing."""
    counts = {name: orders[name].value_counts() for name in CATEGORICAL}
    return {name: sorted(str(value) for value in count[count >= at_least].index) for name, count in counts.items()}


def feature_matrix(orders: Columns, learned: Columns, categories: Categories) -> NDArray[np.float64]:
    """Shape (orders, ``FEATURES``). Categories are their position in ``categories``; NaN means missing.

    Args:
        learned: the comparison of the same orders with what others teach (``learned``).
    """
    columns: dict[str, Any] = {name: orders[name] for name in (*NUMERIC, *MONOTONE) if name in orders}
    columns |= {name: learned[name] for name in learned if name in NUMERIC}
    for name in CATEGORICAL:
        place = {value: float(position) for position, value in enumerate(categories[name])}
        columns[name] = [place.get(str(value), np.nan) for value in orders[name]]
    return np.column_stack([np.asarray(columns[name], dtype=np.float64) for name in FEATURES])
