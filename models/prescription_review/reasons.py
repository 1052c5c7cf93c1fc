"""A feature and its value as a clinician says them, and whether there is anything to look at."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from models.prescription_review import wording
from models.prescription_review.phrases import INF, NOT_WRITTEN, PHRASES
from models.prescription_review.situations import BANDS

MOST_TIMES = 100.0  # more is not told apart: so little was seen of it
TWO_DAYS = 48.0  # hours; from here on days are told
TOLD_WHOLE = 20.0  # years and mL/min, not mmol/L and g/dL
TIMES = {"log": math.exp, "bits": math.exp2, "share": float}
THOUSAND = 1000
NARROW_SPACE = "\u202f"


def said(name: str, order: Mapping[str, Any], about: str = "") -> str:
    """A feature of an order in words; "" where it has none of its own.

    Args:
        order: a row of the cases with what is learned of it.
        about: the other drug or the diagnosis that the value is about.
    """
    if name == "route":
        route = str(order["route"] or "")
        return f"voie {wording.ROUTES.get(route, route)}" if route else "voie inconnue"
    if name not in PHRASES:
        return ""
    phrase, value = PHRASES[name], order[name]
    if pd.isna(value):
        lacks = (words for begin, (column, words) in NOT_WRITTEN.items()
                 if name.startswith(begin) and pd.isna(order[column]))  # fmt: skip
        return next(lacks, phrase.unknown)
    words = phrase.below[phrase.place(value)][1]
    return words.format_map(_Told(name, float(value), phrase.scale, order, about))


def remarkable(name: str, order: Mapping[str, Any]) -> bool:
    """Whether a pharmacist would look there: the value is known, and is not what one expects."""
    if name not in PHRASES:
        return bool(order.get(name))
    phrase, value = PHRASES[name], order[name]
    return not math.isnan(value) and phrase.place(value) not in phrase.ordinary


@dataclass(frozen=True, slots=True)
class _Told:
    """The forms of a value that words may hold (``Phrase``), each made when it is asked for."""

    name: str
    amount: float
    scale: str
    order: Mapping[str, Any]
    about: str

    def __getitem__(self, form: str) -> str:
        found: str = getattr(self, form)
        return found

    @property
    def value(self) -> str:
        return number(float(f"{self.amount:.3g}"))

    @property
    def whole(self) -> str:
        return number(round(self.amount)) if math.isfinite(self.amount) else "?"

    @property
    def percent(self) -> str:
        return "moins de 1" if 0 < 100 * self.amount < 1 else number(round(100 * self.amount))

    @property
    def since(self) -> str:
        if self.amount < 1:
            return "moins d'une heure"
        return f"{self.amount:.0f} h" if self.amount < TWO_DAYS else f"{self.amount / 24:.0f} jours"

    @property
    def every(self) -> str:
        return number(float(f"{1 / self.amount:.2g}")) if self.amount else "?"

    @property
    def times(self) -> str:
        ratio = TIMES[self.scale](self.amount)
        most = max(ratio, 1 / ratio) if ratio else INF
        return f"plus de {MOST_TIMES:.0f}" if most > MOST_TIMES else number(float(f"{most:.2g}"))

    @property
    def state(self) -> str:
        state = self.order[BANDS[self.name.partition("_")[2]][0]]
        return number(round(state) if state >= TOLD_WHOLE else float(f"{state:.3g}"))


def number(value: float) -> str:
    """A number as it is written in French: decimal comma, thousands apart, no useless digit."""
    if pd.isna(value):
        return "?"
    if abs(value) >= THOUSAND:
        return f"{value:,.0f}".replace(",", NARROW_SPACE)
    return f"{value:.4g}".replace(".", ",")
