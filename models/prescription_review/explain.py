"""Why an order is pointed at: the category, the sentence and the rows, from the findings or from the features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.contract import Contribution, Evidence, Severity
from models.prescription_review import wording
from models.prescription_review.features import CATEGORICAL, FEATURES
from models.prescription_review.knowledge import Knowledge
from models.prescription_review.rules import CATEGORIES, SEVERITY_RANK

TOP = 6
LAB_OF = {
    "clearance": "creatinine",
    "creatinine": "creatinine",
    "creatinine_change": "creatinine",
    "potassium": "potassium",
    "INR": "INR",
}
HIGHER, LOWER = 1.25, 0.8  # between the two, a dose is not called high or low


@dataclass(frozen=True)
class Explanation:
    """The words and rows of one prediction."""

    category: str
    severity: Severity | None
    message: str
    contributions: tuple[Contribution, ...]
    evidence: tuple[Evidence, ...]


def explain(
    order: pd.Series,
    findings: pd.DataFrame,
    doses: pd.Series,
    shares: NDArray[np.float64],
    knowledge: Knowledge,
    timezone: str,
) -> Explanation:
    """Explain one order.

    Args:
        order: a row of the cases; ``findings``: its findings, the most severe first (may be empty).
        doses: its comparison with the usual doses.
        shares: contributions of each of ``FEATURES`` to the raw log-odds, shape (features,).
    """
    named = dict(zip(FEATURES, shares.tolist(), strict=True))
    contributions = _contributions(order, doses, named)
    evidence = [Evidence("drug_exposure", int(order["drug_exposure_id"]), f"{order['drug_name']}{_dose(order)}")]
    if len(findings):
        main = _dominating(findings, named)
        evidence += _finding_evidence(order, findings, main, timezone)
        category, severity, message = CATEGORIES[main["rule"]], main["severity"], _sentence(order, main, knowledge)
    else:
        category, message = _statistical(order, doses, named)
        severity = None  # a number alone does not say how grave a problem is
    used = {LAB_OF[c.feature] for c in contributions if c.feature in LAB_OF} | (
        {"creatinine"} & _lab_category(category)
    )
    evidence += [row for analyte in sorted(used) for row in _lab_evidence(order, analyte, timezone)]
    return Explanation(category, severity, message, contributions, tuple(dict.fromkeys(evidence)))


def _dominating(findings: pd.DataFrame, named: dict[str, float]) -> pd.Series:
    """The most severe finding; among equals, the one whose rule moved the score most."""
    rank = findings["severity"].map(SEVERITY_RANK)
    worst = findings[rank == rank.max()]
    moved = worst["rule"].map(lambda rule: named[f"rule_{rule}"])
    chosen: pd.Series = worst.iloc[int(np.argmax(moved.to_numpy()))]
    return chosen


def _contributions(order: pd.Series, doses: pd.Series, named: dict[str, float]) -> tuple[Contribution, ...]:
    strongest = sorted(named, key=lambda name: (-abs(named[name]), name))[:TOP]
    return tuple(
        Contribution(name, wording.LABELS[name], _value(name, order, doses), round(named[name], 6))
        for name in strongest
        if named[name] != 0
    )


def _value(name: str, order: pd.Series, doses: pd.Series) -> float | str | None:
    value: Any = doses[name] if name in doses.index else order[name]
    if name in CATEGORICAL:
        return str(value) or None
    return None if pd.isna(value) else float(value)


def _statistical(order: pd.Series, doses: pd.Series, named: dict[str, float]) -> tuple[str, str]:
    weight = {category: max(named[name] for name in names) for category, names in wording.STATISTICAL.items()}
    category = max(weight, key=lambda name: weight[name])
    ratio = float(np.exp(doses["daily_log_ratio"]))
    if np.isnan(ratio):
        ratio = float(np.exp(doses["dose_log_ratio"]))
    if category == "DOSE" and ratio >= HIGHER:
        category = "DOSEH"
    elif category == "DOSE" and ratio <= LOWER:
        category = "DOSEL"
    return category, wording.STATISTICAL_MESSAGES[category].format(
        drug=order["drug_name"], times=number(ratio), per_day=number(order["per_day"]), age=_years(order["age"])
    )


def _sentence(order: pd.Series, finding: pd.Series, knowledge: Knowledge) -> str:
    rule = finding["rule"]
    if finding["line"] == "SUBSTANCE":
        return wording.MESSAGES["duplicate_substance"].format(drug=order["drug_name"], other=finding["detail"])
    line = knowledge.line(finding["line"])
    words = {**line.to_dict(), "drug": order["drug_name"], "other": finding["detail"], "unit": line.get("unit", "")}
    words |= {"value": number(finding["value"]), "limit": number(finding["limit"])}
    if rule == "renal":
        rule += "_" + line["action"]
        words |= {"value": f"{finding['value']:.0f}", "method": order["clearance_method"], "most": _most(line)}
    elif rule == "lab":
        rule += "_" + line["side"]
        words |= {"analyte": wording.ANALYTES[line["analyte"]], "unit": wording.UNITS[line["analyte"]]}
    elif rule == "duplicate":
        rule += "_class"
    elif rule == "age":
        words["value"] = _years(finding["value"])
    return " ".join(wording.MESSAGES[rule].format(**words).split())


def _most(line: pd.Series) -> str:
    if pd.notna(line["max_daily"]):
        return f"{number(line['max_daily'])} {line['unit']}/j au plus"
    return f"{number(line['max_per_day'])} prise par jour au plus"


def _finding_evidence(order: pd.Series, findings: pd.DataFrame, main: pd.Series, timezone: str) -> list[Evidence]:
    """Rows of the main finding first, then of the others."""
    rest = findings.drop(index=main.name)
    rows = []
    for finding in [main, *(row for _, row in rest.iterrows())]:
        if finding["other_table"] == "measurement":
            rows += [
                row for name in wording.ANALYTES for row in _lab_evidence(order, name, timezone, finding["other_id"])
            ]
        elif finding["other_table"]:
            rows.append(Evidence(finding["other_table"], int(finding["other_id"]), str(finding["detail"] or "")))
    return rows


def _lab_evidence(order: pd.Series, analyte: str, timezone: str, only: int | None = None) -> list[Evidence]:
    row = int(order[f"{analyte}_id"])
    if row < 0 or (only is not None and row != only):
        return []
    day = order[f"{analyte}_at"].tz_localize("UTC").tz_convert(timezone).strftime("%d/%m/%Y")
    unit = wording.UNITS[analyte]
    text = f"{wording.ANALYTES[analyte]} {number(order[analyte])} {unit}".rstrip()
    return [Evidence("measurement", row, f"{text} du {day}")]


def _lab_category(category: str) -> set[str]:
    return {"creatinine"} if category == "LAB" else set()


def _dose(order: pd.Series) -> str:
    if pd.isna(order["dose"]):
        return ""
    text = f", {number(order['dose'])} {order['unit']}"
    return text if pd.isna(order["per_day"]) else f"{text} x {number(order['per_day'])}/j"


def _years(age: float) -> str:
    return "?" if pd.isna(age) else str(int(age))


def number(value: float) -> str:
    """A number as it is written in French: decimal comma, no useless digit."""
    return "?" if pd.isna(value) else f"{value:.4g}".replace(".", ",")
