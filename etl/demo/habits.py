"""What sets one generated hospital apart from another, beside its catalogue: who comes, how it orders, errs and writes.

The clinical course (`people`, `stays`, `orders`, `biology`…) is drawn by the same code for every hospital; a model that
travels from one to the other meets these differences, and those of the catalogue and of the record.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Wards:
    """Codes of the wards that the course of a stay names by their part."""

    emergency: str
    short_stay: str
    clinics: tuple[str, str, str]
    day_medicine: str
    day_oncology: str
    after_sepsis: str
    moves_to: tuple[str, str]  # four moves to the first for one to the second


@dataclass(frozen=True, kw_only=True)
class Habits:
    """One hospital. Shares are between 0 and 1; factors multiply the rate of the code that reads them."""

    person_number: str  # format of a nine-digit number
    stay_number: str  # format of year (two digits) and serial (eight)
    wards: Wards
    ages: tuple[tuple[float, float, float], ...]  # from, to, share
    women: float
    diseases: Mapping[str, float] = field(default_factory=dict)  # factor of the prevalence of some chronic diseases
    stay_kinds: tuple[float, float, float, float]  # HC, URG, CS, HJ
    stays: float  # mean number of further stays of a patient without chronic disease
    deaths_told: float  # hospital deaths whose date reaches the administration
    sampling: float  # mornings of a stay with a blood sample
    ordering: tuple[float, float, float]  # how much of the usual treatment HC, HJ, URG prescribe
    emergency_drugs: Mapping[str, float]  # ATC code → share of the emergency visits
    vague_doses: float  # lines whose dose is no number
    errors: Mapping[str, float] = field(default_factory=dict)  # factor of some mechanisms of error
    formulary_changes: tuple[tuple[str, str, str], ...]  # from a day on, one drug in place of another
    rounds: tuple[int, ...]  # working days after the first of each ward's week on which a pharmacist reads its orders
    pharmacy_opens: float
    pharmacy_closes: float
    errors_seen: float  # factor of the chance that a pharmacist sees an error
    accepted: float  # interventions that the physician follows
    accepted_plain: float  # the same, where the error is plain to see
    given: tuple[float, float, float]  # planned administrations that are given, not given, refused
    validation_minutes: float  # median time from sample to validated result
    letter_delay_days: float
    other_spelling: Mapping[str, str]  # unit → how one result in twenty writes it


CHU_DEMO = Habits(
    person_number="8{:09d}",
    stay_number="2{year:02d}{serial:08d}",
    wards=Wards(
        emergency="1110", short_stay="1120", clinics=("7110", "7210", "7710"), day_medicine="6110", day_oncology="6910",
        after_sepsis="2110", moves_to=("2610", "3110"),
    ),
    ages=((18, 45, 0.16), (45, 65, 0.24), (65, 80, 0.34), (80, 97, 0.26)),
    women=0.52,
    stay_kinds=(0.44, 0.23, 0.25, 0.08),
    stays=0.8,
    deaths_told=0.8,
    sampling=0.26,
    ordering=(1.4, 0.40, 0.30),
    emergency_drugs={"N02BE01": 0.55, "N02AX02": 0.15, "N02BG06": 0.08, "A04AA01": 0.08, "R03AC02": 0.04},
    vague_doses=0.065,
    formulary_changes=(("2023-09-01", "A02BC01", "A02BC02"), ("2024-02-01", "C10AA05", "C10AA07")),
    rounds=(0,),
    pharmacy_opens=9.0,
    pharmacy_closes=17.5,
    errors_seen=1.0,
    accepted=0.60,
    accepted_plain=0.77,
    given=(0.925, 0.055, 0.020),
    validation_minutes=65,
    letter_delay_days=1.2,
    other_spelling={"µmol/L": "umol/l", "mmol/L": "mmol/l", "g/dL": "g/100mL", "G/L": "10^9/L", "UI/L": "U/L"},
)  # fmt: skip

# Younger, with oncology, transplants and psychiatry; more errors, later reviews, slower letters.
CHU_SECOND = Habits(
    person_number="C{:09d}",
    stay_number="H{year:02d}{serial:08d}",
    wards=Wards(
        emergency="U101", short_stay="U102", clinics=("C501", "C502", "C503"), day_medicine="J401", day_oncology="J402",
        after_sepsis="M202", moves_to=("M208", "R301"),
    ),
    ages=((18, 45, 0.29), (45, 65, 0.35), (65, 80, 0.25), (80, 96, 0.11)),
    women=0.49,
    diseases={"CANCER": 2.4, "GREFFE": 3.5, "BIPO": 2.2, "DEPR": 1.4, "DT2": 1.3, "FA": 0.8, "DEM": 0.6, "PR": 1.8},
    stay_kinds=(0.37, 0.17, 0.26, 0.20),
    stays=1.2,
    deaths_told=0.6,
    sampling=0.40,
    ordering=(1.15, 0.55, 0.22),
    emergency_drugs={"N02BE01": 0.40, "N02AJ06": 0.18, "M01AE03": 0.10, "N05BB01": 0.06, "R03AC02": 0.06},
    vague_doses=0.04,
    errors={"surdosage": 1.6, "sous_dosage": 1.3, "non_adapte_renal": 1.5, "contre_indication": 1.5, "doublon": 1.8,
            "interaction": 1.6, "voie": 0.8, "frequence": 1.5, "suivi_absent": 1.3},
    formulary_changes=(("2023-05-15", "A02BC03", "A02BC02"),),
    rounds=(0,),
    pharmacy_opens=8.5,
    pharmacy_closes=18.5,
    errors_seen=0.88,
    accepted=0.50,
    accepted_plain=0.62,
    given=(0.88, 0.085, 0.035),
    validation_minutes=110,
    letter_delay_days=4.5,
    other_spelling={"mEq/L": "meq/l", "g/100mL": "g/dL", "/mm3": "/mm³", "UI/L": "U/L", "mg/L": "mg/l"},
)  # fmt: skip
