"""What the features are about: a pharmacist is told reasons, not columns. Read by a pharmacist; no logic here."""

from models.prescription_review.dose_reference import SAID
from models.prescription_review.illnesses import ILLNESSES

# Theme → features that speak for it; every feature has one theme.
THEMES: dict[str, tuple[str, ...]] = {
    "dose": (
        *(f"{measure}_{name}" for measure in ("daily", "dose") for name in SAID[measure]), "max_ratio", "dose_missing",
        "change_from_previous", "rule_dose", "rule_dose_sum", "rule_underdose",
    ),
    "rhythm": ("per_day", *(f"per_day_{name}" for name in SAID["per_day"]), "rule_rhythm"),
    "route": ("route", "route_code_share_equal", "rule_route"),
    "kidney": ("clearance", "creatinine", "creatinine_change", "ill_kidney", "rule_renal"),
    "laboratory": (
        "potassium", "INR", "sodium", "glucose", "haemoglobin", "platelets", "ALT", "rule_lab", "rule_adverse",
    ),
    "monitoring": ("creatinine_age_h", "potassium_age_h", "INR_age_h", "treated_hours", "rule_monitoring"),
    "duplicate": ("active_same_substance", "active_same_class", "rule_duplicate"),
    "interaction": ("after_other", "interaction_level", "rule_interaction"),
    "disease": (
        *(name for name in ILLNESSES if name != "ill_kidney"), "stopp_criteria", "rule_contraindication", "rule_stopp",
    ),
    "allergy": ("allergies", "rule_allergy"),
    "pregnancy": ("pregnant", "female", "rule_pregnancy"),
    "age": ("age", "rule_age"),
    "missing treatment": ("rule_untreated",),
    "not given": ("given_share",),
    "drug": ("atc2", "atc4"),
    "context": (
        "stay_kind", "hour", "weekend", "hours_since_admission", "active_orders", "rules_total", "rules_grave",
    ),
}  # fmt: skip
BACKGROUND = ("drug", "context")  # they say how risky such an order is, and give no reason
OF_FEATURE = {name: theme for theme, names in THEMES.items() for name in names}
