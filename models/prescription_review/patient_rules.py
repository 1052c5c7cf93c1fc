"""Rules on who the patient is: age, diagnoses, allergies, pregnancy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.prescription_review.columns import Columns, Rows, codes, pairs, take
from models.prescription_review.findings import NO_ROW, findings, first_each, gravest_first, kept, of_that_age
from models.prescription_review.knowledge import Coded
from models.prescription_review.known import PERSON
from models.prescription_review.lookup import Lookup

CHILDBEARING = (12, 50)  # years, the second excluded
WOMEN = ("pregnant", "nursing", "childbearing")  # of whom a line of ``pregnancy_limits`` speaks
# Surgery or menopause; ICD-10.
INFERTILE = ("Z907", "N95", "Z302", "Z8742")


def age(lookup: Lookup) -> Iterator[Columns]:
    """The patient's age is one at which the substance is contra-indicated or potentially inappropriate."""
    at, orders, lines = lookup.lines("age_limits")
    if not len(at):
        return
    limit = np.where(np.nan_to_num(lines["age_from"]) == 0, lines["age_below"], lines["age_from"])
    rows = kept(
        of_that_age(orders, lines),
        at=at,
        line=lines["line"],
        severity=lines["severity"],
        value=orders["age"],
        limit=limit,
    )
    yield findings(lookup.facts, rows, "age", severity=rows["severity"], value=rows["value"], limit=rows["limit"])


def contraindication(lookup: Lookup) -> Iterator[Columns]:
    """A diagnosis already coded when the order is judged (an earlier stay) speaks against the substance.

    Some speak for so many days only: an ulcer that bled last year does not bleed now; some not where another diagnosis
    spares the patient: a heart block with a pacemaker. ICD-10 only: the tables hold no code that an ICD-9 code could
    begin with.
    """
    table = lookup.knowledge.by_code["contraindications"]
    at, line = table.of(lookup.drugs)
    if not len(at):
        return
    spared = lookup.diagnosed(at, line, "contraindications.unless_icd10")["row"]
    at, line = np.delete(at, spared), np.delete(line, spared)
    ill = lookup.diagnosed(at, line, "contraindications.icd10")
    rows = {"at": at[ill["row"]], "line_at": line[ill["row"]], "other": ill["id"]}
    days = (lookup.facts["index_time"][rows["at"]] - ill["then"]) / np.timedelta64(1, "D")
    rows = take(rows, ~(days > table.columns["within_days"][rows["line_at"]]))
    lines = take(table.columns, rows["line_at"])
    yield findings(
        lookup.facts, rows | {"line": lines["line"]}, "contraindication", severity=lines["severity"],
        other_table="condition_occurrence", other_id=rows["other"], detail=lines["condition"],
    )  # fmt: skip


def allergy(lookup: Lookup) -> Iterator[Columns]:
    """An allergy to the substance or to one that is related, known when the order is judged."""
    known, table = lookup.allergies, lookup.knowledge.by_code["allergies"]
    at, line = table.of(lookup.drugs)
    if known is None or not len(at):
        return
    texts, ill = Coded.of(known["text"]), Coded.of(known["code"])
    by_text, by_code = (
        lookup.knowledge.by_code["allergies.text"].of(texts),
        lookup.knowledge.by_code["allergies.icd10"].of(ill),
    )
    stated, stated_line = (np.concatenate(two) for two in zip(by_text, by_code, strict=True))
    person = codes(np.concatenate([lookup.facts[PERSON], known[PERSON]]))
    of_order, of_allergy = person[: len(lookup.asked)], person[len(lookup.asked) :]
    span = len(table.columns["line"])
    i, j = pairs(of_order[at] * span + line, of_allergy[stated] * span + stated_line)
    rows: Columns = {"at": at[i], "line_at": line[i], "known": stated[j]}
    rows = take(rows, known["available_at"][rows["known"]] <= lookup.facts["index_time"][rows["at"]])
    # Of one allergy the nearest relation is enough: penicillin itself, not also "any beta-lactam".
    rows["rank"] = gravest_first(table.columns, rows["line_at"])
    rows = first_each(rows, "at", "known", by="rank")
    rows["first"] = rows["known"]
    rows = first_each(rows, "at", "line_at", by="first")
    yield findings(
        lookup.facts, {"at": rows["at"], "line": table.columns["line"][rows["line_at"]]}, "allergy",
        severity=table.columns["severity"][rows["line_at"]], other_table=known["table"][rows["known"]],
        other_id=known["id"][rows["known"]], detail=known["label"][rows["known"]],
    )  # fmt: skip


def pregnancy(lookup: Lookup) -> Iterator[Columns]:
    """Not to be given to a pregnant woman at this stage, to one who may be breastfeeding or who may become pregnant.

    Where the stage is not known, a line that speaks of a part of pregnancy speaks, but not as a grave one.
    """
    at, orders, lines = lookup.lines("pregnancy_limits")
    if not len(at):
        return
    week, low, below = orders["pregnancy_week"], lines["week_from"], lines["week_below"]
    pregnant = orders["pregnant"] == 1
    of = {who: lookup.knowledge.by_code["pregnancy_limits"].saying("who", who)[lines.rows] for who in WOMEN}
    now = pregnant & of["pregnant"] & ~(week < low) & ~(week >= below)
    after = (orders["nursing"] == 1) & of["nursing"]
    young = (orders["age"] >= CHILDBEARING[0]) & (orders["age"] < CHILDBEARING[1]) & (orders["female"] == 1)
    may = young & of["childbearing"] & ~pregnant
    if may.any():
        may &= ~_infertile(lookup)[at]
    speaks = now | after | may
    if not speaks.any():
        return
    unsure = now & np.isnan(week) & ~(np.isnan(low) & np.isnan(below)) & (lines["severity"] == "high")
    severity = np.where(unsure, "moderate", lines["severity"]).astype(object)
    table = np.where(after, "condition_occurrence", orders["pregnancy_table"]).astype(object)
    other = np.where(after, orders["delivery_id"], orders["pregnancy_id"])
    rows = kept(speaks, at=at, line=lines["line"], severity=severity, value=week, table=table, other=other)
    yield findings(
        lookup.facts, rows, "pregnancy", severity=rows["severity"], value=rows["value"],
        other_table=np.where(rows["other"] == NO_ROW, "", rows["table"]), other_id=rows["other"],
    )  # fmt: skip


def _infertile(lookup: Lookup) -> np.ndarray:
    """Orders asked about of women who cannot become pregnant, as far as diagnoses tell."""
    coded = np.array([code.startswith(INFERTILE) for code in lookup.diagnoses["code"]], dtype=bool)
    ill: Rows = np.flatnonzero(coded)
    person, person_ill = lookup.people
    i, j = pairs(person[lookup.asked], person_ill[ill])
    known = lookup.diagnoses["available_at"][ill[j]] <= lookup.facts["index_time"][i]
    found = np.zeros(len(lookup.asked), dtype=bool)
    found[i[known]] = True
    return found
