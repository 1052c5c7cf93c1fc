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

CANONICAL = ("mg", "UI", "mL")

# Units in which the views give results, and those that remain where a site's code is not known to them: same writing as
# above -> factor to the unit of the analysis. Molar masses, g/mol: glucose 180.2, calcium 40.08, magnesium 24.31,
# bilirubin 584.7, digoxin 780.9, lithium 6.94, valproic acid 144.2, phenytoin 252.3, carbamazepine 236.3,
# theophylline 180.2, vancomycin 1449.
_MMOL_L = dict.fromkeys(("mmol/l", "meq/l", "10*-3eq/l"), 1.0)
_CELLS = {
    **dict.fromkeys(("10*9/l", "10^9/l", "10e9/l", "g/l", "giga/l", "10*3/ul", "10^3/ul", "10*3/mm3", "k/ul"), 1.0),
    **dict.fromkeys(("/ul", "/mm3", "10*6/l"), 0.001),
}
_ENZYME = dict.fromkeys(("u/l", "ui/l", "iu/l", "[iu]/l", "[u]/l"), 1.0)
_MG_L = {**dict.fromkeys(("mg/l", "ug/ml", "µg/ml", "μg/ml", "mcg/ml"), 1.0), "mg/dl": 10.0}
_UG_L = dict.fromkeys(("ug/l", "µg/l", "μg/l", "mcg/l", "ng/ml"), 1.0)

LAB_UNITS: dict[str, dict[str, float]] = {
    "creatinine": {  # µmol/L
        **dict.fromkeys(("umol/l", "µmol/l", "μmol/l", "micromol/l"), 1.0),
        "mg/dl": CREATININE_UMOL_PER_MG_DL,
        "mg/l": CREATININE_UMOL_PER_MG_DL / 10,
        "mmol/l": 1000.0,
    },
    "potassium": _MMOL_L,
    "sodium": _MMOL_L,
    "calcium": {"mmol/l": 1.0, "mg/dl": 0.2495, "mg/l": 0.02495},
    "magnesium": {"mmol/l": 1.0, "mg/dl": 0.4114, "mg/l": 0.04114},
    "glucose": {"mmol/l": 1.0, "mg/dl": 0.0555, "g/l": 5.55},
    "INR": dict.fromkeys(("", "1", "{inr}", "{ratio}", "ratio", "inr"), 1.0),
    "aPTT": dict.fromkeys(("s", "sec", "seconde", "secondes"), 1.0),
    "anti_Xa": dict.fromkeys(("ui/ml", "u/ml", "iu/ml", "[iu]/ml", "[u]/ml"), 1.0),
    "haemoglobin": {**dict.fromkeys(("g/dl", "g/100ml"), 1.0), "g/l": 0.1, "mmol/l": 1.611},
    "platelets": _CELLS,
    "leucocytes": _CELLS,
    "neutrophils": _CELLS,
    "ALT": _ENZYME,
    "CK": _ENZYME,
    "bilirubin": {**dict.fromkeys(("umol/l", "µmol/l", "μmol/l"), 1.0), "mg/dl": 17.1, "mg/l": 1.71},
    "TSH": dict.fromkeys(("mui/l", "miu/l", "m[iu]/l", "mu/l", "uui/ml", "uiu/ml", "u[iu]/ml", "µui/ml"), 1.0),
    "digoxin": {**_UG_L, **dict.fromkeys(("nmol/l",), 0.781)},
    "lithium": _MMOL_L,
    "vancomycin": {**_MG_L, "umol/l": 1.449, "µmol/l": 1.449},
    "gentamicin": _MG_L,
    "amikacin": _MG_L,
    "tacrolimus": _UG_L,
    "ciclosporin": _UG_L,
    "phenytoin": {**_MG_L, "umol/l": 0.2523, "µmol/l": 0.2523},
    "valproate": {**_MG_L, "umol/l": 0.1442, "µmol/l": 0.1442},
    "carbamazepine": {**_MG_L, "umol/l": 0.2363, "µmol/l": 0.2363},
    "theophylline": {**_MG_L, "umol/l": 0.1802, "µmol/l": 0.1802},
    "weight": {"kg": 1.0},
}
IMPLAUSIBLE = {
    "creatinine": (5, 5000), "potassium": (0.5, 15), "sodium": (80, 220), "calcium": (0.3, 6), "magnesium": (0.1, 6),
    "glucose": (0.2, 100), "INR": (0.3, 30), "aPTT": (10, 400), "anti_Xa": (0, 10), "haemoglobin": (1, 30),
    "platelets": (0, 5000), "leucocytes": (0, 1000), "neutrophils": (0, 500), "ALT": (1, 50_000), "CK": (1, 1_000_000),
    "bilirubin": (0, 1500), "TSH": (0, 1000), "digoxin": (0, 30), "lithium": (0, 10), "vancomycin": (0, 200),
    "gentamicin": (0, 100), "amikacin": (0, 200), "tacrolimus": (0, 200), "ciclosporin": (0, 5000),
    "phenytoin": (0, 150), "valproate": (0, 1000), "carbamazepine": (0, 60), "theophylline": (0, 200),
    "weight": (0.3, 400),
}  # fmt: skip


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
    """Results of one analysis in its unit (``wording.UNITS``).

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


@lru_cache(maxsize=10_000)
def _normal(text: str | None) -> str:
    return "" if _is_missing(text) else _INSIGNIFICANT.sub("", str(text).strip().lower())


def _is_missing(text: object) -> bool:
    return text is None or (isinstance(text, float) and np.isnan(text))
