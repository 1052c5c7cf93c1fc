"""A feature and its value as a clinician says them, and whether there is anything to look at."""

from __future__ import annotations

import math
from collections.abc import Mapping
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
    return phrase.words(value)[1].format(**_forms(name, float(value), phrase.scale, order), about=about)


def remarkable(name: str, order: Mapping[str, Any]) -> bool:
    """Whether a pharmacist would look there: the value is known, and is not what one expects."""
    if name not in PHRASES:
        return bool(order.get(name))
    phrase, value = PHRASES[name], order[name]
    return not pd.isna(value) and phrase.words(value)[0] not in phrase.ordinary


def _forms(name: str, value: float, scale: str, order: Mapping[str, Any]) -> dict[str, str]:
    ratio = TIMES[scale](value) if scale else 1.0
    times = max(ratio, 1 / ratio) if ratio else INF
    percent = 100 * value
    state = order[BANDS[kind][0]] if (kind := name.partition("_")[2]) in BANDS else math.nan
    return {
        "value": number(float(f"{value:.3g}")),
        "whole": number(round(value)) if math.isfinite(value) else "?",
        "percent": "moins de 1" if 0 < percent < 1 else number(round(percent)),
        "since": _since(value),
        "every": number(float(f"{1 / value:.2g}")) if value else "?",
        "times": f"plus de {MOST_TIMES:.0f}" if times > MOST_TIMES else number(float(f"{times:.2g}")),
        "state": number(round(state) if state >= TOLD_WHOLE else float(f"{state:.3g}")),
    }


def _since(hours: float) -> str:
    if hours < 1:
        return "moins d'une heure"
    return f"{hours:.0f} h" if hours < TWO_DAYS else f"{hours / 24:.0f} jours"


def number(value: float) -> str:
    """A number as it is written in French: decimal comma, thousands apart, no useless digit."""
    if pd.isna(value):
        return "?"
    if abs(value) >= THOUSAND:
        return f"{value:,.0f}".replace(",", NARROW_SPACE)
    return f"{value:.4g}".replace(".", ",")
