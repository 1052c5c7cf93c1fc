"""Laboratory results: what the latent diseases, the reason of stay and the drugs do to each analysis.

Sources of the shapes: usual reference ranges; CKD-EPI 2009 without race, inverted, for the creatinine of a given
filtration (Ann Intern Med 2009;150:604-12). Synthetic values, plausible and coherent, not a physiological model.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from etl.demo.catalogue import MOTIFS, Catalogue
from etl.demo.draws import (
    EMPTY,
    Block,
    Flags,
    Floats,
    Integers,
    Moments,
    Objects,
    day_of,
    french_number,
    repeat_rows,
    seconds,
)
from etl.demo.orders import Orders
from etl.demo.people import EXTRACTION, START, People
from etl.demo.stays import DAY, HC, HJ, URG, Stays

NUMBERS_PER_SAMPLE = 64
SAMPLES_PER_STAY = 128
HARM_AFTER = np.timedelta64(24 * 3600, "s")
UNKNOWN_ANALYSES = ("XQ12", "ANA99")  # not in the shipped vocabulary, on purpose
UNKNOWN_SHARE, CORRECTED_SHARE, RESENT_SHARE = 0.02, 0.015, 0.001
# Drugs whose effect or level is measured.
LEVELS = {
    "INR": ("B01AA02", "B01AA03"), "DIGOX": ("C01AA05",), "VANCO": ("J01XA01",), "LITH": ("N05AN01",),
}  # fmt: skip
PANELS = {"base": 0.97, "nfs": 0.90, "coag": 0.35, "foie": 0.35, "cardio": 0.06, "gravite": 0.05, "diabete": 0.03,
          "thyroide": 0.05, "fer": 0.04, "dosage": 0.0}  # fmt: skip


@dataclass(frozen=True)
class Watch:
    """What the orders mean for the laboratory, by quantity; arrays have one entry a stay."""

    takes: dict[str, Flags]  # who has a drug under which it is watched
    neglected: dict[str, Flags]  # for whom nobody asks for it
    harmed: dict[str, Floats]  # what a drug made of it, NaN where nothing
    since: dict[str, Moments]  # from when on
    closely: Flags  # who is sampled every morning


def watch(orders: Orders, stays: Stays, catalogue: Catalogue) -> Watch:
    """Which analyses are asked for because of the orders, which are forgotten, and which show harm."""
    n = len(stays.row)
    takes = {quantity: np.zeros(n, dtype=bool) for quantity in (*LEVELS, *(row.quantity for row in catalogue.controls))}
    for quantity, codes in LEVELS.items():
        takes[quantity][
            orders.stay[np.isin(orders.drug, [i for i, d in enumerate(catalogue.drugs) if d.atc in codes])]
        ] = True
    for row in catalogue.controls:
        takes[row.quantity][orders.stay[np.isin(orders.drug, row.triggers)]] = True
    neglected = {quantity: np.zeros(n, dtype=bool) for quantity in takes}
    harmed: dict[str, Floats] = {row.quantity: np.full(n, np.nan) for row in catalogue.effects}
    since: dict[str, Moments] = {quantity: np.full(n, EXTRACTION) for quantity in harmed}
    closely = np.zeros(n, dtype=bool)
    for line in np.flatnonzero(np.isin(orders.mechanism.astype(str), ("suivi_absent", "effet_indesirable"))).tolist():
        what = json.loads(orders.detail[line])
        if orders.mechanism[line] == "suivi_absent":
            neglected[what["grandeur"]][orders.stay[line]] = True
        else:
            stay = orders.stay[line]
            harmed[what["grandeur"]][stay], closely[stay] = what["valeur"], True
            since[what["grandeur"]][stay] = orders.start[line] + HARM_AFTER
    return Watch(takes, neglected, harmed, since, closely)


@dataclass(frozen=True)
class Samples:
    """Blood samples of one block; ``stay`` is -1 for a sample drawn in town."""

    row: Integers  # patient
    stay: Integers
    key: Integers
    moment: Moments
    day: Floats  # days since admission
    egfr: Floats


def draw_samples(
    block: Block, people: People, stays: Stays, until: Moments, catalogue: Catalogue, watched: Watch
) -> Samples:
    """One sample at admission, then some mornings; some patients bring results from town.

    Args:
        until: end of each patient's life as far as this hospital's draws go (`alive_until`).
    """
    rng = block.generator("prelevement")
    n = len(stays.row)
    nights = ((stays.end - stays.start).astype(np.float64) / DAY).astype(np.int64).clip(0, 60)
    counts = np.select(
        [stays.kind == HC, stays.kind == URG, stays.kind == HJ],
        [1 + nights, rng.random(n) < 0.7, 1],
        rng.random(n) < 0.3,
    )
    stay, rank = repeat_rows(counts.astype(np.int64))
    first = stays.start[stay] + seconds(rng.uniform(0.3, 2.5, len(stay)) * 3600)
    morning = (
        day_of(stays.start[stay]) + rank.astype("timedelta64[D]") + seconds(rng.normal(6.4, 0.5, len(stay)) * 3600)
    )
    moment = np.where(rank == 0, np.minimum(first, stays.end[stay]), morning)
    wanted = (rank == 0) | (rng.random(len(stay)) < catalogue.habits.sampling) | watched.closely[stay]
    kept = wanted & (moment <= stays.end[stay]) & (moment < EXTRACTION)
    stay, rank, moment = stay[kept], rank[kept], moment[kept]
    recovery = np.where(stays.reason[stay] == MOTIFS.index("M_IRA"), 1 + 0.16 * rank, 1.0)
    egfr = np.minimum(stays.egfr[stay] * recovery * rng.normal(1, 0.04, len(stay)), 140)
    town = _town_samples(rng, people, until)
    return Samples(
        row=np.concatenate([stays.row[stay], town.row]),
        stay=np.concatenate([stay, town.stay]),
        key=np.concatenate([stays.key[stay] * SAMPLES_PER_STAY + rank, town.key]),
        moment=np.concatenate([moment, town.moment]),
        day=np.concatenate([rank.astype(np.float64), town.day]),
        egfr=np.concatenate([egfr, town.egfr]),
    )


def _town_samples(rng: np.random.Generator, people: People, until: Moments) -> Samples:
    row, rank = repeat_rows(rng.poisson(0.9, len(people.index)).clip(0, 6))
    span = float((EXTRACTION - START).astype(np.int64))
    moment = START + seconds(rng.random(len(row)) * span)
    moment = day_of(moment) + seconds(rng.uniform(7, 11, len(row)) * 3600)
    alive = moment < until[row]
    row, rank, moment = row[alive], rank[alive], moment[alive]
    # Keys above the sixteen stays that a patient may have.
    key = people.index[row] * 16 * SAMPLES_PER_STAY + 15 * SAMPLES_PER_STAY + rank
    egfr = people.egfr[row] * rng.normal(1, 0.06, len(row))
    return Samples(row, np.full(len(row), -1), key, moment, np.zeros(len(row)), egfr)


def creatinine_umol_l(egfr: Floats, age_years: Floats, female: Flags) -> Floats:
    """Creatinine that gives this filtration by CKD-EPI 2009 (solved for the branch above its knot, then below).

    Args: arrays of shape (n,); filtration in mL/min/1.73 m².
    Returns: µmol/L, shape (n,).
    """
    knot = np.where(female, 0.7, 0.9)
    at_knot = 141 * 0.993**age_years * np.where(female, 1.018, 1.0)
    ratio = np.where(
        egfr < at_knot, (egfr / at_knot) ** (-1 / 1.209), (egfr / at_knot) ** (-1 / np.where(female, 0.329, 0.411))
    )
    return (knot * ratio * 88.4).clip(25, 1200)


def values_of(
    rng: np.random.Generator, people: People, stays: Stays, samples: Samples, watched: Watch
) -> dict[str, Floats]:
    """Value of every analysis in every sample, in the first hospital's unit."""
    n = len(samples.row)
    inside = samples.stay >= 0

    def feature(name: str) -> Flags:
        return inside & stays.feature(name)[samples.stay]

    def disease(name: str) -> Flags:
        return people.has(name)[samples.row]

    def normal(mean: Any, spread: float) -> Floats:
        return rng.normal(0, 1, n) * spread + mean

    def lognormal(mean: Any, spread: float) -> Floats:
        return np.exp(rng.normal(0, spread, n)) * mean

    fading = np.exp(-samples.day / 3.5)
    septic = feature("M_PNEU") | feature("M_IU") | feature("M_SEPSIS")
    vka, digoxin, vancomycin, lithium = (inside & watched.takes[name][samples.stay] for name in LEVELS)
    female, bleeding = people.female[samples.row], feature("HEMO")
    haemoglobin = normal(
        14.4 - 1.3 * female - 1.3 * disease("IRC") - 1.0 * disease("CANCER") - 4.2 * bleeding - 1.5 * feature("M_FRAC"),
        1.0,
    )
    leucocytes = lognormal(7.0 + 7.5 * septic * fading - 3.5 * feature("M_CHIMIO"), 0.25).clip(0.4, 60)
    potassium = normal(4.1 + 0.35 * (samples.egfr < 45) + 1.4 * feature("KHAUT") * fading, 0.32)
    inr = np.where(vka, lognormal(2.5, 0.28), normal(1.06, 0.06))
    prothrombin = np.where(vka, 105 / inr**1.3, normal(93, 7)).clip(8, 120)
    values = {
        "CREA": creatinine_umol_l(samples.egfr, people.age(samples.moment, samples.row), female),
        "DFG": samples.egfr,
        "UREE": lognormal(5.5 * (90 / samples.egfr.clip(8)) ** 0.8, 0.2),
        "NAT": normal(139.5 - 2.5 * disease("IC"), 3.0),
        "K": potassium.clip(2.2, 8.0),
        "CL": normal(103, 3),
        "BICAR": normal(25.5 - 4 * (samples.egfr < 25), 2.2),
        "GLY": lognormal(5.4 + 3.4 * disease("DT2") + 7 * feature("M_DIAB") * fading, 0.2),
        "CRP": lognormal(
            3.0 + 140 * septic * fading + 55 * (feature("M_CHIR") | feature("M_FRAC")) * fading + 8 * disease("CANCER"),
            0.8,
        ),
        "HB": haemoglobin.clip(4.5, 19),
        "HT": (haemoglobin * 3 + rng.normal(0, 0.8, n)).clip(14, 60),
        "VGM": normal(90, 5),
        "LEUCO": leucocytes,
        "PNN": leucocytes * (0.58 + 0.22 * septic * fading),
        "LYMPHO": leucocytes * (0.30 - 0.18 * septic * fading),
        "PLAQ": lognormal(245 - 90 * feature("M_CHIMIO"), 0.25).clip(8, 900),
        "TP": prothrombin,
        "INR": inr,
        "TCA": normal(31, 3),
        "ASAT": lognormal(24.0, 0.35),
        "ALAT": lognormal(23.0, 0.4),
        "GGT": lognormal(32.0, 0.6),
        "PAL": lognormal(76.0, 0.3),
        "BILI": lognormal(9.0 + 20 * feature("M_CHIR") * fading, 0.4),
        "ALB": normal(39 - 6 * septic - 3 * disease("CANCER"), 3.5),
        "TROPO": lognormal(9 + 420 * feature("M_SCA") * fading + 22 * (samples.egfr < 45), 0.7),
        "NTBNP": lognormal(160 + 3200 * feature("M_IC") + 900 * disease("IC"), 0.7),
        "LACT": lognormal(1.2 + 2.4 * feature("M_SEPSIS") * fading, 0.3),
        "PCT": lognormal(0.07 + 9 * feature("M_SEPSIS") * fading + 0.5 * feature("M_PNEU") * fading, 0.9),
        "HBA1C": normal(5.5 + 1.9 * disease("DT2") + 1.5 * feature("M_DIAB"), 0.5).clip(4, 15),
        "TSH": lognormal(1.7 + 2.2 * disease("THYR"), 0.7),
        "FERR": lognormal(110.0, 0.8),
        "DIGOX": np.where(digoxin, lognormal(0.8 * (75 / samples.egfr.clip(15)) ** 0.5, 0.3), np.nan),
        "VANCO": np.where(vancomycin, lognormal(14 * (80 / samples.egfr.clip(15)) ** 0.3, 0.25), np.nan),
        "LITH": np.where(lithium, lognormal(0.68 * (85 / samples.egfr.clip(20)) ** 0.3, 0.2), np.nan),
    }
    for quantity, harm in watched.harmed.items():
        later = inside & (samples.moment >= watched.since[quantity][samples.stay])
        seen = np.where(later, harm[samples.stay], np.nan)
        values[quantity] = np.where(np.isnan(seen), values[quantity], seen * lognormal(1.0, 0.03))
    return values


def _asked(rng: np.random.Generator, stays: Stays, samples: Samples, catalogue: Catalogue, watched: Watch) -> Flags:
    """Which analyses were asked for in each sample: by panel, shape (samples, analyses)."""
    inside = samples.stay >= 0

    def any_of(*names: str) -> Flags:
        return inside & np.any([stays.feature(name)[samples.stay] for name in names], axis=0)

    more = {
        "coag": any_of("M_HD", "M_CHIR", "M_FRAC", "M_SEPSIS") | (inside & watched.takes["INR"][samples.stay]),
        "cardio": any_of("M_SCA", "M_IC", "M_FA"),
        "gravite": any_of("M_SEPSIS"),
        "diabete": any_of("M_DIAB") & (samples.day == 0),
    }
    panels = list(PANELS)
    asked = rng.random((len(samples.row), len(panels))) < np.array(list(PANELS.values()))
    for panel, who in more.items():
        asked[:, panels.index(panel)] |= who
    columns = [panels.index(row["bilan"]) for row in catalogue.analyses]
    wanted = asked[:, columns]
    quantities = [row["grandeur"] for row in catalogue.analyses]
    for code in ("DIGOX", "VANCO", "LITH"):
        wanted[:, quantities.index(code)] = False
    again = rng.random(len(samples.row)) < 0.4
    for code, takes in watched.takes.items():
        wanted[:, quantities.index(code)] |= inside & takes[samples.stay] & ((samples.day == 0) | again)
    for code, harm in watched.harmed.items():
        wanted[:, quantities.index(code)] |= inside & ~np.isnan(harm[samples.stay])
    for code, forgotten in watched.neglected.items():
        wanted[:, quantities.index(code)] &= ~(inside & forgotten[samples.stay])
    return wanted


def result_table(
    block: Block, people: People, stays: Stays, samples: Samples, catalogue: Catalogue, watched: Watch
) -> pa.Table:
    """Rows of ``dpi.resultat_biologie``, with corrections as new revisions and a few rows sent twice."""
    rng = block.generator("resultat_biologie")
    values = values_of(rng, people, stays, samples, watched)
    matrix = np.stack([values[row["grandeur"]] * float(row["facteur"]) for row in catalogue.analyses], axis=1)
    sample, analysis = np.nonzero(_asked(rng, stays, samples, catalogue, watched) & ~np.isnan(matrix))
    value = matrix[sample, analysis].clip(0)
    n = len(sample)
    stay = samples.stay[sample]
    missing_stay = (stay < 0) | (rng.random(n) < 0.02)
    drawn = samples.moment[sample]
    checked = drawn + seconds(np.exp(rng.normal(np.log(catalogue.habits.validation_minutes), 0.45, n)) * 60)
    code = np.array([row["code"] for row in catalogue.analyses], dtype=object)[analysis]
    unknown = np.array(UNKNOWN_ANALYSES, dtype=object)[rng.integers(len(UNKNOWN_ANALYSES), size=n)]
    numbers = np.where(missing_stay, EMPTY, stays.number[np.maximum(stay, 0)])
    base: dict[str, np.ndarray] = {
        "_p": people.index[samples.row[sample]],
        "result_id": samples.key[sample] * NUMBERS_PER_SAMPLE + analysis,
        "revision": np.ones(n, dtype=np.int64),
        "ipp": people.ipp[samples.row[sample]],
        "numero_sejour": numbers,
        "code_analyse": np.where(rng.random(n) < UNKNOWN_SHARE, unknown, code),
        "valeur": _text(rng, catalogue, analysis, value),
        "unite": _units(rng, catalogue, analysis),
        "preleve_le": drawn,
        "valide_le": checked,
        "borne_basse": _column(catalogue, "borne_basse")[analysis],
        "borne_haute": _column(catalogue, "borne_haute")[analysis],
        "maj_le": checked,
    }
    corrected = np.flatnonzero(rng.random(n) < CORRECTED_SHARE)
    resent = np.flatnonzero(rng.random(n) < RESENT_SHARE)
    rows = np.concatenate([np.arange(n), corrected, resent])
    second = slice(n, n + len(corrected))
    columns = {name: cells[rows] for name, cells in base.items()}
    columns["revision"][second] = 2
    columns["valeur"][second] = _text(
        rng, catalogue, analysis[corrected], value[corrected] * rng.normal(1, 0.08, len(corrected))
    )
    for name in ("valide_le", "maj_le"):
        columns[name][second] += np.timedelta64(7200, "s")
    return pa.table({name: pa.array(cells, from_pandas=True) for name, cells in columns.items()})


def _column(catalogue: Catalogue, name: str) -> Floats:
    return np.array([float(row[name]) if row[name] else np.nan for row in catalogue.analyses])


def _text(rng: np.random.Generator, catalogue: Catalogue, analysis: Integers, value: Floats) -> Objects:
    """What the laboratory prints: a decimal comma, a sign below the limit of detection, now and then a word."""
    decimals = np.array([int(row["decimales"]) for row in catalogue.analyses])[analysis]
    limit = np.nan_to_num(_column(catalogue, "seuil"), nan=-1.0)[analysis]
    below = value < limit
    text = french_number(np.where(below, limit, value), decimals)
    text[below] = [f"<{words}" for words in text[below].tolist()]
    words = rng.random(len(value))
    text[words < 0.004] = "hémolysé"
    text[(words > 0.997) & ~below] = [f"> {words}" for words in text[(words > 0.997) & ~below].tolist()]
    return text


def _units(rng: np.random.Generator, catalogue: Catalogue, analysis: Integers) -> Objects:
    usual = np.array([row["unite"] or None for row in catalogue.analyses], dtype=object)
    spelling = catalogue.habits.other_spelling
    other = np.array([spelling.get(row["unite"], row["unite"]) or None for row in catalogue.analyses], dtype=object)
    return np.where(rng.random(len(analysis)) < 0.05, other[analysis], usual[analysis])
