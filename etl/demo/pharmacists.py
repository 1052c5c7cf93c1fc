"""Reviews of the orders by pharmacists: who is reviewed, what is seen, what is said, and what then happens.

The label is not the truth: nights and week-ends go unreviewed, some wards have no pharmacist, errors are missed,
correct lines are questioned, and two pharmacists disagree.
"""

import json
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from etl.demo.catalogue import Catalogue
from etl.demo.draws import (
    SECOND,
    Block,
    Flags,
    Floats,
    Integers,
    Moments,
    choose,
    day_of,
    seconds,
    weekday_of,
)
from etl.demo.habits import Habits
from etl.demo.orders import ORDINARY, Orders, Record, concatenate
from etl.demo.people import EXTRACTION, People
from etl.demo.staff import pharmacist_of
from etl.demo.stays import CS, URG, Stays

SECOND_OPINION = 0.03
# Hours after which it shows that nothing was given, that nobody measures, that the drug does harm.
SHOWS_AFTER = {"non_recu": 26, "suivi_absent": 75, "effet_indesirable": 54}
DAYS_AHEAD = 9
WORKING_DAYS = 5
ANY_CLASS = {1: 0.16, 2: 0.12, 3: 0.14, 4: 0.16, 5: 0.10, 6: 0.12, 7: 0.03, 8: 0.10, 9: 0.02, 10: 0.05}
PLAIN_TO_SEE = 0.9  # of those who read such a line, so many object
CORRECTED = ("surdosage", "sous_dosage", "non_adapte_renal", "voie", "rythme", "frequence")
GOES_ON = (2, 9, 10)  # classes of problem after which the line is not stopped
OTHER_CLASS = {1: 6, 3: 2, 4: 1, 5: 6, 6: 1, 8: 4}  # how a pharmacist files the same problem elsewhere


@dataclass(frozen=True)
class Reviews:
    """Reviews of one block; ``line`` is a row of the orders that were reviewed."""

    line: Integers
    moment: Moments
    intervention: Flags
    problem: Integers  # 0 without
    accepted: Flags


def draw_reviews(block: Block, orders: Orders, stays: Stays, catalogue: Catalogue) -> Reviews:
    """Reviews of lines that still run at the next round: all lines of a patient are read together."""
    rng = block.generator("avis")
    moment = _next_round(orders, stays, catalogue)
    covered = np.array([float(row["revue"]) for row in catalogue.wards])[stays.ward[orders.stay]]
    busy = weekday_of(moment) == 0  # Mondays hold the week-end's orders
    reached = _by_round(stays.key[orders.stay], moment, 2) < covered
    running = (moment < orders.end) & (moment < EXTRACTION) & ~np.isin(stays.kind[orders.stay], (URG, CS))
    line = np.flatnonzero(reached & running)
    first = _opinion(rng, catalogue.habits, orders, line, moment[line], busy[line])
    again = np.flatnonzero(rng.random(len(line)) < SECOND_OPINION)
    later = moment[line[again]] + seconds(rng.uniform(0.3, 3, len(again)) * 3600)
    second = _opinion(rng, catalogue.habits, orders, line[again], later, busy[line[again]])
    return Reviews(**{name: np.concatenate([vars(first)[name], vars(second)[name]]) for name in vars(first)})


def _next_round(orders: Orders, stays: Stays, catalogue: Catalogue) -> Moments:
    """When a pharmacist next reads the orders of the patient; some problems show only later."""
    hours = np.array([SHOWS_AFTER.get(mechanism, 0.2) for mechanism in orders.mechanism])
    ready = orders.start + seconds(hours * 3600)
    key, habits = stays.key[orders.stay], catalogue.habits
    found = np.full(len(orders), np.datetime64("NaT", "s"))
    visited = _visited(len(catalogue.wards), habits)
    for ahead in range(DAYS_AHEAD):
        day = day_of(ready) + np.timedelta64(ahead, "D")
        hour = habits.pharmacy_opens + (habits.pharmacy_closes - habits.pharmacy_opens) * _by_round(key, day, 1)
        at = day + seconds(hour * 3600)
        fits = np.isnat(found) & visited[stays.ward[orders.stay], weekday_of(day)] & (at >= ready)
        found = np.where(fits, at, found)
    return found.astype(SECOND)


def _visited(wards: int, habits: Habits) -> Flags:
    """Which wards are visited on which days of the week, shape (wards, 7): never on its end."""
    visited = np.zeros((wards, 7), dtype=bool)
    for later in habits.rounds:
        visited[np.arange(wards), (np.arange(wards) * 2 + later) % WORKING_DAYS] = True
    return visited


def _by_round(key: Integers, moment: Moments, salt: int) -> Floats:
    """A number from 0 to 1 that is the same for all lines of a stay on one day."""
    day = moment.astype("datetime64[D]").astype(np.int64)
    mixed = (key.astype(np.uint64) * np.uint64(8191) + day.astype(np.uint64)) * np.uint64(4) + np.uint64(salt)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / 2**53


def _opinion(
    rng: np.random.Generator, habits: Habits, orders: Orders, line: Integers, moment: Moments, busy: Flags
) -> Reviews:
    n = len(line)
    concern = orders.concern[line]
    intervention = rng.random(n) < chance_of_objection(habits, concern, ~orders.right[line], busy)
    looks_like = orders.filed[line]
    other = np.array([OTHER_CLASS.get(c, 8) for c in looks_like.tolist()], dtype=np.int64)
    drawn = np.array(list(ANY_CLASS))[choose(rng, list(ANY_CLASS.values()), n)]
    filed = np.where(rng.random(n) < 0.87, looks_like, other)
    problem = np.where(looks_like > 0, filed, drawn)
    plain = concern > PLAIN_TO_SEE
    accepted = rng.random(n) < np.where(plain, habits.accepted_plain, habits.accepted)
    return Reviews(line, moment, intervention, np.where(intervention, problem, 0), accepted & intervention)


def chance_of_objection(habits: Habits, concern: Floats, wrong: Flags, busy: Flags) -> Floats:
    """Of each line that is read: less where errors are overlooked, and on the days that hold the week-end's orders."""
    return concern * np.where(wrong, habits.errors_seen, 1.0) * np.where(busy, 0.85, 1.0)


def apply_interventions(orders: Orders, reviews: Reviews, catalogue: Catalogue) -> Orders:
    """Accepted interventions stop the line; where the dose, route or rhythm was wrong, a right line follows."""
    hit = np.flatnonzero(reviews.accepted)
    _, first = np.unique(reviews.line[hit], return_index=True)  # a second opinion does not stop a line twice
    line, moment = reviews.line[hit[first]], reviews.moment[hit[first]]
    # What is missing is added, what is not watched or not given goes on.
    goes_on = np.isin(orders.filed[line], GOES_ON)
    stop = moment + np.timedelta64(5400, "s")
    end, stopped = orders.end.copy(), orders.stopped.copy()
    earlier = (stop < end[line]) & ~goes_on
    end[line[earlier]] = stop[earlier]
    stopped[line[earlier]] = True
    again = np.isin(orders.mechanism[line].astype(str), CORRECTED) & earlier
    right = _corrected(orders.take(line[again]), stop[again], catalogue)
    lacking = (orders.mechanism[line] == "indication_non_traitee") & (stop < orders.end[line])
    added = _added(orders.take(line[lacking]), stop[lacking], catalogue)
    return concatenate([orders.with_columns(end=end, stopped=stopped), right, added])


def _corrected(lines: Orders, start: Moments, catalogue: Catalogue) -> Orders:
    """The lines as they should have been, from these moments on."""
    usual, times = _usual(lines.drug, catalogue)
    factor = np.where(lines.reduced, np.array([drug.renal_factor for drug in catalogue.drugs])[lines.drug], 1.0)
    mechanism = lines.mechanism.astype(str)
    wrong_dose = np.isin(mechanism, ("surdosage", "sous_dosage", "non_adapte_renal", "frequence"))
    wrong_times = np.isin(mechanism, ("rythme", "frequence"))
    dose, per_day = np.where(wrong_dose, usual * factor, lines.dose), np.where(wrong_times, times, lines.per_day)
    return _right(lines, start, dose, per_day, catalogue)


def _added(lines: Orders, start: Moments, catalogue: Catalogue) -> Orders:
    """What was missing beside each line, at its usual dose."""
    lacking = np.array([catalogue.drug_index(json.loads(text)["manque"]) for text in lines.detail.tolist()], np.int64)
    lines = lines.with_columns(drug=lacking, reduced=np.zeros(len(lines), dtype=bool))
    return _right(lines, start, *_usual(lacking, catalogue), catalogue)


def _usual(drug: Integers, catalogue: Catalogue) -> tuple[Floats, Floats]:
    dose, times = (np.array([getattr(drug, name)[0][0] for drug in catalogue.drugs]) for name in ("doses", "per_day"))
    return dose[drug], times[drug]


def _right(lines: Orders, start: Moments, dose: Floats, per_day: Floats, catalogue: Catalogue) -> Orders:
    n = len(lines)
    return lines.with_columns(
        dose=dose,
        per_day=per_day,
        route=np.array([drug.route for drug in catalogue.drugs], dtype=object)[lines.drug],
        start=start,
        mechanism=np.full(n, None, dtype=object),
        detail=np.full(n, None, dtype=object),
        concern=np.full(n, ORDINARY),
        filed=np.zeros(n, dtype=np.int64),
    )


def review_table(
    people: People, stays: Stays, orders: Orders, record: Record, reviews: Reviews, catalogue: Catalogue
) -> pa.Table:
    """Rows of ``dpi.avis_pharmaceutique``; cancelled lines are not reviewed."""
    kept = np.flatnonzero((record.status[reviews.line] != "annulee") & (reviews.moment < EXTRACTION))
    line = reviews.line[kept]
    patient = stays.row[orders.stay[line]]
    number = record.number[line]
    rank = np.zeros(len(kept), dtype=np.int64)
    _, first = np.unique(number, return_index=True)
    rank[np.setdiff1d(np.arange(len(kept)), first)] = 1
    problem = reviews.problem[kept]
    return pa.table(
        {
            "_p": people.index[patient],
            "avis_id": number * 2 + rank,
            "ligne_id": number,
            "ipp": people.ipp[patient],
            "numero_sejour": stays.number[orders.stay[line]],
            "date_avis": pa.array(reviews.moment[kept]),
            "pharmacien_id": pharmacist_of(catalogue, number // 128),
            "avis": np.where(reviews.intervention[kept], "intervention", "conforme").astype(object),
            "code_probleme": pa.array(problem, mask=problem == 0),
            "acceptee": pa.array(reviews.accepted[kept], mask=problem == 0),
            "maj_le": pa.array(reviews.moment[kept]),
        }
    )
