"""Interactions as findings: one for each order and other drug, the gravest, with the level that applies and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, Rows, take
from models.prescription_review.illnesses import coded_by
from models.prescription_review.interactions.accepted import accepted
from models.prescription_review.interactions.conditions import UNREAD, Reading
from models.prescription_review.interactions.context import DISCOURAGED, NOT_ABSORBED, RULES, Context
from models.prescription_review.interactions.matching import MET, UNKNOWN, Orders, matches
from models.prescription_review.interactions.options import Catalogue
from models.prescription_review.interactions.routes import NAMES, ORDER, is_local
from models.prescription_review.interactions.substances import SHIPPED, rows_of
from models.prescription_review.interactions.thesaurus import LEVEL_NAMES

SEVERITIES = {4: "high", 3: "moderate", 2: "moderate", 1: "low"}
# Diagnoses that conditions speak of -> beginnings of ICD-10 codes. One that is not coded is not known to be absent.
DIAGNOSES = {
    "ulcer": ("K25", "K26", "K27", "K28"),
    "heart_failure": ("I50", "I110", "I130", "I132", "I420"),
    "liver": ("K70", "K71", "K72", "K73", "K74", "K76"),
}
FACTS = ("age", "clearance", "creatinine", "creatinine_previous", "creatinine_age_h", "potassium", "potassium_age_h",
         "INR", "INR_age_h", "weight", "critical_care")  # fmt: skip
OVER = RULES.index("association_terminee")
SOURCE = "Thésaurus des interactions médicamenteuses (ANSM)"


class Interactions:
    """One edition of the thesaurus with its rules; what ``rules.interaction`` asks.

    Args:
        folder: a hospital's own; what it lacks is taken from the folder that ships.
    """

    def __init__(self, folder: Path) -> None:
        self.catalogue = Catalogue(folder)
        self.accepted = accepted(folder, self.catalogue.thesaurus)
        self.context = Context(self.catalogue, self.accepted)
        # A hospital's own words for some rules; a rule that is newer than its table has ours.
        rules = (row for root in (SHIPPED, folder) for row in rows_of(root, "context_rules.csv"))
        self.rules: dict[str, dict[str, str]] = {row["rule"]: row for row in rules}

    def all_matches(
        self, orders: Columns, asked: Rows, person: Rows, facts: Columns, diagnoses: Columns, of: Rows
    ) -> Columns:
        """Every entry that speaks of an order asked about and another beside it (``matching.matches``).

        Args:
            orders: prepared orders (``orders.prepare_orders``).
            asked: positions of the orders asked about; ``facts`` are theirs.
            person, of: a small number for the person of each order, and of each diagnosis.
        Returns:
            The columns of ``matches`` with ``rule`` (place in ``RULES``) and ``route`` (the route that it speaks of,
            place in ``ORDER``).
        """
        ready = self._ready(orders, asked, person, facts, diagnoses, of)
        found = matches(self.catalogue, ready)
        rule = self.context.rule(found, ready)
        sides = np.stack([ready.asked[found["at"]], found["there"]])
        route, local = ready.columns["route"][sides], ready.columns["local"][sides]
        first = np.where(rule == RULES.index("absorption_digestive"), route[0] != ORDER.index("oral"), local[0])
        return found | {"rule": rule, "route": np.where(first, route[0], route[1])}

    def worst(self, found: Columns, orders: Columns) -> Columns:
        """Of all matches of an order with another drug the gravest, with the first of its orders."""
        interrupts = (found["rank"] >= DISCOURAGED) & (found["rule"] == 0)
        other = found["drug"]
        keys = (
            orders["drug_exposure_id"][found["there"]],
            found["entry"],
            -found["state"],
            -found["rank"],
            found["rule"] == OVER,
            ~interrupts,
        )
        found = take(found | {"interrupts": interrupts}, np.lexsort((*keys, other, found["at"])))
        first = np.ones(len(found["at"]), dtype=bool)
        first[1:] = (np.diff(found["at"]) != 0) | (np.diff(found["drug"]) != 0)
        return take(found, first)

    def findings(
        self, orders: Columns, asked: Rows, person: Rows, facts: Columns, diagnoses: Columns, of: Rows
    ) -> Columns:
        """Columns ``at``, ``there``, ``line``, ``severity`` and ``note`` (see ``line`` and ``note_words``)."""
        found = self.all_matches(orders, asked, person, facts, diagnoses, of)
        found["drug"] = self._drugs(orders)[found["there"]]
        found = self.worst(found, orders)
        grave = np.array(["", *(SEVERITIES[rank] for rank in sorted(SEVERITIES))], dtype=object)[found["rank"]]
        quiet = (found["rule"] > 0) & ~found["interrupts"]
        line = [f"ANSM-{entry:04d}.{reading}" for entry, reading in zip(found["entry"], found["reading"], strict=True)]
        columns = (found[name].tolist() for name in ("state", "rule", "route", "higher", "higher_state"))
        note = [" ".join(map(str, row)) for row in zip(*columns, strict=True)]
        return {
            "at": found["at"], "there": found["there"], "line": np.array(line, dtype=object),
            "severity": np.where(quiet, "low", grave), "note": np.array(note, dtype=object),
        }  # fmt: skip

    def level(self, line: str) -> int:
        """The level of a finding's line, 1 (to be considered) to 4 (contra-indication)."""
        return self._parsed(line)[1].level

    def line(self, line: str) -> dict[str, Any]:
        """The knowledge behind a finding's line: ``ANSM-<entry>.<level>``."""
        entry, reading = self._parsed(line)
        found = self.catalogue.entries[entry]
        return {
            "line": line, "substance_a": self._written(found.main, found.names[0]),
            "substance_b": self._written(found.plus, found.names[1]),
            "action": "avoid" if reading.level >= DISCOURAGED else "watch",
            "level": LEVEL_NAMES[reading.level], "condition": _one_line(reading.mention.text),
            "mechanism": _one_line(found.mechanism), "source": SOURCE, "edition": self.catalogue.thesaurus.edition,
            "checked": "texte",
        }  # fmt: skip

    @staticmethod
    def is_over(note: str) -> bool:
        """Whether the other order of a finding had ended when this one is judged."""
        _, rule, *_ = map(int, note.split())
        return rule == OVER

    def note_words(self, line: str, note: str) -> dict[str, str]:
        """A finding's note in words: ``state`` of the condition, ``reason`` for no interruption, level ``withheld``."""
        entry, reading = self._parsed(line)
        state, rule, route, higher, known = map(int, note.split())
        conditional = any(clause.conditional for clause in reading.clauses)
        said = "unread" if reading.status == UNREAD else {MET: "met", UNKNOWN: "unknown"}[state] if conditional else ""
        words = self.rules[RULES[rule]]["words"] if rule else ""
        return {
            "state": said if state != UNKNOWN else "unknown",
            "reason": words.format(route=NAMES.get(ORDER[route], "inconnue"), decision=self.accepted.get(entry, "")),
            "withheld": LEVEL_NAMES.get(higher, ""),
            "withheld_state": "unknown" if known == UNKNOWN else "not met",
        }

    def _written(self, end: str, name: str) -> str:
        """An end of an entry in lower case, but for what has its own: "inhibiteurs puissants du CYP3A4"."""
        thesaurus = self.catalogue.thesaurus
        known = thesaurus.class_names.get(end) or thesaurus.substances.get(end, "")
        return known if known.lower() == name.lower() else name.lower()

    def _parsed(self, line: str) -> tuple[int, Reading]:
        entry, _, place = line.removeprefix("ANSM-").partition(".")
        return int(entry), self.catalogue.readings(int(entry))[int(place)]

    def _drugs(self, orders: Columns) -> Rows:
        named = zip(orders["atc"].tolist(), orders["drug_name"].tolist(), strict=True)
        return np.array([self.catalogue.number(atc, name) for atc, name in named], dtype=np.int64)

    def _ready(
        self, orders: Columns, asked: Rows, person: Rows, facts: Columns, diagnoses: Columns, of: Rows
    ) -> Orders:
        drug, route = self._drugs(orders), orders["route_number"]
        local = [is_local(number, atc) for number, atc in zip(route.tolist(), orders["atc"].tolist(), strict=True)]
        columns = {
            "person": person, "begin": orders["written_at"], "end": orders["end_time"], "now": orders["index_time"],
            "drug": drug, "route": route,
            "dose": orders["dose"], "daily": orders["daily"], "unit": orders["unit"],
            "local": np.array(local, dtype=bool),
            "not_absorbed": self._not_absorbed(drug),
        }  # fmt: skip
        at = orders["index_time"][asked]
        coded = {name: coded_by(begins, diagnoses, of, person[asked], at) for name, begins in DIAGNOSES.items()}
        return Orders(columns, asked, {name: facts[name] for name in FACTS} | coded)

    def _not_absorbed(self, drug: Rows) -> NDArray[np.bool_]:
        distinct, number = np.unique(drug, return_inverse=True)
        drugs = [self.catalogue.terms[one].drug for one in distinct.tolist()]
        return np.array([any(s.name in NOT_ABSORBED for s in one.substances) for one in drugs], dtype=bool)[number]


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("( ", "(").lstrip(":- ").strip()
