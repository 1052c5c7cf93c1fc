"""Why an order is pointed at: the category, the sentence and the rows, from the findings or from the features."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.contract import Contribution, Evidence, Severity
from models.prescription_review import diagnoses, wording
from models.prescription_review.config import load_config
from models.prescription_review.features import CATEGORICAL, FEATURES
from models.prescription_review.findings import ENDED, PAST
from models.prescription_review.knowledge import Knowledge
from models.prescription_review.reasons import number, remarkable, said
from models.prescription_review.rules import CATEGORIES, NO_ROW, SEVERITY_RANK, act_ip
from models.prescription_review.situations import ILLNESS
from models.prescription_review.themes import BACKGROUND, THEMES

Row = Mapping[str, Any]
TOP = 6
MUCH = 0.5  # of what the feature that says most of a theme says
READ = "texte"  # the limit was read in the text that is cited
LAB_OF = {
    "clearance": "creatinine",
    "filtration": "creatinine",
    "creatinine": "creatinine",
    "creatinine_change": "creatinine",
    "potassium": "potassium",
    "INR": "INR",
}
TREND_DAYS = load_config().trend_days
HIGHER, LOWER = 1.25, 0.8  # between the two, a dose is not called high or low


@dataclass(frozen=True)
class Explanation:
    """The words and rows of one prediction."""

    category: str
    severity: Severity | None
    finding: str  # the first sentence of the message: what is wrong with which drug
    message: str
    contributions: tuple[Contribution, ...]
    evidence: tuple[Evidence, ...]


def explain(
    order: Row,
    findings: Sequence[Row],
    shares: NDArray[np.float64],
    knowledge: Knowledge,
    timezone: str,
    problem: int | None = None,
    about: Mapping[str, str] | None = None,
) -> Explanation:
    """Explain one order.

    Args:
        order: a row of the cases with its comparison to the usual doses.
        findings: its findings, the most severe first (may be empty).
        shares: contributions of each of ``FEATURES`` to the raw log-odds, shape (features,); told by theme.
        problem: the likeliest class (Act-IP), for an order that no rule names.
        about: feature → the other drug or the disease that its value is about.
    """
    named = dict(zip(FEATURES, shares.tolist(), strict=True))
    others = {name: _called(name, what, knowledge) for name, what in (about or {}).items() if what}
    contributions = _contributions(order, named, others)
    seen = {name: share if share > 0 and remarkable(name, order) else 0.0 for name, share in named.items()}
    main = _dominating(findings, seen)
    severity: Severity | None = None  # a number alone does not say how grave a problem is
    if main is None:
        category, sentence = _statistical(order, seen, contributions, others)
        named_problem = {"problem": problem, "problem_name": wording.PROBLEMS.get(problem or 0, "")}
        more = "" if problem is None else wording.PROBABLE.format(**named_problem)
    else:
        category, severity = CATEGORIES[main["rule"]], main["severity"]
        sentence, more = _sentences(order, main, knowledge)
    evidence = [Evidence("drug_exposure", int(order["drug_exposure_id"]), f"{order['drug_name']}{_dose(order)}")]
    ordered = [finding for finding in [main] if finding] + [finding for finding in findings if finding is not main]
    evidence += [row for finding in ordered for row in _finding_evidence(order, finding, timezone)]
    used = {LAB_OF[c.feature] for c in contributions if c.feature in LAB_OF}
    used |= {"creatinine"} if category == "LAB" else set()
    evidence += [row for analyte in sorted(used) for row in _lab_evidence(order, analyte, timezone)]
    message = f"{sentence} {more}".strip()
    return Explanation(category, severity, sentence, message, contributions, tuple(dict.fromkeys(evidence)))


def _dominating(findings: Sequence[Row], seen: dict[str, float]) -> Row | None:
    """The finding that names the prediction: a grave one in any case, else what is to be seen and moved the score most.

    None where features that no rule speaks for moved it more: a dose ten times the usual one is not announced as
    a duplicate because a second line happens to be active.
    """
    if not findings:
        return None
    weight = {category: sum(seen[name] for name in names) for category, names in wording.SPEAKS_FOR.items()}

    def moved(finding: Row) -> float:
        # The number of rules speaks for whichever rule fired.
        return weight[_family(finding["rule"])] + seen["rules_total"]

    grave = [finding for finding in findings if SEVERITY_RANK[finding["severity"]] == SEVERITY_RANK["high"]]
    strongest = max(grave or findings, key=moved)  # the first of equals: findings are in a fixed order
    unruled = (sum(seen[name] for name in names) for names in wording.STATISTICAL.values())
    if not grave and moved(strongest) < max(unruled):
        return None
    return strongest


def _family(rule: str) -> str:
    category = CATEGORIES[rule]
    dose = "DOSE" if category.startswith("DOSE") and category != "DOSEIVL" else category
    return wording.FAMILIES.get(rule, dose)


def _called(name: str, what: str, knowledge: Knowledge) -> str:
    """A substance by its name, a disease by that of its category, which is told too."""
    if name.endswith(ILLNESS):
        return f"{diagnoses.NAMES[what]} ({what})" if what in diagnoses.NAMES else f"un diagnostic {what}"
    return knowledge.names.get(what, what)


def _contributions(order: Row, named: dict[str, float], others: Mapping[str, str]) -> tuple[Contribution, ...]:
    """Of each theme that is a reason the sum of its features, told by one that says much of it."""
    total = {theme: sum(named[name] for name in names) for theme, names in THEMES.items() if theme not in BACKGROUND}
    strongest = sorted(total, key=lambda theme: (-abs(total[theme]), theme))[:TOP]
    found = []
    for theme in strongest:
        if total[theme] != 0:
            name = _telling(order, {name: math.copysign(1, total[theme]) * named[name] for name in THEMES[theme]})
            label, other = wording.LABELS[name], others.get(name, "")
            label = wording.ABOUT.format(label=label, what=other) if other else label
            value, share = _value(name, order[name]), round(total[theme], 6)
            found.append(Contribution(name, label, value, share, said=said(name, order, other)))
    return tuple(found)


def _telling(order: Row, shares: Mapping[str, float]) -> str:
    """The feature that says most; of those that say nearly as much one that a pharmacist can look at."""
    most = max(shares.values())
    near = {name: share for name, share in shares.items() if share >= MUCH * most and remarkable(name, order)}
    return max(near or shares, key=shares.__getitem__)


def _value(name: str, value: Any) -> float | str | None:
    if name in CATEGORICAL:
        return str(value) or None
    return None if pd.isna(value) else float(value)


def _statistical(
    order: Row, seen: dict[str, float], contributions: Sequence[Contribution], others: Mapping[str, str]
) -> tuple[str, str]:
    """Without a rule: what is to be seen and moved the score most, and no claim beyond that it did."""
    family = {name: category for category, names in wording.STATISTICAL.items() for name in names}
    name = max(family, key=lambda name: seen[name])
    strongest = max(contributions, key=lambda one: one.contribution, default=None)
    # Something else moved it more, or something that is not known: that names no category.
    aside = strongest is not None and (strongest.feature not in family or seen[strongest.feature] <= 0)
    if strongest is not None and aside and seen[name] < MUCH * strongest.contribution:
        return wording.REVIEW, wording.RESEMBLES.format(drug=order["drug_name"], first=strongest.said)
    ratio = float(np.exp(order["daily_log_ratio"]))
    if np.isnan(ratio):
        ratio = float(np.exp(order["dose_log_ratio"]))
    category = family[name]
    if category == "DOSE" and ratio >= HIGHER:
        category = "DOSEH"
    elif category == "DOSE" and ratio <= LOWER:
        category = "DOSEL"
    text = wording.STATISTICAL_MESSAGES.get(category, wording.RESEMBLES)
    words = {"drug": order["drug_name"], "times": number(round(ratio, 2)), "route": said("route", order)}
    found = text.format(**words, first=said(name, order, others.get(name, "")))
    return CATEGORIES["route"] if category == "ROUTE" else category, found


def _sentences(order: Row, finding: Row, knowledge: Knowledge) -> tuple[str, str]:
    """What was found; what is proposed, and where the limit comes from."""
    rule = finding["rule"]
    if finding["line"] == "SUBSTANCE":
        text = wording.MESSAGES["duplicate_substance"].format(drug=order["drug_name"], other=finding["detail"])
        return text, _proposal(rule, {})
    line = knowledge.line(finding["line"])
    if rule == "interaction" and knowledge.interactions.is_over(finding["note"]):
        line = {**line, "action": "watch"}
    source = wording.SOURCE if line["checked"] == READ else wording.SOURCE_UNCHECKED
    more = [_proposal(rule, line), *([source] if rule != "duplicate" else [])]
    words = _words(order, finding, line, knowledge)
    parts = wording.MESSAGES[_message(rule, finding, line)], " ".join(more)
    found, proposed = (part.format(**words).replace(" ,", ",") for part in parts)  # INR has no unit
    return found, proposed


def _message(rule: str, finding: Row, line: Row) -> str:
    """The sentence of the rule, or of what its line adds to it."""
    if rule == "duplicate":
        return "duplicate_ended" if finding["note"] == ENDED else "duplicate_class"
    if rule == "monitoring" and pd.isna(finding["value"]):
        return "monitoring_never"
    if rule == "untreated" and not line["atc"]:
        return "untreated_disease"  # it stands at the newest order, which has nothing to do with it
    past = "_past" if finding["note"] == PAST else ""
    said = (f"{rule}_{line.get(column)}{past}" for column in ("action", "side", "kind", "who"))
    return next((key for key in said if key in wording.MESSAGES), rule)


def _words(order: Row, finding: Row, line: Row, knowledge: Knowledge) -> dict[str, Any]:
    rule = finding["rule"]
    words = {**line, "drug": order["drug_name"], "other": finding["detail"], "days": TREND_DAYS}
    words |= {"value": number(finding["value"]), "limit": number(finding["limit"])}
    if rule == "renal":
        below = str(math.floor(finding["value"]))  # 29.6 is not the limit of 30
        words |= {"value": below, "method": order["clearance_method"], "most": _most(line)}
    elif rule in ("lab", "adverse"):
        analyte = line["analyte"]
        words |= {"analyte": wording.ANALYTES[analyte], "unit": wording.UNITS[analyte]}
        words["last"] = number(order[analyte])
    elif rule == "age":
        words["value"] = _years(finding["value"])
    elif rule == "interaction":
        words["more"] = _of_interaction(line, knowledge.interactions.note_words(finding["line"], finding["note"]))
    elif rule == "rhythm":
        words["value"] = said("per_day", order)
    elif rule == "route":
        words["route"] = wording.ROUTES.get(finding["detail"], finding["detail"])
    return words


def _proposal(rule: str, line: Row) -> str:
    problem, intervention = act_ip(rule, line)
    return wording.PROPOSAL.format(
        intervention=wording.INTERVENTIONS[intervention], problem=problem, problem_name=wording.PROBLEMS[problem]
    )


def _of_interaction(line: Row, note: Row) -> str:
    """What the thesaurus says beside the level, whether it applies here, and why it does not interrupt."""
    parts = [line["mechanism"], line["condition"]]
    parts += [wording.CONDITIONS[note["state"]]] if note["state"] else []
    parts += [wording.WITHHELD[note["withheld_state"]].format(**note)] if note["withheld"] else []
    parts += [wording.NOT_INTERRUPTIVE.format(**note)] if note["reason"] else []
    return " ".join(part if part.endswith(".") else f"{part}." for part in parts if part)


def _most(line: Row) -> str:
    if line["action"] != "reduce":
        return ""
    if pd.notna(line["max_daily"]):
        return f"{number(line['max_daily'])} {line['unit']}/j au plus"
    return f"{said('per_day', {'per_day': line['max_per_day']})} au plus"


def _finding_evidence(order: Row, finding: Row, timezone: str) -> list[Evidence]:
    """The other row that a finding rests on, if any."""
    table, row_id = finding["other_table"], int(finding["other_id"])
    if table != "measurement":
        label = "" if finding["rule"] == "route" else str(finding["detail"] or "")  # there it is the route
        return [Evidence(table, row_id, label)] if table else []
    of_row = ((name, which) for name in wording.ANALYTES for which in ("", "_lowest", "_highest")
              if order.get(f"{name}{which}_id") == row_id != NO_ROW)  # fmt: skip
    return [row for name, which in of_row for row in _lab_evidence(order, name, timezone, which)]


def _lab_evidence(order: Row, analyte: str, timezone: str, which: str = "") -> list[Evidence]:
    """The last result of an analysis, or the lowest or highest one of the last days."""
    row = int(order[f"{analyte}{which}_id"])
    if row == NO_ROW:
        return []
    day = pd.Timestamp(order[f"{analyte}{which}_at"], tz="UTC").tz_convert(timezone).strftime("%d/%m/%Y")
    text = f"{wording.ANALYTES[analyte]} {number(order[analyte + which])} {wording.UNITS[analyte]}".rstrip()
    return [Evidence("measurement", row, f"{text} du {day}")]


def _dose(order: Row) -> str:
    if pd.isna(order["dose"]):
        return ""
    text = f", {number(order['dose'])} {order['unit']}"
    return text if pd.isna(order["per_day"]) else f"{text} x {number(order['per_day'])}/j"


def _years(age: float) -> str:
    return "?" if pd.isna(age) else str(int(age))
