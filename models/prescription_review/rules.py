"""The rules of prescription review: pure functions from orders and knowledge tables to findings.

A finding is one row: which order, which rule, which knowledge line, how severe, the value that met the limit, and
the other row that it rests on. Whether a finding deserves an alert is the model's question, not the rules'.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from models.prescription_review.administration_rules import rhythm, route
from models.prescription_review.columns import Columns, stacked, take
from models.prescription_review.criteria_rules import stopp, untreated
from models.prescription_review.dose_rules import dose_above_maximum, dose_sum_above_maximum, underdose
from models.prescription_review.findings import (
    COLUMNS,
    ENDED,
    NO_ROW,
    NONE,
    SEVERITY_RANK,
    findings,
    first_each,
    gravest_first,
    named,
)
from models.prescription_review.laboratory_rules import adverse, laboratory, monitoring, renal
from models.prescription_review.lookup import Lookup, beside
from models.prescription_review.orders import KEY, active_pairs, ended_pairs
from models.prescription_review.patient_rules import age, allergy, contraindication, pregnancy

__all__ = ["ACT_IP", "CATEGORIES", "COLUMNS", "NO_ROW", "SEVERITY_RANK", "Lookup", "act_ip", "find_all"]

# Rule -> category of the finding (HL7 v3-ActCode, value set detectedissue-category). ADALRT and GEALRT: outside the
# standard practice for an adult, for an older person. OBSA: a characteristic of the patient, here a result not there.
CATEGORIES = {
    "dose": "DOSEH",
    "dose_sum": "DOSEH",
    "underdose": "DOSEL",
    "renal": "LAB",
    "lab": "LAB",
    "adverse": "LAB",
    "monitoring": "OBSA",
    "duplicate": "DUPTHPY",
    "contraindication": "COND",
    "allergy": "ALGY",
    "pregnancy": "PREG",
    "age": "AGE",
    "stopp": "GEALRT",
    "untreated": "ADALRT",
    "route": "DOSE",
    "rhythm": "DOSEIVL",
    "interaction": "DRG",
}
# Rule, or rule and a word of its line -> problem and intervention of the Act-IP grid (SFPC).
ACT_IP = {
    "dose": (4, "dose"),
    "dose_sum": (4, "dose"),
    "underdose": (3, "dose"),
    "renal_contraindicated": (1, "switch"),
    "renal_reduce": (4, "dose"),
    "lab": (1, "stop"),
    "adverse": (7, "stop"),
    "monitoring": (10, "monitoring"),
    "duplicate": (5, "stop"),
    "contraindication": (1, "switch"),
    "allergy": (1, "switch"),
    "pregnancy": (1, "switch"),
    "age": (1, "switch"),
    "stopp": (1, "stop"),
    "stopp_4": (4, "dose"),
    "stopp_5": (5, "stop"),
    "untreated": (2, "add"),
    "route": (8, "route"),
    "route_crush": (8, "modality"),
    "rhythm": (8, "modality"),
    "interaction": (6, "switch"),
    "interaction_watch": (6, "monitoring"),
}


def act_ip(rule: str, line: Mapping[str, Any]) -> tuple[int, str]:
    """Problem (1 to 10) and intervention of a finding.

    Args:
        line: the knowledge row behind it; where it says more than the rule, that counts.
    """
    for column in ("action", "kind", "problem"):
        found = ACT_IP.get(f"{rule}_{line.get(column)}")
        if found:
            return found
    return ACT_IP[rule]


def find_all(lookup: Lookup) -> Columns:
    """Every finding of every rule (``COLUMNS``), the most severe first within an order."""
    parts = [part for rule in _RULES for part in rule(lookup)]
    found = stacked([part for part in parts if len(part[KEY])] or [NONE])
    rank = np.array([SEVERITY_RANK[severity] for severity in found["severity"]], dtype=np.int64)
    alphabet = [np.unique(found[name].astype(str), return_inverse=True)[1] for name in ("line", "rule")]
    order = np.lexsort((found["other_id"], *alphabet, -rank, found[KEY]))
    return take(found, order)


def duplicate(lookup: Lookup) -> Iterator[Columns]:
    """The same substance, or another of the same class, is already active; or one of that class ran beside it."""
    orders, table = lookup.orders, lookup.knowledge.by_code["duplicate_classes"]
    row, line = table.of(lookup.all_drugs)
    kind = table.columns["kind"][line]
    ignored = np.isin(np.arange(len(orders[KEY])), row[kind == "ignore"])

    here, there = lookup.same_substance
    same = {"at": here, "other": orders[KEY][there], "detail": orders["drug_name"][there]}
    rows = first_each(take(same, ~ignored[there]), "at", by="other")
    rows["line"] = np.full(len(rows["at"]), "SUBSTANCE", dtype=object)
    yield findings(
        lookup.facts, rows, "duplicate", severity="moderate", other_table="drug_exposure", other_id=rows["other"],
        detail=rows["detail"],
    )  # fmt: skip

    member = kind == "class"
    row, line = row[member], line[member]
    _, of_class = np.unique(table.columns["class"], return_inverse=True)
    now, then = (_others(beside(lookup, (row, line), (row, line), of_class, which), lookup)
                 for which in (active_pairs, ended_pairs))  # fmt: skip
    yield _with_order(lookup, "duplicate", now, table.columns)
    still, over = (rows["at"] * len(of_class) + rows["line_at"] for rows in (now, then))
    yield _with_order(lookup, "duplicate", take(then, ~np.isin(over, still)), table.columns, severity="low", note=ENDED)


def interaction(lookup: Lookup) -> Iterator[Columns]:
    """An order that is active, or ran beside this one, interacts with it, at the level of the ANSM thesaurus here.

    ``note`` says whether its condition is met and by which rule it does not interrupt (``Interactions.note_words``).
    """
    person, ill = lookup.people
    rows = lookup.knowledge.interactions.findings(
        lookup.orders, lookup.asked, person, lookup.facts, lookup.diagnoses, ill
    )
    yield findings(
        lookup.facts, rows, "interaction", severity=rows["severity"], other_table="drug_exposure", note=rows["note"],
        other_id=lookup.orders[KEY][rows["there"]], detail=lookup.orders["drug_name"][rows["there"]],
    )  # fmt: skip


def _others(rows: Columns, lookup: Lookup) -> Columns:
    """Those with another substance."""
    atc = lookup.orders["atc"]
    return take(rows, atc[lookup.asked[rows["at"]]] != atc[rows["there"]])


def _with_order(lookup: Lookup, rule: str, rows: Columns, lines: Columns, **said: str) -> Columns:
    """One finding an order and line: with the first of the other orders. Of two lines for one pair the graver speaks.

    Args:
        said: a severity or a note, else those of the line.
    """
    rows = first_each(rows | {"rank": gravest_first(lines, rows["line_at"])}, "at", "other", by="rank")
    rows = first_each(rows, "at", "line_at", by="other")
    line = take(lines, rows["line_at"])
    columns = {"severity": line["severity"], "other_id": rows["other"], **said}
    return findings(
        lookup.facts, rows | named(line, "line"), rule, other_table="drug_exposure",
        detail=lookup.orders["drug_name"][rows["there"]], **columns,
    )  # fmt: skip


_RULES = (
    dose_above_maximum,
    dose_sum_above_maximum,
    underdose,
    renal,
    laboratory,
    adverse,
    monitoring,
    age,
    contraindication,
    allergy,
    pregnancy,
    stopp,
    untreated,
    route,
    rhythm,
    duplicate,
    interaction,
)
