"""Vital signs, allergies, smoking and pregnancies, as nurses and physicians write them in forms."""

import numpy as np
import pyarrow as pa

from etl.demo.catalogue import Catalogue
from etl.demo.draws import BLOCK, Block, Integers, Moments, day_of, french_number, rank_within, repeat_rows, seconds
from etl.demo.people import EXTRACTION, START, People
from etl.demo.stays import CS, DAY, URG, Stays

# Nights on which French clocks change: 02:30 does not exist in March and exists twice in October.
CLOCK_CHANGES = tuple(
    np.datetime64(f"{day}T02:30:00", "s")
    for day in ("2022-03-27", "2022-10-30", "2023-03-26", "2023-10-29", "2024-03-31", "2024-10-27")
)
ROUNDS_PER_STAY, SIGNS = 128, 8
DELETED_SHARE = 0.003


def measure_table(block: Block, people: People, stays: Stays, catalogue: Catalogue) -> pa.Table:
    """Rows of ``dpi.mesure_clinique``: a round a day, one more in the nights of a clock change."""
    rng = block.generator("mesure_clinique")
    nights = ((stays.end - stays.start).astype(np.float64) / DAY).astype(np.int64).clip(0, 90)
    counts = np.where(stays.kind == CS, (rng.random(len(nights)) < 0.6).astype(np.int64), 1 + nights)
    stay, rank = repeat_rows(counts)
    hour = np.where(rng.random(len(stay)) < 0.5, 7.5, 16.0) + rng.normal(0, 0.7, len(stay))
    moment = np.where(
        rank == 0,
        stays.start[stay] + seconds(rng.uniform(5, 60, len(stay)) * 60),
        day_of(stays.start[stay]) + rank.astype("timedelta64[D]") + seconds(hour * 3600),
    )
    stay, rank, moment = _with_clock_changes(stays, stay, rank, moment)
    kept = (moment <= stays.end[stay]) & (moment < EXTRACTION)
    stay, rank, moment = stay[kept], rank[kept], moment[kept]
    n = len(stay)
    patient = stays.row[stay]
    fever = (stays.feature("M_PNEU") | stays.feature("M_IU") | stays.feature("M_SEPSIS"))[stay] * np.exp(-rank / 3.0)
    pressure = rng.normal(
        128 + 9 * people.has("HTA")[patient] - 22 * stays.feature("M_SEPSIS")[stay] * np.exp(-rank / 2.0), 14, n
    )
    values = {
        "POIDS": people.weight_kg[patient] + rng.normal(0, 0.6, n),
        "TAILLE": people.height_cm[patient],
        "PAS": pressure.clip(60, 230),
        "PAD": (pressure * 0.58 + rng.normal(0, 7, n)).clip(30, 130),
        "TEMP": rng.normal(36.8, 0.3, n) + 1.8 * fever,
        "FC": rng.normal(78 + 18 * stays.feature("M_FA")[stay] + 12 * fever, 11, n).clip(35, 190),
        "SPO2": rng.normal(96.5 - 3.5 * people.has("BPCO")[patient], 1.6, n).clip(75, 100),
    }
    signs = [row["code"] for row in catalogue.vital_signs]
    matrix = np.stack([values[code] for code in signs], axis=1)
    asked = np.ones(matrix.shape, dtype=bool)
    asked[:, :2] = ((rank == 0) | (rng.random(n) < 0.15))[:, None]
    asked[:, 1] &= rank == 0
    asked[:, 0] &= ~((stays.kind[stay] == URG) & (rng.random(n) < 0.5))
    at, sign = np.nonzero(asked)
    decimals = np.array([int(row["decimales"]) for row in catalogue.vital_signs])[sign]
    deleted = rng.random(len(at)) < DELETED_SHARE
    written = moment[at] + np.timedelta64(300, "s")
    return pa.table(
        {
            "_p": people.index[patient[at]],
            "mesure_id": (stays.key[stay[at]] * ROUNDS_PER_STAY + rank[at]) * SIGNS + sign,
            "ipp": people.ipp[patient[at]],
            "numero_sejour": stays.number[stay[at]],
            "code_mesure": np.array(signs, dtype=object)[sign],
            "valeur": french_number(matrix[at, sign], decimals),
            "unite": np.array([row["unite"] for row in catalogue.vital_signs], dtype=object)[sign],
            "mesure_le": pa.array(moment[at]),
            "supprime_le": pa.array(np.where(deleted, written + np.timedelta64(3600, "s"), np.datetime64("NaT", "s"))),
            "maj_le": pa.array(written + deleted * np.timedelta64(3600, "s")),
        }
    )


def _with_clock_changes(
    stays: Stays, stay: Integers, rank: Integers, moment: Moments
) -> tuple[Integers, Integers, Moments]:
    extra = [
        (row, 100 + night, change)
        for night, change in enumerate(CLOCK_CHANGES)
        for row in np.flatnonzero((stays.start < change) & (stays.end > change))
    ]
    if not extra:
        return stay, rank, moment
    rows, ranks, moments = (np.array(column) for column in zip(*extra, strict=True))
    return np.concatenate([stay, rows]), np.concatenate([rank, ranks]), np.concatenate([moment, moments])


ALLERGIES = (("ALL_PENI", "Allergie à la pénicilline"), ("ALL_AINS", "Intolérance aux AINS"))
OTHER_ALLERGIES = (
    ("ALL_IODE", "Allergie aux produits de contraste iodés"),
    ("ALL_LATEX", "Allergie au latex"),
    ("ALL_XYZ", "Allergie alimentaire"),
)
UNKNOWN_HISTORY = ("ALL_XYZ",)  # not in the shipped vocabulary, on purpose


def history_table(block: Block, people: People, stays: Stays) -> pa.Table:
    """Rows of ``dpi.antecedent``: allergies, smoking, pregnancies."""
    rng = block.generator("antecedent")
    first = np.full(BLOCK, EXTRACTION)
    np.minimum.at(first, stays.row, stays.start)
    entered = np.minimum(first + seconds(rng.uniform(0.5, 20, BLOCK) * 3600), EXTRACTION - np.timedelta64(60, "s"))
    entered = np.where(first < EXTRACTION, entered, START + seconds(rng.random(BLOCK) * 1000 * DAY))
    rows: list[tuple[int, str, str, str, str | None, np.datetime64]] = []
    draw = rng.random((4, BLOCK))
    packs = rng.integers(5, 60, BLOCK)
    for p in range(BLOCK):
        at = entered[p]
        for held, (code, label) in zip((people.penicillin_allergy[p], people.nsaid_allergy[p]), ALLERGIES, strict=True):
            if held:
                rows.append((p, "ALLERGIE", code, label, None, at))
        if draw[0, p] < 0.05:
            code, label = OTHER_ALLERGIES[int(draw[1, p] * 3)]
            rows.append((p, "ALLERGIE", code, label, None, at))
        if people.smoker[p]:
            rows.append((p, "TABAC", "TABAC_ACTIF", "Tabagisme actif (paquets-années)", str(packs[p]), at))
        elif draw[2, p] < 0.5:
            quit_ = draw[3, p] < 0.4
            code, label = ("TABAC_SEVRE", "Tabagisme sevré (paquets-années)") if quit_ else ("TABAC_NON", "Non fumeur")
            rows.append((p, "TABAC", code, label, str(packs[p]) if quit_ else None, at))
    for s in np.flatnonzero(stays.feature("GROSS")):
        rows.append((int(stays.row[s]), "GROSSESSE", "GROSSESSE", "Grossesse en cours", None, stays.start[s]))
    rows.sort(key=lambda row: row[0])
    patient = np.array([row[0] for row in rows], dtype=np.int64)
    moment = np.array([row[5] for row in rows], dtype="datetime64[s]")
    return pa.table(
        {
            "_p": people.index[patient],
            "antecedent_id": people.index[patient] * 64 + rank_within(patient),
            "ipp": people.ipp[patient],
            "type_antecedent": [row[1] for row in rows],
            "code": [row[2] for row in rows],
            "libelle": [row[3] for row in rows],
            "valeur": pa.array([row[4] for row in rows], pa.string()),
            "saisi_le": pa.array(moment),
            "maj_le": pa.array(moment),
        }
    )
