"""Errors inside a line: the dose, the kidneys, the route, the rhythm. What results may be visible or not.

A doubled dose that other patients are given every day looks like any other; nobody could object to it.
"""

import json

import numpy as np

from etl.demo.catalogue import Catalogue, Drug
from etl.demo.draws import Flags, Floats, choose
from etl.demo.orders import ORDINARY, Orders
from etl.demo.stays import Stays

OVERDOSES = ((2.0, 0.40), (3.0, 0.25), (5.0, 0.15), (10.0, 0.20))
UNDERDOSES = ((2.0, 0.5), (4.0, 0.3), (10.0, 0.2))
# Chance per line; of the first two, per line that is given once a week or is reduced for the kidneys.
RATES = {
    "rythme": 0.20, "non_adapte_renal": 0.11, "surdosage": 0.0081, "sous_dosage": 0.0060, "voie": 0.0062,
    "frequence": 0.0040, "non_recu": 0.0009,
}  # fmt: skip
# Chance that the pharmacist who reads the line objects, as far as the result is from what is usual.
PLAIN, DOUBTFUL, INVISIBLE = 0.96, 0.60, 0.02
FAR = 2.4  # times outside of what is usual
DEEP = 0.7  # share of the threshold of filtration under which a missing reduction is grave
GIVEN_TOO_OFTEN = 2  # a drug given more often a day is made to be given once


def change_lines(rng: np.random.Generator, stays: Stays, catalogue: Catalogue, orders: Orders) -> Orders:
    """The orders, some of them wrong."""
    n = len(orders)
    draw = rng.random((len(RATES), n))
    over, under = (_factors(rng, shares, n) for shares in (OVERDOSES, UNDERDOSES))
    drugs = [catalogue.drugs[i] for i in orders.drug.tolist()]
    reduction = np.array([drug.renal_factor for drug in drugs])
    wrong_route = np.array([drug.wrong_route for drug in drugs], dtype=object)
    often = np.where(orders.per_day > GIVEN_TOO_OFTEN, 1.0, 4.0)
    weekly = (orders.per_day > 0.1) & (orders.per_day < 0.2)
    daily = ~weekly & (orders.per_day >= 1)
    where = {"rythme": weekly, "non_adapte_renal": orders.reduced, "frequence": daily, "non_recu": daily}
    parameters = {
        "rythme": lambda i: {"frequence": [float(orders.per_day[i]), 1.0]},
        "non_adapte_renal": lambda i: {"facteur_omis": float(reduction[i])},
        "surdosage": lambda i: {"multiplie_par": float(over[i])},
        "sous_dosage": lambda i: {"divise_par": float(under[i])},
        "voie": lambda i: {"voie": [str(orders.route[i]), str(wrong_route[i])]},
        "frequence": lambda i: {"frequence": [float(orders.per_day[i]), float(often[i])]},
        "non_recu": lambda _: {},
    }
    free = orders.right & ~orders.loading
    mechanism, detail = orders.mechanism.copy(), orders.detail.copy()
    is_: dict[str, Flags] = {}
    for row, (name, rate) in enumerate(RATES.items()):
        chance = rate * catalogue.habits.errors.get(name, 1.0)
        is_[name] = free & where.get(name, np.ones(n, dtype=bool)) & (draw[row] < chance)
        free &= ~is_[name]
        for i in np.flatnonzero(is_[name]):
            mechanism[i], detail[i] = name, json.dumps(parameters[name](i), ensure_ascii=False)
    dose = np.where(
        is_["surdosage"], orders.dose * over, np.where(is_["sous_dosage"], orders.dose / under, orders.dose)
    )
    dose = np.where(is_["non_adapte_renal"], dose / reduction, dose)
    # The dose of a day stays what it was: only its times are wrong.
    dose = np.where(is_["frequence"], dose * orders.per_day / often, dose).round(4)
    per_day = np.select([is_["rythme"], is_["frequence"]], [1.0, often], orders.per_day)
    changed = orders.with_columns(
        dose=dose, per_day=per_day, route=np.where(is_["voie"], wrong_route, orders.route),
        mechanism=mechanism, detail=detail,
    )  # fmt: skip
    return changed.with_columns(concern=_concern(stays, catalogue, changed, is_))


def _factors(rng: np.random.Generator, shares: tuple[tuple[float, float], ...], n: int) -> Floats:
    return np.array([value for value, _ in shares])[choose(rng, [share for _, share in shares], n)]


def _concern(stays: Stays, catalogue: Catalogue, orders: Orders, is_: dict[str, Flags]) -> Floats:
    """How likely a reader objects to each line."""
    low, high = (np.array([bound(drug) for drug in catalogue.drugs])[orders.drug] for bound in (_least, _most))
    daily = orders.dose * orders.per_day
    threshold = np.array([drug.renal_below for drug in catalogue.drugs])[orders.drug]
    deep = stays.egfr[orders.stay] < DEEP * np.maximum(threshold, 1e-9)
    found = {
        "rythme": np.full(len(orders), PLAIN),
        "non_adapte_renal": np.where(deep, PLAIN, DOUBTFUL),
        "surdosage": _by_distance(daily / high),
        "sous_dosage": _by_distance(low / daily),
        "voie": np.full(len(orders), PLAIN),
        "frequence": np.full(len(orders), DOUBTFUL),
        "non_recu": np.full(len(orders), PLAIN),
    }
    return np.select([is_[name] for name in found], list(found.values()), orders.concern)


def _by_distance(times: Floats) -> Floats:
    return np.select([times >= FAR, times > 1.0 + 1e-6], [PLAIN, DOUBTFUL], max(INVISIBLE, ORDINARY))


def _least(drug: Drug) -> float:
    """The lowest dose of a day that is usual, without a reduction for the kidneys."""
    return min(value for value, _ in drug.doses) * min(times for times, _ in drug.per_day)


def _most(drug: Drug) -> float:
    return max(value for value, _ in drug.doses) * max(times for times, _ in drug.per_day)
