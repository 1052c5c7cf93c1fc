"""What codes of FHIR mean in the words of the views. Read by a pharmacist; no logic here.

LOINC codes: © Regenstrief Institute, used under its licence.
"""

ATC_SYSTEMS = ("http://www.whocc.no/atc", "https://smt.esante.gouv.fr/terminologie-atc")
# With and without a slash at the end, as they are met.
ICD10_SYSTEMS = ("http://hl7.org/fhir/sid/icd-10", "https://smt.esante.gouv.fr/terminologie-cim-10")
LOINC = "http://loinc.org"

# Intakes a day of an abbreviation (v3-GTSAbbreviation, and the HL7 examples of Timing.code).
PER_DAY = {
    "QD": 1.0, "BID": 2.0, "TID": 3.0, "QID": 4.0, "QOD": 0.5, "AM": 1.0, "PM": 1.0, "BED": 1.0, "WK": 1 / 7,
    "MO": 1 / 30, "Q1H": 24.0, "Q2H": 12.0, "Q3H": 8.0, "Q4H": 6.0, "Q6H": 4.0, "Q8H": 3.0, "Q12H": 2.0,
}  # fmt: skip
# Days in a unit of time (UnitsOfTime).
DAYS = {"s": 1 / 86_400, "min": 1 / 1_440, "h": 1 / 24, "d": 1.0, "wk": 7.0, "mo": 30.0, "a": 365.0}

# Route: SNOMED CT and EDQM codes → the word of an order.
ROUTES = {
    "26643006": "orale", "47625008": "intraveineuse", "34206005": "sous-cutanée", "78421000": "im",
    "20053000": "orale", "20045000": "intraveineuse", "20066000": "sous-cutanée", "20035000": "im",
}  # fmt: skip

# LOINC code of a result → its name in the view lab_results.
RESULTS = {
    "14682-9": "creatinine", "2160-0": "creatinine", "38483-4": "creatinine", "2823-3": "potassium",
    "6298-4": "potassium", "6301-6": "INR", "34714-6": "INR",
}  # fmt: skip
WEIGHTS = ("29463-7", "3141-9", "3142-7")  # they are in the view observations

# An order, a result or a diagnosis that does not hold.
NO_ORDER = ("cancelled", "stopped", "completed", "entered-in-error", "ended")
NO_RESULT = ("cancelled", "entered-in-error", "registered", "unknown")
NO_DIAGNOSIS = ("refuted", "entered-in-error")
SEXES = {"female": "F", "male": "M"}
