"""Reviews of the orders by pharmacists: who is reviewed, what is seen, what is said, and what then happens.

The label is not the truth: nights and week-ends go unreviewed, some wards have no pharmacist, errors are missed,
correct lines are questioned, and two pharmacists disagree.
"""

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
    hour_of,
    seconds,
    weekday_of,
)
from etl.demo.habits import Habits
from etl.demo.injected_errors import ACT_IP
from etl.demo.orders import Orders, Record, concatenate
from etl.demo.people import EXTRACTION, People
from etl.demo.staff import pharmacist_of
from etl.demo.stays import CS, URG, Stays

SEEN = {
    "contre_indication": 0.72, "sous_dosage": 0.50, "non_adapte_renal": 0.66, "doublon": 0.70,
    "interaction": 0.68, "voie": 0.62, "rythme": 0.90,
}  # fmt: skip
SEEN_OVERDOSE = ((9.9, 0.96), (4.9, 0.88), (2.9, 0.76), (0.0, 0.55))  # the more doses, the plainer
QUESTIONED, QUESTIONED_LOADING = 0.0115, 0.16  # correct lines that get an intervention all the same
SECOND_OPINION = 0.03
ANY_CLASS = {1: 0.16, 2: 0.12, 3: 0.14, 4: 0.16, 5: 0.10, 6: 0.12, 7: 0.03, 8: 0.10, 9: 0.02, 10: 0.05}
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
    """Reviews of lines that still run when a pharmacist reaches them."""
    rng = block.generator("avis")
    n = len(orders)
    moment, same_day = _review_moment(rng, orders.start, catalogue.habits)
    covered = np.array([float(row["revue"]) for row in catalogue.wards])[stays.ward[orders.stay]]
    busy = weekday_of(moment) == 0  # Mondays hold the week-end's orders
    reached = rng.random(n) < covered * np.where(same_day, 0.95, 0.60)
    running = (moment < orders.end) & (moment < EXTRACTION) & ~np.isin(stays.kind[orders.stay], (URG, CS))
    line = np.flatnonzero(reached & running)
    first = _opinion(rng, catalogue.habits, orders, line, moment[line], busy[line])
    again = np.flatnonzero(rng.random(len(line)) < SECOND_OPINION)
    later = moment[line[again]] + seconds(rng.uniform(0.3, 3, len(again)) * 3600)
    second = _opinion(rng, catalogue.habits, orders, line[again], later, busy[line[again]], agree=0.65)
    return Reviews(**{name: np.concatenate([vars(first)[name], vars(second)[name]]) for name in vars(first)})


def _review_moment(rng: np.random.Generator, start: Moments, habits: Habits) -> tuple[Moments, Flags]:
    """When a pharmacist could see a line (Monday to Friday), and whether that is on the day it was written."""
    opens, closes = habits.pharmacy_opens, habits.pharmacy_closes
    delay = rng.exponential(habits.review_delay_hours, len(start)) + 0.2
    hour, weekday = hour_of(start), weekday_of(start)
    today = (weekday < 5) & (hour + delay < closes) & (hour > opens - 3)
    ahead = np.where(weekday >= 4, 7 - weekday, 1)  # Friday evening is seen on Monday
    next_time = day_of(start) + ahead.astype("timedelta64[D]") + seconds((opens + (delay % (closes - opens))) * 3600)
    this_time = day_of(start) + seconds((np.maximum(hour, opens) + delay) * 3600)
    today &= hour_of(this_time) < closes
    return np.where(today, this_time, next_time).astype(SECOND), today


def _opinion(
    rng: np.random.Generator, habits: Habits, orders: Orders, line: Integers, moment: Moments, busy: Flags,
    agree: float = 1.0,
) -> Reviews:  # fmt: skip
    chance, plain = _chance(orders, line, habits.errors_seen)
    n = len(line)
    chance = chance * np.where(busy, 0.85, 1.0) * agree
    intervention = rng.random(n) < chance
    true_class = np.array([ACT_IP.get(orders.mechanism[i], 0) for i in line.tolist()], dtype=np.int64)
    other = np.array([OTHER_CLASS.get(c, 8) for c in true_class.tolist()], dtype=np.int64)
    drawn = np.array(list(ANY_CLASS))[choose(rng, list(ANY_CLASS.values()), n)]
    loading = orders.loading[line]
    filed = np.where(rng.random(n) < 0.87, true_class, other)
    problem = np.where(true_class > 0, filed, np.where(loading, 4, drawn))
    accepted = rng.random(n) < np.where(plain, habits.accepted_plain, habits.accepted)
    return Reviews(line, moment, intervention, np.where(intervention, problem, 0), accepted & intervention)


def _chance(orders: Orders, line: Integers, factor: float) -> tuple[Floats, Flags]:
    """Chance of an intervention on each line, and whether its error is plain to see."""
    chance = np.where(orders.loading[line], QUESTIONED_LOADING, QUESTIONED)
    plain = np.zeros(len(line), dtype=bool)
    for position, i in enumerate(line.tolist()):
        mechanism = orders.mechanism[i]
        if mechanism == "surdosage":
            times = float(orders.detail[i].split(":")[1].strip(" }"))
            chance[position] = next(seen for limit, seen in SEEN_OVERDOSE if times > limit) * factor
            plain[position] = times > 4
        elif mechanism is not None:
            chance[position] = SEEN[mechanism] * factor
    return chance, plain


def apply_interventions(orders: Orders, reviews: Reviews, catalogue: Catalogue) -> Orders:
    """Accepted interventions stop the line; where the dose, route or rhythm was wrong, a right line follows."""
    hit = np.flatnonzero(reviews.accepted)
    _, first = np.unique(reviews.line[hit], return_index=True)  # a second opinion does not stop a line twice
    line, moment = reviews.line[hit[first]], reviews.moment[hit[first]]
    stop = moment + np.timedelta64(5400, "s")
    end, stopped = orders.end.copy(), orders.stopped.copy()
    earlier = stop < end[line]
    end[line[earlier]] = stop[earlier]
    stopped[line[earlier]] = True
    again = np.array(
        [orders.mechanism[i] in ("surdosage", "sous_dosage", "non_adapte_renal", "voie", "rythme") for i in line], bool
    )
    right = _corrected(orders, line[again & earlier], stop[again & earlier], catalogue)
    return concatenate([orders.with_columns(end=end, stopped=stopped), right])


def _corrected(orders: Orders, line: Integers, start: Moments, catalogue: Catalogue) -> Orders:
    right = orders.take(line)
    usual = np.array([drug.doses[0][0] for drug in catalogue.drugs])[right.drug]
    factor = np.where(right.reduced, np.array([drug.renal_factor for drug in catalogue.drugs])[right.drug], 1.0)
    wrong_dose = np.isin(right.mechanism.astype(str), ("surdosage", "sous_dosage", "non_adapte_renal"))
    weekly = right.mechanism.astype(str) == "rythme"
    routes = np.array([drug.route for drug in catalogue.drugs], dtype=object)
    blank = np.full(len(line), None, dtype=object)
    return right.with_columns(
        dose=np.where(wrong_dose, usual * factor, right.dose),
        per_day=np.where(weekly, 0.143, right.per_day),
        route=routes[right.drug],
        start=start,
        mechanism=blank,
        detail=blank.copy(),
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
