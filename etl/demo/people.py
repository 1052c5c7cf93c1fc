"""Fictitious patients: who they are, where they live, and the chronic diseases that drive all the rest."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from etl.demo.catalogue import CHRONIC, Catalogue
from etl.demo.draws import BLOCK, EMPTY, SECOND, Block, Flags, Floats, Integers, Moments, Objects, choose, scramble
from etl.demo.habits import Habits

START = np.datetime64("2022-01-01T00:00:00", "s")
EXTRACTION = np.datetime64("2025-01-01T00:00:00", "s")  # the day of the extract: nothing is known after it

# Prevalence at 40 and at 80 years, straight between and beyond; a synthetic hospital population, not a claim.
PREVALENCE = {
    "HTA": (0.15, 0.65), "IC": (0.01, 0.22), "FA": (0.01, 0.24), "DT2": (0.08, 0.24), "IRC": (0.02, 0.26),
    "BPCO": (0.04, 0.14), "ASTHME": (0.08, 0.04), "DYSLIP": (0.12, 0.38), "CORO": (0.02, 0.20), "AVC": (0.01, 0.11),
    "CANCER": (0.05, 0.14), "DEPR": (0.15, 0.18), "EPI": (0.02, 0.03), "DEM": (0.00, 0.18), "THYR": (0.05, 0.12),
    "GOUTTE": (0.02, 0.07), "ARTH": (0.05, 0.35), "PR": (0.01, 0.02), "GREFFE": (0.012, 0.006), "BIPO": (0.02, 0.01),
}  # fmt: skip
# A disease that makes another likelier, and by how much.
LINKS = (
    ("HTA", "IC", 1.5),
    ("DT2", "IRC", 1.7),
    ("HTA", "IRC", 1.4),
    ("IC", "FA", 1.8),
    ("GREFFE", "IRC", 6.0),
    ("IRC", "GOUTTE", 2.0),
)


@dataclass(frozen=True)
class People:
    """Patients of one block, one row each; ``index`` counts from 0 over the whole hospital."""

    index: Integers
    ipp: Objects
    female: Flags
    birth: Moments
    chronic: Flags  # (n, len(CHRONIC))
    egfr: Floats  # usual renal function, mL/min/1.73 m²
    weight_kg: Floats
    height_cm: Floats
    penicillin_allergy: Flags
    nsaid_allergy: Flags
    smoker: Flags
    postal_code: Objects
    surname: Objects
    first_name: Objects
    address: Objects
    telephone: Objects

    def has(self, disease: str) -> Flags:
        """Who has a chronic disease, shape (n,)."""
        return self.chronic[:, CHRONIC.index(disease)]

    def age(self, moments: Moments | np.datetime64, rows: Integers | slice = slice(None)) -> Floats:
        """Age in years at a moment."""
        return (moments - self.birth[rows]).astype("timedelta64[D]").astype(np.float64) / 365.25


def draw_people(block: Block, catalogue: Catalogue) -> People:
    """The patients of one block."""
    rng = block.generator("patient")
    index = np.arange(block.first, block.first + BLOCK)
    habits = catalogue.habits
    female = rng.random(BLOCK) < habits.women
    birth = _births(rng, habits)
    age = (START - birth).astype("timedelta64[D]").astype(np.float64) / 365.25
    chronic = _diseases(rng, age, female, habits)
    words = catalogue.words
    women, men = np.array(words["prenom_f"], dtype=object), np.array(words["prenom_m"], dtype=object)
    first_names = np.where(female, women[rng.integers(len(women), size=BLOCK)], men[rng.integers(len(men), size=BLOCK)])
    surnames = np.array(words["nom"], dtype=object)[rng.integers(len(words["nom"]), size=BLOCK)]
    towns = choose(rng, [float(row["poids"]) for row in catalogue.communes], BLOCK)
    height = np.where(female, rng.normal(161, 6.5, BLOCK), rng.normal(174, 7, BLOCK)).clip(140, 200).round()
    mass_index = (rng.normal(26, 4.5, BLOCK) + 2.5 * chronic[:, CHRONIC.index("DT2")]).clip(15, 50)
    streets = np.array(words["voie"], dtype=object)[rng.integers(len(words["voie"]), size=BLOCK)]
    doors = rng.integers(1, 180, BLOCK)
    lines = rng.integers(0, 10_000, BLOCK)
    allergy = rng.random((2, BLOCK))
    numbers = scramble(index, 10**9, 618_033_989, 271_828).tolist()
    return People(
        index=index,
        ipp=np.array([habits.person_number.format(n) for n in numbers], dtype=object),
        female=female,
        birth=birth,
        chronic=chronic,
        egfr=_renal_function(rng, age, chronic[:, CHRONIC.index("IRC")]),
        weight_kg=(mass_index * (height / 100) ** 2).round(1),
        height_cm=height,
        penicillin_allergy=allergy[0] < 0.07,
        nsaid_allergy=allergy[1] < 0.025,
        smoker=rng.random(BLOCK) < np.where(chronic[:, CHRONIC.index("BPCO")], 0.55, 0.18),
        postal_code=np.array([row["code_postal"] for row in catalogue.communes], dtype=object)[towns],
        surname=surnames,
        first_name=first_names,
        address=np.array([f"{n} {street}" for n, street in zip(doors, streets, strict=True)], dtype=object),
        # 06 39 98 is one of the ranges that the French regulator keeps for fiction.
        telephone=np.array([f"06 39 98 {n // 100:02d} {n % 100:02d}" for n in lines.tolist()], dtype=object),
    )


def _births(rng: np.random.Generator, habits: Habits) -> Moments:
    band = choose(rng, [share for _, _, share in habits.ages], BLOCK)
    low, high = (np.array([row[side] for row in habits.ages])[band] for side in (0, 1))
    days = ((low + (high - low) * rng.random(BLOCK)) * 365.25).round().astype("timedelta64[D]")
    return (START.astype("datetime64[D]") - days).astype(SECOND)


def _diseases(rng: np.random.Generator, age: Floats, female: Flags, habits: Habits) -> Flags:
    """Diseases one after the other, so that earlier ones raise the odds of later ones."""
    chronic = np.zeros((BLOCK, len(CHRONIC)), dtype=bool)
    draws = rng.random(chronic.shape)
    for position, disease in enumerate(CHRONIC):
        at_40, at_80 = PREVALENCE[disease]
        probability = (at_40 + (at_80 - at_40) * (age - 40) / 40).clip(0.001, 0.9) * habits.diseases.get(disease, 1.0)
        if disease in ("THYR", "DEPR", "ARTH"):
            probability = probability * np.where(female, 1.4, 0.6)
        for cause, effect, factor in LINKS:
            if effect == disease and CHRONIC.index(cause) < position:
                probability = probability * np.where(chronic[:, CHRONIC.index(cause)], factor, 1.0)
        chronic[:, position] = draws[:, position] < probability
    # A graft is one of the causes of renal failure although it is drawn after it.
    chronic[:, CHRONIC.index("IRC")] |= chronic[:, CHRONIC.index("GREFFE")] & (draws[:, 0] < 0.6)
    return chronic


def _renal_function(rng: np.random.Generator, age: Floats, failure: Flags) -> Floats:
    healthy = (112 - 0.75 * (age - 20) + rng.normal(0, 9, BLOCK)).clip(61, 130)
    failing = rng.normal(40, 13, BLOCK).clip(7, 59)
    return np.where(failure, failing, healthy)


def patient_table(people: People, deaths: Moments, catalogue: Catalogue, block: Block) -> pa.Table:
    """Rows of ``dpi.patient``.

    Args:
        deaths: day of death as the administration knows it, NaT where it does not.
    """
    rng = block.generator("patient.admin")
    n = len(people.index)
    town = {row["code_postal"]: row["commune"] for row in catalogue.communes}
    married = people.female & (rng.random(n) < 0.55)
    maiden = np.array(catalogue.words["nom"], dtype=object)[rng.integers(len(catalogue.words["nom"]), size=n)]
    nir = _social_numbers(people, rng)
    with_key = np.array([f"{number}{97 - number % 97:02d}" for number in nir], dtype=object)
    moved = people.postal_code.copy()
    moved[rng.random(n) < 0.01] = "99999"  # abroad or mistyped: not a commune of the reference table
    return pa.table(
        {
            "_p": people.index,
            "ipp": people.ipp,
            "nom": np.array([name.upper() for name in people.surname], dtype=object),
            "prenom": people.first_name,
            "nom_naissance": np.array(
                [name.upper() for name in np.where(married, maiden, people.surname)], dtype=object
            ),
            "sexe": np.where(people.female, "F", "M"),
            "date_naissance": pa.array(people.birth.astype("datetime64[D]")),
            "adresse": people.address,
            "code_postal": moved,
            "commune": np.array([town[code] for code in people.postal_code], dtype=object),
            "telephone": people.telephone,
            "ins": np.where(rng.random(n) < 0.93, with_key, EMPTY),
            "nir": np.where(rng.random(n) < 0.85, np.array([str(n) for n in nir], dtype=object), EMPTY),
            "date_deces": pa.array(deaths.astype("datetime64[D]")),
            "maj_le": pa.array(_updates(rng, deaths)),
        }
    )


def _social_numbers(people: People, rng: np.random.Generator) -> list[int]:
    """Thirteen digits that look like a NIR and cannot be one: no commune has the number 000."""
    months = people.birth.astype("datetime64[M]").astype(np.int64)
    year, month = (months // 12 + 1970) % 100, months % 12 + 1
    order = rng.integers(1, 1000, len(people.index))
    sex = np.where(people.female, 2, 1)
    return ((((sex * 100 + year) * 100 + month) * 100 + 96) * 1_000_000 + order).tolist()


def _updates(rng: np.random.Generator, deaths: Moments) -> Moments:
    span = int((EXTRACTION - START).astype(np.int64))
    drawn = START + rng.integers(0, span, len(deaths)).astype("timedelta64[s]")
    known = np.where(np.isnat(deaths), drawn, deaths + np.timedelta64(2, "D"))
    return np.minimum(known, EXTRACTION - np.timedelta64(1, "h")).astype(SECOND)
