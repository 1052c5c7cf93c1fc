"""What the features are about: a pharmacist is told reasons, not columns. Read by a pharmacist; no logic here."""

from models.prescription_review.dose_reference import SAID
from models.prescription_review.illnesses import ILLNESSES

# Theme → features that speak for it; every feature has one theme.
THEMES: dict[str, tuple[str, ...]] = {
    "dose": (
        *(f"{measure}_{name}" for measure in ("daily", "dose") for name in SAID[measure]), "max_ratio", "dose_missing",
        "change_from_previous", "rule_dose", "rule_dose_sum", "rule_underdose", "objected_dose", "objected_dose_sum",
        "objected_underdose",
    ),
    "rhythm": ("per_day", *(f"per_day_{name}" for name in SAID["per_day"]), "rule_rhythm", "objected_rhythm"),
    "route": ("route", "route_code_commonness", "rule_route", "objected_route"),
    "kidney": (
        "clearance", "filtration", "filtration_lowest", "kidney_margin", "creatinine", "creatinine_change",
        "ill_kidney", "rule_renal", "objected_renal", "objected_kidneys", "rare_kidneys", "objected_filtration",
        "rare_filtration", *(f"{measure}_{name}" for measure in ("kidney", "filtration") for name in SAID[measure]),
    ),
    "laboratory": (
        "potassium", "potassium_highest", "INR", "sodium", "glucose", "haemoglobin", "platelets", "ALT", "rule_lab",
        "rule_adverse", "objected_lab", "objected_adverse", "objected_potassium_level", "rare_potassium_level",
        "objected_haemoglobin_level", "rare_haemoglobin_level",
    ),
    "monitoring": (
        "creatinine_age_h", "potassium_age_h", "INR_age_h", "treated_hours", "rule_monitoring", "objected_monitoring",
    ),
    "duplicate": (
        "active_same_substance", "active_same_class", "rule_duplicate", "objected_duplicate", "objected_same_group",
        "rare_same_group", "rare_duplicate",
    ),
    "interaction": (
        "after_other", "interaction_level", "rule_interaction", "objected_interaction", "objected_other_drug",
        "rare_other_drug", "rare_interaction",
    ),
    "disease": (
        *(name for name in ILLNESSES if name != "ill_kidney"), "stopp_criteria", "rule_contraindication", "rule_stopp",
        "objected_contraindication", "objected_stopp", "objected_illness", "rare_illness",
    ),
    "allergy": ("allergies", "rule_allergy", "objected_allergy"),
    "pregnancy": ("pregnant", "female", "rule_pregnancy", "objected_pregnancy"),
    "age": ("age", "rule_age", "objected_age", "objected_age_and_sex", "rare_age_and_sex"),
    "missing treatment": ("rule_untreated", "objected_untreated"),
    "not given": ("given_doses", "given_share"),
    "drug": ("atc2", "atc4"),
    "context": ("hour", "weekend", "hours_since_admission", "active_orders", "rules_total", "rules_grave"),
}  # fmt: skip
BACKGROUND = ("drug", "context")  # they say how risky such an order is, and give no reason
OF_FEATURE = {name: theme for theme, names in THEMES.items() for name in names}
