"""Units as hospitals write them, brought to one unit a quantity. What is not known becomes missing, never a guess."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
import pandas as pd

from passerelle.errors import TerminalError


class UnitError(TerminalError):
    """A column is in another unit than it says."""


CREATININE_UMOL_PER_MG_DL = 88.4

_INSIGNIFICANT = re.compile(r"[\s.]")

# Dose units, lower case without blanks or dots -> (canonical unit, factor).
DOSE_UNITS: dict[str, tuple[str, float]] = {
    **dict.fromkeys(("mg", "milligramme", "milligrammes"), ("mg", 1.0)),
    **dict.fromkeys(("g", "gm", "gr", "gramme", "grammes", "gram"), ("mg", 1000.0)),
    **dict.fromkeys(("µg", "μg", "ug", "mcg", "microgramme", "microgrammes"), ("mg", 0.001)),
    **dict.fromkeys(("ui", "iu", "u", "unit", "units", "unité", "unités", "[iu]", "[u]"), ("UI", 1.0)),
    **dict.fromkeys(("mui", "millionui", "millionsui", "million_ui"), ("UI", 1e6)),
    **dict.fromkeys(("kui", "[k'iu]"), ("UI", 1000.0)),
    **dict.fromkeys(("ml", "millilitre", "millilitres"), ("mL", 1.0)),
    **dict.fromkeys(("l", "litre"), ("mL", 1000.0)),
}

# Units in which the views give results, and those that remain where a site's code is not known to them: same writing as
# above -> factor to the unit of the analysis.
LAB_UNITS: dict[str, dict[str, float]] = {
    "creatinine": {  # µmol/L
        **dict.fromkeys(("umol/l", "µmol/l", "μmol/l", "micromol/l"), 1.0),
        "mg/dl": CREATININE_UMOL_PER_MG_DL,
        "mg/l": CREATININE_UMOL_PER_MG_DL / 10,
        "mmol/l": 1000.0,
    },
    "potassium": dict.fromkeys(("mmol/l", "meq/l", "10*-3eq/l"), 1.0),  # mmol/L
    "INR": dict.fromkeys(("", "1", "{inr}", "{ratio}", "ratio", "inr"), 1.0),
    "weight": {"kg": 1.0},
}
IMPLAUSIBLE = {"creatinine": (5, 5000), "potassium": (0.5, 15), "INR": (0.3, 30), "weight": (0.3, 400)}

ROUTES: dict[str, str] = {
    **dict.fromkeys(("po", "oral", "orale", "per os", "voie orale", "ng", "po/ng", "sng", "peg", "dysphagia"), "oral"),
    **dict.fromkeys(
        ("iv", "ivd", "ivl", "ivse", "iv drip", "iv bolus", "intraveineuse", "sc", "sous-cutanée", "im", "perfusion"),
        "parenteral",
    ),
}
ROUTE_CONCEPTS = {4132161: "oral", 4171047: "parenteral", 4142048: "parenteral", 4302612: "parenteral"}


def canonical_dose(value: pd.Series, unit: pd.Series) -> pd.DataFrame:
    """Dose and unit: mg, UI or mL where the unit is known, else the hospital's own unit, lower case.

    Returns:
        A frame with ``dose`` (NaN where no number, or not above 0) and ``unit`` ("" where none).
    """
    known = [DOSE_UNITS.get(name, (name, 1.0)) for name in map(_normal, unit)]
    factor = np.array([number for _, number in known], dtype=float)
    dose = pd.to_numeric(value, errors="coerce").to_numpy(float) * factor
    dose = np.where(dose > 0, dose, np.nan).round(9)
    return pd.DataFrame({"dose": dose, "unit": np.array([name for name, _ in known], dtype=object)}, index=value.index)


def lab_value(analyte: str, value: pd.Series, unit: pd.Series, *, of_all: bool = True) -> pd.Series:
    """Results of one analysis in its unit: creatinine µmol/L, potassium mmol/L, INR without unit, weight kg.

    The unit decides, the analysis's code never: hospitals file molar creatinine under the code of the mass.

    Args:
        of_all: the results are those of a whole hospital, whose median can be judged; of a few patients it cannot.
    Raises:
        UnitError: the median creatinine said to be in µmol/L is under 10, so the column is in mg/dL.
    """
    factors = LAB_UNITS[analyte]
    factor = np.array([factors.get(name, np.nan) for name in map(_normal, unit)], dtype=float)
    converted = pd.to_numeric(value, errors="coerce").to_numpy(float) * factor
    molar = converted[(factor == 1.0) & ~np.isnan(converted)]
    if of_all and analyte == "creatinine" and len(molar) and (median := float(np.median(molar))) < 10:
        raise UnitError(
            what=f"the median creatinine said to be in µmol/L is {median:.2g}: the column is in mg/dL",
            looked=f"{int((~np.isnan(converted)).sum())} results of the view lab_results",
            do="correct the unit in the mapping of the laboratory, then run the source again",
        )
    low, high = IMPLAUSIBLE[analyte]
    return pd.Series(np.where((converted >= low) & (converted <= high), converted, np.nan), index=value.index)


def route_group(route_source: pd.Series, route_concept_id: pd.Series) -> pd.Series:
    """Oral, parenteral, other (a route we know nothing of) or "" (none written)."""
    found = map(_route, route_source, route_concept_id.tolist())
    return pd.Series(np.array(list(found), dtype=object), index=route_source.index)


@lru_cache(maxsize=10_000)
def _route(written: str | None, concept: int) -> str:
    text = "" if _is_missing(written) else str(written).strip().lower()
    return ROUTES.get(text, "") or ROUTE_CONCEPTS.get(int(concept), "") or ("other" if text else "")


@lru_cache(maxsize=10_000)
def _normal(text: str | None) -> str:
    return "" if _is_missing(text) else _INSIGNIFICANT.sub("", str(text).strip().lower())


def _is_missing(text: object) -> bool:
    return text is None or (isinstance(text, float) and np.isnan(text))
