"""Kidney function of adults from serum creatinine."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
UMOL_L_PER_MG_DL = 88.4


def cockcroft_gault(age_years: Array, weight_kg: Array, creatinine_umol_l: Array, female: Array) -> Array:
    """Creatinine clearance, mL/min, the measure that most product information speaks of.

    Args: four arrays of shape (n,); ``female`` is 1, 0 or NaN. Weight is the last one before the order.
    Returns: shape (n,); NaN where an input is missing or the person is under 18.
    Source: Nephron 1976;16:31-41, doi 10.1159/000180580; in µmol/L its factor is 1.23 (men) or 1.04 (women).
    Example:
        >>> one = lambda x: np.array([float(x)])
        >>> cockcroft_gault(one(70), one(60), one(100), one(1)).round(1).tolist()
        [43.7]
    """
    factor = np.where(np.isnan(female), np.nan, np.where(female == 1, 1.04, 1.23))
    clearance = np.clip(140 - age_years, 0, None) * weight_kg * factor / creatinine_umol_l
    return np.where(age_years >= 18, clearance, np.nan)


def ckd_epi_2009(age_years: Array, creatinine_umol_l: Array, female: Array) -> Array:
    """Glomerular filtration rate, mL/min/1.73 m², where no weight is known. No ethnicity term.

    Args: three arrays of shape (n,); ``female`` is 1, 0 or NaN.
    Returns: shape (n,); NaN where an input is missing or the person is under 18.
    Source: Ann Intern Med 2009;150:604-12, doi 10.7326/0003-4819-150-9-200905050-00006.
    Example:
        >>> one = lambda x: np.array([float(x)])
        >>> ckd_epi_2009(one(60), one(88.4), one(0)).round(0).tolist()
        [81.0]
    """
    kappa = np.where(female == 1, 0.7, 0.9)
    alpha = np.where(female == 1, -0.329, -0.411)
    ratio = creatinine_umol_l / UMOL_L_PER_MG_DL / kappa
    rate = 141 * np.minimum(ratio, 1) ** alpha * np.maximum(ratio, 1) ** -1.209 * 0.993**age_years
    rate = rate * np.where(female == 1, 1.018, 1.0)
    return np.where((age_years >= 18) & ~np.isnan(female), rate, np.nan)
