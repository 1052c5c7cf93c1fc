"""What is said of each feature at each value, in the words of a ward. Read by a pharmacist; no logic here."""

from __future__ import annotations

import math
from dataclasses import dataclass

from models.prescription_review import wording
from models.prescription_review.dose_reference import SAID
from models.prescription_review.illnesses import ILLNESSES
from models.prescription_review.rules import CATEGORIES

INF = math.inf
SAME = 0.02  # of a natural logarithm: one dose and the same one
STABLE = 0.1  # of a natural logarithm: one creatinine and the same one
NEAR, FAR = 0.5, 2.0  # robust spreads from the usual dose
AS_EXPECTED = 0.5  # bits
SELDOM = 0.05  # of the prescriptions
OFTEN_CORRECTED = 0.1  # of the prescriptions; one in twenty is
NO_RATE = 1e-9  # a rate is drawn towards that of every order: none is 0 but where there is nothing of the kind
USUAL = 0.95  # of how often the most usual dose is prescribed


@dataclass(frozen=True)
class Phrase:
    """What is said of a feature.

    Attributes:
        below: upper bound (exclusive) of the value → words, in ascending order; the last bound is infinite.
            Words may hold {value}, {whole}, {percent}, {since} (of hours), {every} (of a rate a day), {times} (how many
            times more or less), {state} (of the patient, whose band it is) and {about} (the other drug or diagnosis).
        unknown: words where there is no value.
        scale: what a value is, for {times}: the ``log`` or the number of ``bits`` of a ratio, or a ``share``.
        ordinary: places in ``below`` of the words for what one expects, where there is nothing to look at.
    """

    below: tuple[tuple[float, str], ...]
    unknown: str = ""
    scale: str = ""
    ordinary: tuple[int, ...] = ()

    def place(self, value: float) -> int:
        """Which of ``below`` a known value has."""
        place, last = 0, len(self.below) - 1
        while place < last and value >= self.below[place][0]:
            place += 1
        return place


def _one(words: str, unknown: str = "") -> Phrase:
    return Phrase(((INF, words),), unknown)


def _within(low: float, high: float, words: str, unknown: str) -> Phrase:
    """Said in the same words where it is ordinary (from ``low`` to below ``high``) and where it is not."""
    bounds = sorted({low, high, INF})
    return Phrase(tuple((bound, words) for bound in bounds), unknown, ordinary=(1,))


def _count(none: str, one: str, many: str) -> Phrase:
    return Phrase(((0.5, none), (1.5, one), (INF, many)), ordinary=(0,))


def _yes(yes: str, no: str) -> Phrase:
    return Phrase(((0.5, no), (INF, yes)), ordinary=(0,))


def _ratio(less: str, same: str, more: str, unknown: str, least: float = SAME) -> Phrase:
    return Phrase(((-least, less), (least, same), (INF, more)), unknown, "log", (1,))


def _common(what: str, rare: str, usual: str, unknown: str) -> Phrase:
    return Phrase(((USUAL, f"{what} {{times}} fois moins {rare}"), (INF, f"{what} {usual}")), unknown, "share", (1,))


def _rate(words: str, nothing: str) -> Phrase:
    return Phrase(((NO_RATE, nothing), (OFTEN_CORRECTED, words), (INF, words)), nothing, ordinary=(0, 1))


def _of_dose(dose: str, where: str = "") -> dict[str, Phrase]:
    """Args: dose: what is compared; ``where``: with whose doses."""
    unknown = f"{where}{dose} sans usage connu auquel la comparer"
    return {
        "log_ratio": _ratio(
            f"{where}{dose} {{times}} fois plus faible que l'usuelle",
            f"{where}{dose} égale à l'usuelle",
            f"{where}{dose} {{times}} fois plus forte que l'usuelle",
            unknown,
        ),
        "z": Phrase(
            (
                (-FAR, f"{dose} très au-dessous de l'usuelle"),
                (-NEAR, f"{dose} au-dessous de l'usuelle"),
                (NEAR, f"{dose} proche de l'usuelle"),
                (FAR, f"{dose} au-dessus de l'usuelle"),
                (INF, f"{dose} très au-dessus de l'usuelle"),
            ),
            unknown,
            ordinary=(2,),
        ),
        "share_above": _within(
            SELDOM, 1 - SELDOM, f"{where}{{percent}} % des prescriptions ont une {dose} plus forte", unknown
        ),
        "commonness": _common(where + dose, "prescrite que la plus usuelle", "la plus usuelle", unknown),
        "error_ratio": Phrase(
            (
                (0.0, f"{where}{dose} qui n'a pas l'allure d'une erreur de saisie"),
                (INF, f"{where}{dose} qui a l'allure d'une erreur de saisie"),
            ),
            unknown,
            ordinary=(0,),
        ),
    }


DOSES = {
    "daily": _of_dose("dose journalière"),
    "dose": _of_dose("dose par prise"),
    "kidney": _of_dose("dose", "à cette fonction rénale, "),
    "filtration": _of_dose("dose", "à ce débit de filtration, "),
}
MEASURED = {
    "age": _within(0.0, 75.0, "âge de {whole} ans", "âge inconnu"),
    "clearance": _within(60.0, INF, "fonction rénale à {whole} mL/min", "fonction rénale inconnue"),
    "filtration": _within(60.0, INF, "débit de filtration à {whole} mL/min/1,73 m²", "débit de filtration inconnu"),
    "filtration_lowest": _within(
        60.0,
        INF,
        "débit de filtration descendu à {whole} mL/min/1,73 m² ces derniers jours",
        "débit de filtration inconnu",
    ),
    "kidney_margin": Phrase(
        (
            (1.0, "débit de filtration sous le seuil d'adaptation de ce médicament ({percent} % de celui-ci)"),
            (INF, "débit de filtration au-dessus du seuil d'adaptation de ce médicament"),
        ),
        "fonction rénale inconnue, ou sans effet connu sur ce médicament",
        ordinary=(1,),
    ),
    "creatinine": _within(0.0, 110.0, "créatinine à {whole} µmol/L", "créatinine inconnue"),
    "creatinine_age_h": _one("dernière créatinine datant de {since}", "créatinine inconnue"),
    "creatinine_change": _ratio(
        "créatinine divisée par {times} ces derniers jours",
        "créatinine stable",
        "créatinine multipliée par {times} ces derniers jours",
        "évolution de la créatinine inconnue",
        STABLE,
    ),
    "potassium": _within(3.5, 5.0, "kaliémie à {value} mmol/L", "kaliémie inconnue"),
    "potassium_highest": _within(0.0, 5.0, "kaliémie montée à {value} mmol/L ces derniers jours", "kaliémie inconnue"),
    "potassium_age_h": _one("dernière kaliémie datant de {since}", "kaliémie inconnue"),
    "INR": _within(0.0, 1.5, "INR à {value}", "INR inconnu"),
    "INR_age_h": _one("dernier INR datant de {since}", "INR inconnu"),
    "sodium": _within(135.0, 146.0, "natrémie à {whole} mmol/L", "natrémie inconnue"),
    "glucose": _within(4.0, 11.0, "glycémie à {value} mmol/L", "glycémie inconnue"),
    "haemoglobin": _within(12.0, INF, "hémoglobine à {value} g/dL", "hémoglobine inconnue"),
    "platelets": _within(150.0, 400.0, "plaquettes à {whole} G/L", "plaquettes inconnues"),
    "ALT": _within(0.0, 50.0, "ALAT à {whole} UI/L", "ALAT inconnues"),
}
WRITTEN = {
    "per_day": Phrase(
        ((0.99, "une prise tous les {every} jours"), (1.5, "une prise par jour"), (INF, "{value} prises par jour")),
        "nombre de prises non écrit",
    ),
    "per_day_share_above": _within(
        SELDOM, 1 - SELDOM, "{percent} % des prescriptions ont plus de prises par jour",
        "nombre de prises sans usage connu",
    ),
    "per_day_commonness": _common(
        "nombre de prises par jour", "prescrit que le plus usuel", "le plus usuel", "nombre de prises sans usage connu"
    ),
    "route_code_commonness": _common(
        "voie", "prescrite que la plus usuelle de ce médicament", "la plus usuelle de ce médicament",
        "voie sans usage connu",
    ),
    "max_ratio": Phrase(
        ((1.0 + SAME, "{percent} % de la dose maximale"), (INF, "{value} fois la dose maximale")),
        "dose maximale inconnue, ou dose non écrite", ordinary=(0,),
    ),
    "dose_missing": _yes("dose journalière non écrite", "dose journalière écrite"),
    "change_from_previous": _ratio(
        "dose divisée par {times} depuis la prescription précédente",
        "dose inchangée depuis la prescription précédente",
        "dose multipliée par {times} depuis la prescription précédente",
        "première prescription de ce médicament",
    ),
    "active_same_substance": Phrase(
        ((1.5, "aucune autre ligne de la même substance"), (2.5, "une autre ligne de la même substance"),
         (INF, "plusieurs autres lignes de la même substance")), ordinary=(0,),
    ),
    "active_same_class": Phrase(
        ((1.5, "aucune autre ligne de la même classe"), (2.5, "une autre ligne de la même classe"),
         (INF, "plusieurs autres lignes de la même classe")), "classe inconnue", ordinary=(0,),
    ),
    "after_other": Phrase(
        ((0.5, "prescrit avant l'autre ligne en cause"), (INF, "prescrit après l'autre ligne en cause")),
        "aucune autre ligne en cause",
    ),
    "interaction_level": Phrase(
        ((0.5, "aucune interaction retenue"), (1.5, "interaction à prendre en compte"),
         (2.5, "interaction avec précaution d'emploi"), (3.5, "association déconseillée"),
         (INF, "association contre-indiquée")), ordinary=(0,),
    ),
    "treated_hours": _one("traitement en place depuis {since}", "durée du traitement inconnue"),
    "given_doses": Phrase(
        ((0.5, "aucune prise administrée"), (1.5, "une prise administrée"), (INF, "{whole} prises administrées")),
        "aucune prise encore attendue",
    ),
    "given_share": Phrase(
        ((USUAL, "moins de prises administrées que prévu"), (INF, "prises administrées comme prévu")),
        "aucune prise encore attendue", ordinary=(1,),
    ),
}  # fmt: skip
PATIENT = {
    "female": _yes("femme", "homme"),
    "pregnant": _yes("grossesse en cours", "pas de grossesse connue"),
    "allergies": _count("aucune allergie connue", "une allergie connue", "{whole} allergies connues"),
    "stopp_criteria": _count("aucun critère STOPP", "un critère STOPP", "{whole} critères STOPP"),
    **{name: _yes(wording.LABELS[name], f"sans {wording.LABELS[name]}") for name in ILLNESSES},
}
# Thing beside an order → when, and what is said where there is nothing of the kind.
BESIDE = {
    "other_drug": ("avec {about}", "aucune autre ligne active"),
    "same_group": ("avec {about}", "aucun autre médicament du même groupe"),
    "illness": ("avec {about}", "aucun diagnostic connu"),
    "kidneys": ("à une fonction rénale de {state} mL/min", "fonction rénale inconnue"),
    "filtration": ("à un débit de filtration de {state} mL/min/1,73 m²", "débit de filtration inconnu"),
    "potassium_level": ("à une kaliémie de {state} mmol/L", "kaliémie inconnue"),
    "haemoglobin_level": ("à une hémoglobine de {state} g/dL", "hémoglobine inconnue"),
    "age_and_sex": ("à {state} ans et pour ce sexe", "âge ou sexe inconnu"),
}
# Rules that name another drug.
PAIRED = {"duplicate": ("avec {about}", "aucune redondance"), "interaction": ("avec {about}", "aucune interaction")}
RARE = {
    f"rare_{kind}": Phrase(
        (
            (-AS_EXPECTED, f"médicament {{times}} fois moins prescrit qu'attendu {when}"),
            (AS_EXPECTED, f"médicament prescrit autant qu'attendu {when}"),
            (INF, f"médicament {{times}} fois plus prescrit qu'attendu {when}"),
        ),
        nothing,
        "bits",
        (1, 2),
    )
    for kind, (when, nothing) in (BESIDE | PAIRED).items()
}
OBJECTED = {
    f"objected_{kind}": _rate(f"{{percent}} % des prescriptions comparables corrigées {when}", nothing)
    for kind, (when, nothing) in BESIDE.items()
}
RULES = {rule: wording.LABELS[f"rule_{rule}"].removeprefix("règle : ") for rule in CATEGORIES}
RULED = {
    f"rule_{rule}": _yes(f"règle « {name} » déclenchée", f"règle « {name} » muette") for rule, name in RULES.items()
}
OBEYED = {
    f"objected_{rule}": _rate(f"{{percent}} % des alertes « {name} » comparables suivies", f"règle « {name} » muette")
    for rule, name in RULES.items()
}
PHRASES: dict[str, Phrase] = {
    **{f"{measure}_{name}": phrases[name] for measure, phrases in DOSES.items() for name in SAID[measure]},
    **MEASURED, **WRITTEN, **PATIENT, **RARE, **OBJECTED, **RULED, **OBEYED,
}  # fmt: skip
# Beginning of a feature → what must be written in the order for it to have a value, and what is said where it is not.
NOT_WRITTEN = {
    "daily_": ("daily", "dose journalière non écrite"),
    "dose_": ("dose", "dose par prise non écrite"),
    "per_day": ("per_day", "nombre de prises non écrit"),
}
