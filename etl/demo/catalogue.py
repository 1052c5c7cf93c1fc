"""The catalogue of a generated hospital: wards, reasons of stay, diagnoses, acts, drugs, analyses, its letter.

A physician or a pharmacist can review the files alone; this module only reads them. Those of ``catalogue/`` are the
first hospital's; another hospital has a folder below with the files that differ, and shares the others. An indication
is written ``FEATURE:probability|…``: the probability that a patient with the feature gets the thing; ``base`` is
everybody.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path

import numpy as np

from etl.demo.draws import Floats
from etl.demo.habits import CHU_DEMO, CHU_SECOND, Habits

FOLDER = Path(__file__).parent / "catalogue"
HABITS = {"chu_demo": CHU_DEMO, "chu_second": CHU_SECOND}

CHRONIC = (
    "HTA", "IC", "FA", "DT2", "IRC", "BPCO", "ASTHME", "DYSLIP", "CORO", "AVC",
    "CANCER", "DEPR", "EPI", "DEM", "THYR", "GOUTTE", "ARTH", "PR", "GREFFE", "BIPO",
)  # fmt: skip
MOTIFS = (
    "M_PNEU", "M_IC", "M_BPCO", "M_ASTHME", "M_IU", "M_SEPSIS", "M_FRAC", "M_CHIR", "M_AVC", "M_SCA",
    "M_FA", "M_DIAB", "M_IRA", "M_CHIMIO", "M_CHUTE", "M_HD", "M_EPI", "M_GROSS",
)  # fmt: skip
# What is known of a stay beside chronic diseases and its reason; the last five are safety states.
STATES = (
    "base", "URG", "CS", "FEMME", "JEUNEF", "IRC4", "IRC5", "ALLPENI", "ALLAINS", "GROSS", "HEMO", "KHAUT",
    "DFG15", "DFG20", "DFG25", "DFG30", "DFG35", "DFG50", "AGE65",
)  # fmt: skip
FEATURES = {name: position for position, name in enumerate((*STATES, *CHRONIC, *MOTIFS))}


@dataclass(frozen=True)
class Drug:
    """One line of the formulary; doses and daily frequencies with their usual shares."""

    atc: str
    name: str
    label: str
    route: str
    unit: str
    doses: tuple[tuple[float, float], ...]
    per_day: tuple[tuple[float, float], ...]
    groups: tuple[str, ...]  # drugs that share one are not given together
    renal_below: float  # eGFR in mL/min/1.73 m² under which the dose is reduced; 0: never
    renal_factor: float
    contraindications: tuple[str, ...]
    wrong_route: str
    days: float


@dataclass(frozen=True)
class Protocol:
    """Drugs (positions) that call for one of others, in the stays that have a state."""

    name: str
    triggers: tuple[int, ...]
    state: str
    companions: tuple[int, ...]  # the first is the usual one


@dataclass(frozen=True)
class Watched:
    """Drugs (positions) with the analysis that is watched under them, and what an adverse effect makes of it."""

    name: str
    triggers: tuple[int, ...]
    quantity: str
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Everything that a hospital can order, code, measure and write, and its habits."""

    habits: Habits

    drugs: tuple[Drug, ...]
    drug_weights: Floats  # (features, drugs)
    drug_contraindications: Floats  # (features, drugs), 0 or 1
    interactions: tuple[dict[str, str], ...]
    protocols: tuple[Protocol, ...]  # what comes with a drug
    controls: tuple[Watched, ...]  # what is measured under a drug
    effects: tuple[Watched, ...]  # what a drug may do to an analysis
    diagnoses: tuple[dict[str, str], ...]
    problems: dict[str, list[str]]  # code of a diagnosis → words of the problem list for it
    acts: tuple[dict[str, str], ...]
    act_weights: Floats  # (features, acts)
    reasons: tuple[dict[str, str], ...]
    reason_weights: Floats  # (features, reasons)
    analyses: tuple[dict[str, str], ...]
    vital_signs: tuple[dict[str, str], ...]
    wards: tuple[dict[str, str], ...]
    communes: tuple[dict[str, str], ...]
    words: dict[str, list[str]]
    letter: str

    def drug_index(self, atc: str) -> int:
        """Position of a drug by its ATC code."""
        return next(i for i, drug in enumerate(self.drugs) if drug.atc == atc)


def path_of(hospital: str, name: str) -> Path:
    """One file of a hospital's catalogue: its own, else the common one."""
    own = FOLDER / hospital / name
    return own if own.exists() else FOLDER / name


def read(hospital: str, name: str) -> tuple[dict[str, str], ...]:
    """Rows of one CSV file of a hospital's catalogue."""
    with path_of(hospital, f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


@lru_cache(maxsize=2)
def load_catalogue(hospital: str = "chu_demo") -> Catalogue:
    """The whole catalogue of a hospital, read once."""
    drug_rows, acts, reasons = (read(hospital, name) for name in ("medicaments", "actes", "motifs"))
    place = {row["atc"]: position for position, row in enumerate(drug_rows)}
    return Catalogue(
        habits=HABITS[hospital],
        drugs=tuple(_drug(row) for row in drug_rows),
        drug_weights=_weights([row["indications"] for row in drug_rows]),
        drug_contraindications=_weights([_flags(row["contre_indications"]) for row in drug_rows]),
        interactions=tuple(pair for row in read(hospital, "interactions") for pair in _pairs(row, place)),
        protocols=tuple(
            Protocol(row["nom"], _places(row["declencheurs"], place), row["etat"], _places(row["compagnons"], place))
            for row in read(hospital, "protocoles")
        ),
        controls=tuple(_watched(row, place) for row in read(hospital, "suivis")),
        effects=tuple(_watched(row, place) for row in read(hospital, "effets")),
        diagnoses=read(hospital, "diagnostics"),
        problems={row["code"]: row["mots"].split("|") for row in read(hospital, "problemes")},
        acts=acts,
        act_weights=_weights([row["indications"] for row in acts]),
        reasons=reasons,
        reason_weights=_weights([row["poids"] for row in reasons]),
        # The first hospital names an analysis and measures it as the physiology of `biology` does.
        analyses=tuple({"grandeur": row["code"], "facteur": "1", **row} for row in read(hospital, "analyses")),
        vital_signs=read(hospital, "mesures"),
        wards=read(hospital, "unites_fonctionnelles"),
        communes=read(hospital, "communes"),
        words={row["genre"]: row["valeurs"].split("|") for row in read(hospital, "noms")},
        letter=path_of(hospital, "courrier.txt").read_text(encoding="utf-8"),
    )


def _pairs(row: dict[str, str], place: dict[str, int]) -> Iterator[dict[str, str]]:
    """Each drug of one end with each of the other, of those that the hospital has."""
    for first, second in product(row["atc_a"].split("|"), row["atc_b"].split("|")):
        if first in place and second in place:
            yield {**row, "atc_a": first, "atc_b": second}


def _places(codes: str, place: dict[str, int]) -> tuple[int, ...]:
    """Positions of those codes that the hospital has."""
    return tuple(place[code] for code in codes.split("|") if code in place)


def _watched(row: dict[str, str], place: dict[str, int]) -> Watched:
    low, high = (float(row.get(side) or "nan") for side in ("de", "a"))
    return Watched(row["nom"], _places(row["declencheurs"], place), row["grandeur"], low, high)


def _drug(row: dict[str, str]) -> Drug:
    return Drug(
        atc=row["atc"],
        name=row["dci"],
        label=row["libelle"],
        route=row["voie"],
        unit=row["unite"],
        doses=_shares(row["doses"]),
        per_day=_shares(row["frequences"]),
        groups=tuple(filter(None, row["groupe"].split("|"))),
        renal_below=float(row["dfg_seuil"] or 0),
        renal_factor=float(row["dfg_facteur"] or 1),
        contraindications=tuple(filter(None, row["contre_indications"].split("|"))),
        wrong_route=row["voie_fausse"],
        days=float(row["duree_j"]),
    )


def _shares(text: str) -> tuple[tuple[float, float], ...]:
    return tuple((float(value), float(share)) for value, share in (part.split(":") for part in text.split("|")))


def _flags(text: str) -> str:
    return "|".join(f"{name}:1" for name in text.split("|") if name)


def _weights(indications: list[str]) -> Floats:
    """Matrix (features, things) of the probabilities written in the files."""
    weights = np.zeros((len(FEATURES), len(indications)))
    for column, text in enumerate(indications):
        for part in filter(None, text.split("|")):
            feature, weight = part.split(":")
            weights[FEATURES[feature], column] = float(weight)
    return weights
