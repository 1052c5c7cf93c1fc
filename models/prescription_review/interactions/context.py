"""Which interactions interrupt the prescriber: a level that applies, in the patient's context (``context_rules.csv``).

A rule never hides an interaction: it becomes a note that says which rule applied.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, take
from models.prescription_review.interactions.history import already_together
from models.prescription_review.interactions.matching import UNKNOWN, Orders
from models.prescription_review.interactions.options import Catalogue
from models.prescription_review.interactions.routes import ORDER
from models.prescription_review.interactions.words import plain

CONTRAINDICATED, DISCOURAGED = 4, 3
# In this order: the first that holds gives the reason.
RULES = (
    "", "association_terminee", "voie_locale", "non_absorbe", "absorption_digestive", "condition_inconnue",
    "kaliemie_connue", "kaliemie_corrigee", "INR_controle", "fonction_renale_stable", "soins_critiques",
    "moindre_efficacite", "association_admise", "association_connue",
)  # fmt: skip
# These speak of any level, the others of those that would interrupt.
AT_ANY_LEVEL = frozenset({"association_terminee", "voie_locale", "non_absorbe", "absorption_digestive"})
NORMAL_POTASSIUM, CORRECTED_POTASSIUM, HIGHEST_INR = 5.0, 4.0, 3.0  # mmol/L, mmol/L, no unit
NORMAL_CLEARANCE, RISE = 60.0, 1.5  # mL/min; creatinine over the one before (KDIGO 2012: acute kidney injury)
RECENT_H = 72.0
_BY_MOUTH = [ORDER.index(route) for route in ("oral", "sublingual", "")]  # an unknown route is not taken for another

# Entries by their words (plain). An end that names the local form -> the routes by which it counts all the same.
LOCAL_COUNTS = {
    r"collyres": ("eye",),
    r"inhales|volatils": ("inhaled", "nose"),
    r"voies orale et ou nasale": ("nose",),
    r"bucco dentaire": ("rinse",),
    r"miconazole": ("vaginal", "rinse"),
    r"econazole": ("skin", "vaginal"),
    r"vaginale|latex|spermicides": ("vaginal",),
    r"mercuriels|povidone": ("skin", "rinse"),
}
# Given by mouth they stay in the gut; what they do there is another entry's matter.
NOT_ABSORBED = ("vancomycine", "colistine", "amphotericine b", "polymyxine b", "gentamicine")
_IN_THE_GUT = r"absorption|chelat|adsor"
_NOT_IN_THE_GUT = r"metabolisme|cyp3a4|inducteur|elimination|p glycoproteine|p gp"
_POTASSIUM_ENDS = r"hyperkaliemiants|^potassium$|epargneurs de potassium"
_TORSADES = r"torsades de pointes|torsadogenes"
# Less effect, no poison, of a treatment whose failure harms nobody at once: pain, mood, itching, cholesterol.
_LESS_EFFECT = r"^(risque d inefficacite|risque de moindre efficacite|risque de diminution|diminution)"
_MAY_FAIL = r"codeine|tramadol|oxycodone|fentanyl|mianserine|sertraline|fexofenadine|naloxegol|statines|reductase"
_KIDNEY = (
    r"^(majoration|risque (majore|accru)|augmentation)( \w+){0,3} (nephrotox\w+|toxicite renale|risque de nephrotox\w+)"
)
_WATCHED = r"\becg\b|electrocardiograph"  # what a monitor shows; bleeding is not


class Context:
    """What each entry is about, as one flag an entry; and the rules on the rows of ``matching.matches``.

    Args:
        accepted: entries for which the hospital does not interrupt.
    """

    def __init__(self, catalogue: Catalogue, accepted: Collection[int] = ()) -> None:
        self._catalogue = catalogue
        self._accepted = list(accepted)

    def rule(self, found: Columns, orders: Orders) -> NDArray[np.int64]:
        """The number of the rule (place in ``RULES``) by which a level does not interrupt; 0 for none.

        Only levels that would interrupt are looked at, and those of an interaction that is over, in the gut, or by a
        local form.
        """
        entry, at = found["entry"], found["at"]
        sides = np.stack([orders.asked[at], found["there"]])
        routes = orders.columns["route"][sides]
        facts = {name: value[at] for name, value in orders.facts.items()}
        discouraged = found["rank"] == DISCOURAGED
        potassium, recent = facts["potassium"], facts["potassium_age_h"] <= RECENT_H
        kidney = (facts["clearance"] >= NORMAL_CLEARANCE) & (facts["creatinine_age_h"] <= RECENT_H)
        kidney &= ~(facts["creatinine"] >= RISE * facts["creatinine_previous"])
        rules = [
            orders.columns["end"][found["there"]] <= orders.columns["now"][orders.asked[at]],
            (orders.columns["local"][sides] & ~self._local_counts[entry, routes]).any(axis=0),
            (orders.columns["not_absorbed"][sides] & (routes == ORDER.index("oral"))).any(axis=0),
            self._flag("gut", entry) & ~np.isin(routes, _BY_MOUTH).all(axis=0),
            found["state"] == UNKNOWN,
            discouraged & self._flag("potassium", entry) & recent & (potassium < NORMAL_POTASSIUM),
            discouraged & self._flag("torsades", entry) & recent & (potassium >= CORRECTED_POTASSIUM),
            discouraged & self._flag("INR", entry) & (facts["INR_age_h"] <= RECENT_H) & (facts["INR"] < HIGHEST_INR),
            discouraged & self._flag("kidney", entry) & kidney,
            discouraged & self._flag("watched", entry) & (facts["critical_care"] > 0),
            discouraged & self._flag("less effect", entry),
            discouraged & np.isin(entry, self._accepted),
            np.zeros(len(entry), dtype=bool),
        ]
        of_any = [rule for name, rule in zip(RULES[1:], rules, strict=True) if name in AT_ANY_LEVEL]
        matters = (found["rank"] >= DISCOURAGED) | np.any(of_any, axis=0)
        rule = np.where(matters, np.select(rules, range(1, len(RULES)), 0), 0)
        again = np.flatnonzero(discouraged & (rule == 0))
        again = again[already_together(take(found, again), orders)]
        rule[again] = RULES.index("association_connue")
        return rule

    def _flag(self, name: str, entry: NDArray[np.int64]) -> NDArray[np.bool_]:
        return self._flags[name][entry]

    @cached_property
    def _flags(self) -> dict[str, NDArray[np.bool_]]:
        entries = self._catalogue.thesaurus.all_entries
        ends = [(entry.main, entry.plus) for entry in entries]
        mechanism = [plain(entry.mechanism) for entry in entries]
        conduct = [plain(" ".join(mention.text for mention in entry.mentions)) for entry in entries]

        def of_ends(pattern: str) -> NDArray[np.bool_]:
            return np.array([any(re.search(pattern, end) for end in pair) for pair in ends], dtype=bool)

        def of_texts(pattern: str, texts: list[str]) -> NDArray[np.bool_]:
            return np.array([bool(re.search(pattern, text)) for text in texts], dtype=bool)

        return {
            "gut": of_texts(_IN_THE_GUT, mechanism) & ~of_texts(_NOT_IN_THE_GUT, mechanism),
            "potassium": of_ends(_POTASSIUM_ENDS),
            "torsades": of_ends(_TORSADES),
            "INR": of_texts(r"\binr\b", conduct) & of_ends("antivitamines k"),  # it says nothing of the others
            "kidney": of_texts(_KIDNEY, mechanism),
            "watched": of_texts(_WATCHED, conduct),
            "less effect": of_texts(_LESS_EFFECT, mechanism) & of_ends(_MAY_FAIL),
        }

    @cached_property
    def _local_counts(self) -> NDArray[np.bool_]:
        """Whether an entry speaks of a route that is else local; shape (entries, routes)."""
        entries = self._catalogue.thesaurus.all_entries
        found = np.zeros((len(entries), len(ORDER)), dtype=bool)
        for pattern, routes in LOCAL_COUNTS.items():
            named = [any(re.search(pattern, end) for end in (entry.main, entry.plus)) for entry in entries]
            found[np.ix_(named, [ORDER.index(route) for route in routes])] = True
        return found
