"""Stays of the fictitious patients, their moves between wards, and their deaths."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from etl.demo.catalogue import CHRONIC, FEATURES, MOTIFS, Catalogue
from etl.demo.draws import (
    BLOCK,
    EMPTY,
    SECOND,
    Block,
    Flags,
    Floats,
    Integers,
    Moments,
    Objects,
    choose,
    choose_by_row,
    day_of,
    repeat_rows,
    scramble,
    seconds,
)
from etl.demo.people import EXTRACTION, START, People
from etl.demo.staff import practitioner_of

KINDS = np.array(["HC", "URG", "CS", "HJ"], dtype=object)
HC, URG, CS, HJ = range(4)
MOST_STAYS = 8
KEYS_PER_PATIENT = 16  # stay keys are patient × 16 + rank, whatever the other patients have
DAY = 86_400.0


@dataclass(frozen=True)
class Stays:
    """Stays of one block, ordered by patient and time; ``row`` is the patient's row in the block."""

    row: Integers
    key: Integers
    number: Objects  # IEP
    kind: Integers  # HC, URG, CS, HJ
    reason: Integers  # index in MOTIFS, -1 without
    start: Moments
    end: Moments  # the true end, even when it lies after the extract
    ward: Integers  # index in the catalogue's wards
    via_emergency: Flags
    died: Flags
    features: Floats  # (n, len(FEATURES)), 0 or 1
    egfr: Floats  # at admission

    @property
    def is_open(self) -> Flags:
        """Stays that go on at the time of the extract."""
        return self.end > EXTRACTION

    def feature(self, name: str) -> Flags:
        """Stays that have a feature."""
        return self.features[:, FEATURES[name]] > 0


def draw_stays(block: Block, people: People, catalogue: Catalogue) -> Stays:
    """All stays of a block: a walk through time, the same number of draws for every patient."""
    rng = block.generator("sejour")
    planned = (1 + rng.poisson(catalogue.habits.stays + 0.14 * people.chronic.sum(axis=1))).clip(1, MOST_STAYS)
    clock: Moments = START + seconds(rng.random(BLOCK) * 900 * DAY)
    follows = np.zeros(BLOCK, dtype=bool)
    alive = np.ones(BLOCK, dtype=bool)
    walked = []
    for rank in range(MOST_STAYS):
        step = _step(rng, people, catalogue, clock, follows)
        taken = alive & (planned > rank) & (step["start"] < EXTRACTION - np.timedelta64(1, "D"))
        walked.append({**step, "taken": taken, "via_emergency": follows.copy() & taken})
        alive &= ~(taken & step["died"])
        follows = taken & (step["kind"] == URG) & (rng.random(BLOCK) < 0.35)
        planned = planned + follows  # the emergency visit and the admission that follows are one episode
        gap = np.where(follows, rng.uniform(0, 1800, BLOCK), rng.exponential(150, BLOCK) * DAY + 2 * DAY)
        clock = (step["end"] + seconds(gap)).astype(SECOND)
    return _assemble(rng, people, catalogue, walked)


def _step(
    rng: np.random.Generator, people: People, catalogue: Catalogue, clock: Moments, follows: Flags
) -> dict[str, np.ndarray]:
    """One more stay of every patient."""
    kind = np.where(follows, HC, choose(rng, catalogue.habits.stay_kinds, BLOCK))
    age = people.age(clock)
    weights = _reason_weights(people, catalogue, age)
    reason = np.where(kind == HC, choose_by_row(rng, weights), -1)
    cancer = people.has("CANCER")
    reason = np.where((kind == HJ) & cancer, MOTIFS.index("M_CHIMIO"), reason)
    days = np.array([float(row["duree_j"]) for row in catalogue.reasons])[reason]
    length = np.exp(rng.normal(0, 0.45, BLOCK)) * days * (0.8 + 0.3 * (age > 75))
    hour = np.where(rng.random(BLOCK) < 0.4, rng.normal(9.5, 1, BLOCK), rng.normal(15, 4.5, BLOCK)).clip(0, 23.9)
    start = np.where(follows, clock, day_of(clock) + seconds(hour * 3600)).astype(SECOND)
    office = day_of(clock) + seconds(rng.uniform(8, 17, BLOCK) * 3600)
    start = np.where(np.isin(kind, (CS, HJ)), office, start).astype(SECOND)
    leaving = day_of(start) + seconds((np.ceil(length).clip(1, 90) * 24 + rng.normal(14, 2, BLOCK).clip(9, 20)) * 3600)
    short = start + seconds(
        np.select([kind == URG, kind == CS], [rng.uniform(1, 14, BLOCK), rng.uniform(0.2, 0.6, BLOCK)], 7) * 3600
    )
    mortality = np.array([float(row["deces"]) for row in catalogue.reasons])[reason] * (0.4 + 1.0 * (age > 75))
    died = (kind == HC) & (rng.random(BLOCK) < mortality)
    end = np.where(kind == HC, leaving, short)
    night = np.where(died, rng.uniform(-10, 9, BLOCK), 0.0)  # people die at any hour
    end = np.maximum(end + seconds(night * 3600), start + np.timedelta64(600, "s"))
    return {
        "kind": kind,
        "reason": reason,
        "start": start,
        "end": end.astype(SECOND),
        "died": died,
        "ward_draw": rng.random(BLOCK),
    }


def _reason_weights(people: People, catalogue: Catalogue, age: Floats) -> Floats:
    features = np.zeros((BLOCK, len(FEATURES)))
    features[:, FEATURES["base"]] = 1
    for position, name in enumerate(CHRONIC):
        features[:, FEATURES[name]] = people.chronic[:, position]
    features[:, FEATURES["JEUNEF"]] = people.female & (age < 43)
    weights = features @ catalogue.reason_weights
    names = [row["motif"] for row in catalogue.reasons]
    for frail in ("M_FRAC", "M_CHUTE"):
        weights[:, names.index(frail)] *= np.where(age > 70, 2.0, 0.15)
    return weights


def _assemble(
    rng: np.random.Generator, people: People, catalogue: Catalogue, walked: list[dict[str, np.ndarray]]
) -> Stays:
    columns = {name: np.stack([step[name] for step in walked], axis=1) for name in walked[0]}
    row, rank = np.nonzero(columns["taken"])
    kind, reason, start = (columns[name][row, rank] for name in ("kind", "reason", "start"))
    key = people.index[row] * KEYS_PER_PATIENT + rank
    year = start.astype("datetime64[Y]").astype(np.int64) + 1970
    serial = scramble(key, 10**8, 61_803_399, 314_159)
    features, egfr = _features(rng, people, row, kind, reason, start)
    written = catalogue.habits.stay_number
    return Stays(
        row=row,
        key=key,
        number=np.array(
            [written.format(year=y % 100, serial=n) for y, n in zip(year.tolist(), serial.tolist(), strict=True)],
            dtype=object,
        ),
        kind=kind,
        reason=reason,
        start=start,
        end=columns["end"][row, rank],
        ward=_wards(catalogue, kind, reason, columns["ward_draw"][row, rank]),
        via_emergency=columns["via_emergency"][row, rank],
        died=columns["died"][row, rank],
        features=features,
        egfr=egfr,
    )


def _wards(catalogue: Catalogue, kind: Integers, reason: Integers, draw: Floats) -> Integers:
    codes, wards = [row["uf"] for row in catalogue.wards], catalogue.habits.wards
    usual = np.array([codes.index(row["ufs"].split("|")[0]) for row in catalogue.reasons])
    other = np.array([codes.index(row["ufs"].split("|")[-1]) for row in catalogue.reasons])
    ward = np.where(draw < 0.75, usual[reason], other[reason])
    clinics = np.array([codes.index(code) for code in wards.clinics])[(draw * 3).astype(np.int64).clip(0, 2)]
    day_ward = np.where(reason >= 0, codes.index(wards.day_oncology), codes.index(wards.day_medicine))
    return np.select([kind == URG, kind == CS, kind == HJ], [codes.index(wards.emergency), clinics, day_ward], ward)


def _features(
    rng: np.random.Generator, people: People, row: Integers, kind: Integers, reason: Integers, start: Moments
) -> tuple[Floats, Floats]:
    """What is true of each stay, as the catalogue names it, and the renal function at admission."""
    n = len(row)
    acute = reason == MOTIFS.index("M_IRA")
    egfr = np.where(
        acute, people.egfr[row] * rng.uniform(0.25, 0.5, n), people.egfr[row] * rng.normal(1, 0.07, n)
    ).clip(5, 140)
    age = people.age(start, row)
    pregnant = reason == MOTIFS.index("M_GROSS")
    states = {
        "base": np.isin(kind, (HC, HJ)),
        "URG": kind == URG,
        "CS": kind == CS,
        "FEMME": people.female[row],
        "JEUNEF": people.female[row] & (age < 43),
        "IRC4": (egfr < 30) & (egfr >= 15) & people.has("IRC")[row],
        "IRC5": (egfr < 15) & people.has("IRC")[row],
        "ALLPENI": people.penicillin_allergy[row],
        "ALLAINS": people.nsaid_allergy[row],
        "GROSS": pregnant,
        "HEMO": reason == MOTIFS.index("M_HD"),
        "AGE65": age >= 65,
        "KHAUT": rng.random(n) < np.where(egfr < 45, 0.20, 0.015),
        **{f"DFG{limit}": egfr < limit for limit in (15, 20, 25, 30, 35, 50)},
    }
    features = np.zeros((n, len(FEATURES)))
    for name, values in states.items():
        features[:, FEATURES[name]] = values
    for position, name in enumerate(CHRONIC):
        features[:, FEATURES[name]] = people.chronic[row, position]
    features[np.flatnonzero(reason >= 0), FEATURES[MOTIFS[0]] + reason[reason >= 0]] = 1
    return features, egfr


def deaths_of(block: Block, people: People, stays: Stays, catalogue: Catalogue) -> Moments:
    """Day of death as the administration knows it; of some hospital deaths only the discharge mode tells."""
    rng = block.generator("deces")
    death = np.full(BLOCK, np.datetime64("NaT", "s"))
    told = rng.random(BLOCK) < catalogue.habits.deaths_told
    in_hospital = np.flatnonzero(stays.died & (stays.end < EXTRACTION))
    inside = stays.row[in_hospital]
    death[inside] = np.where(told[inside], stays.end[in_hospital], np.datetime64("NaT", "s"))
    last = np.full(BLOCK, START)
    np.maximum.at(last, stays.row, stays.end)
    later = last + seconds((rng.exponential(220, BLOCK) + 1) * DAY)
    elsewhere = (rng.random(BLOCK) < 0.02 + 0.07 * (people.age(START) > 78)) & (later < EXTRACTION)
    elsewhere[stays.row[stays.died]] = False
    return np.where(elsewhere, later, death).astype(SECOND)


def alive_until(stays: Stays, deaths: Moments) -> Moments:
    """The moment after which nothing happens to a patient any more, whether or not the administration knows it.

    Args:
        deaths: what `deaths_of` gives.
    """
    until = np.where(np.isnat(deaths), EXTRACTION, deaths)
    np.minimum.at(until, stays.row[stays.died], stays.end[stays.died])
    return until


def stay_table(block: Block, people: People, stays: Stays, catalogue: Catalogue) -> pa.Table:
    """Rows of ``dpi.sejour``, with the few that no patient of the hospital owns."""
    rng = block.generator("sejour.admin")
    n = len(stays.row)
    closed, wards = ~stays.is_open, ward_codes(catalogue)[stays.ward]
    entry = np.select(
        [stays.via_emergency, rng.random(n) < 0.06], ["8U", "7"], "8"
    )  # PMSI: home, by emergency, transfer
    usual = np.array(["8", "6", "7"], dtype=object)[choose(rng, (0.84, 0.08, 0.08), n)]
    leaving = np.where(stays.died, "9", usual)
    orphan = rng.random(n) < 0.002
    owner = np.where(
        orphan, np.array([f"9{key:09d}" for key in stays.key.tolist()], dtype=object), people.ipp[stays.row]
    )
    # The orphan repeats a real stay under a number and a patient of its own: a merge of records that went wrong.
    rows = np.concatenate([np.arange(n), np.flatnonzero(orphan)])
    copy = np.arange(len(rows)) >= n
    numbers = np.where(
        copy, np.array([f"9{number}" for number in stays.number[rows]], dtype=object), stays.number[rows]
    )
    end = np.where(closed, stays.end, np.datetime64("NaT", "s"))
    return pa.table(
        {
            "_p": people.index[stays.row[rows]],
            "numero_sejour": numbers,
            "ipp": np.where(copy, owner[rows], people.ipp[stays.row[rows]]),
            "type_sejour": KINDS[stays.kind[rows]],
            "entree": pa.array(stays.start[rows]),
            "sortie": pa.array(end[rows]),
            "mode_entree": entry[rows].astype(object),
            "mode_sortie": np.where(closed, leaving, EMPTY)[rows],
            "uf_entree": wards[rows],
            "praticien_id": practitioner_of(catalogue, wards[rows], stays.key[rows]),
            "maj_le": pa.array(np.where(closed, stays.end, stays.start)[rows]),
        }
    )


def ward_codes(catalogue: Catalogue) -> Objects:
    """UF codes in the order of the catalogue."""
    return np.array([row["uf"] for row in catalogue.wards], dtype=object)


def moves_table(block: Block, people: People, stays: Stays, catalogue: Catalogue) -> pa.Table:
    """Rows of ``dpi.mouvement``: one, two or three wards a stay, end to end."""
    rng = block.generator("mouvement")
    n = len(stays.row)
    codes, wards = ward_codes(catalogue).tolist(), catalogue.habits.wards
    inpatient = stays.kind == HC
    by_observation = stays.via_emergency & (rng.random(n) < 0.45)
    moved = inpatient & (rng.random(n) < 0.14)
    counts = 1 + by_observation.astype(np.int64) + moved.astype(np.int64)
    row, rank = repeat_rows(counts)
    other = np.where(
        stays.feature("M_SEPSIS"),
        codes.index(wards.after_sepsis),
        np.array([codes.index(code) for code in wards.moves_to])[choose(rng, (4, 1), n)],
    )
    ward = stays.ward[row].copy()
    ward[(rank == 0) & by_observation[row]] = codes.index(wards.short_stay)
    last = moved[row] & (rank == counts[row] - 1)
    ward[last] = other[row][last]
    span = (stays.end - stays.start).astype(np.float64)
    cuts = np.sort(rng.uniform(0.15, 0.85, (n, 2)), axis=1)
    begin = np.where(rank == 0, 0.0, np.where((rank == 1) & (counts[row] == 3), cuts[row, 0], cuts[row, 1]))
    finish = np.where(
        rank == counts[row] - 1, 1.0, np.where((rank == 0) & (counts[row] == 3), cuts[row, 0], cuts[row, 1])
    )
    entry, leaving = (stays.start[row] + seconds(span[row] * part) for part in (begin, finish))
    leaving = np.where(rank == counts[row] - 1, stays.end[row], leaving)
    known = entry < EXTRACTION
    gone = np.where(leaving > EXTRACTION, np.datetime64("NaT", "s"), leaving)
    table = pa.table(
        {
            "_p": people.index[stays.row[row]],
            "mouvement_id": stays.key[row] * 4 + rank,
            "numero_sejour": stays.number[row],
            "ipp": people.ipp[stays.row[row]],
            "uf": ward_codes(catalogue)[ward],
            "entree": pa.array(entry),
            "sortie": pa.array(gone),
            "maj_le": pa.array(np.where(np.isnat(gone), entry, gone)),
        }
    )
    return table.filter(pa.array(known))
