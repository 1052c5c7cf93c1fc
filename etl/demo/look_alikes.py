"""Right lines that look wrong: a loading dose, a low dose on purpose, a pair that is wanted and watched.

A pharmacist who reads one may object, and another one may not: what the labels of real hospitals are made of.
"""

import numpy as np

from etl.demo.catalogue import Catalogue
from etl.demo.draws import Flags, Floats
from etl.demo.orders import Orders
from etl.demo.stays import Stays

# What it looks like → class of problem under which it is filed, chance per line, chance that a reader objects.
KINDS = {
    "dose_de_charge": (4, 0.0, 0.10),  # drawn with the lines
    "petite_dose": (3, 0.012, 0.09),
    "voie_inhabituelle": (8, 0.010, 0.09),
    "rein_limite": (4, 0.30, 0.10),  # of the lines that are reduced near the threshold
    "rythme_inhabituel": (8, 0.010, 0.08),
}
NEAR = 0.9  # of the threshold of filtration: above it the full dose may be meant
LOW = 2.0
INJECTABLE = ("IV", "SC", "IM")


def add_look_alikes(rng: np.random.Generator, stays: Stays, catalogue: Catalogue, orders: Orders) -> Orders:
    """The orders, some right ones unusual."""
    n = len(orders)
    draw = rng.random((len(KINDS), n))
    free = orders.right & ~orders.loading
    dose, per_day, route = orders.dose.copy(), orders.per_day.copy(), orders.route.copy()
    concern, filed = orders.concern.copy(), orders.filed.copy()
    threshold = np.array([drug.renal_below for drug in catalogue.drugs])[orders.drug]
    factor = np.array([drug.renal_factor for drug in catalogue.drugs])[orders.drug]
    near = orders.reduced & (stays.egfr[orders.stay] > NEAR * threshold)
    daily = orders.per_day >= 1
    injected = np.isin(orders.route, INJECTABLE)
    where = {"petite_dose": daily, "voie_inhabituelle": injected, "rein_limite": near, "rythme_inhabituel": daily}
    for row, (name, (problem, rate, chance)) in enumerate(KINDS.items()):
        hit = orders.loading if name == "dose_de_charge" else free & where[name] & (draw[row] < rate)
        free &= ~hit
        concern, filed = np.where(hit, chance, concern), np.where(hit, problem, filed)
        if name == "petite_dose":
            dose = np.where(hit, dose / LOW, dose)
        elif name == "rein_limite":
            dose = np.where(hit, dose / factor, dose)
        elif name == "voie_inhabituelle":
            route = np.where(hit, _other_injection(rng, n, route), route)
        elif name == "rythme_inhabituel":
            times = np.where(per_day > 1, per_day - 1, per_day + 1)
            dose = np.where(hit, dose * per_day / times, dose)
            per_day = np.where(hit, times, per_day)
    return orders.with_columns(dose=dose.round(4), per_day=per_day, route=route, concern=concern, filed=filed)


def _other_injection(rng: np.random.Generator, n: int, route: np.ndarray) -> np.ndarray:
    """Another way to inject what is injected."""
    other = np.array(INJECTABLE, dtype=object)[rng.integers(len(INJECTABLE), size=n)]
    return np.where(other == route, "IM", other)


def borderline(concern: Floats) -> Flags:
    """Lines on which two pharmacists may well disagree."""
    return (concern > 0.05) & (concern < 0.7)
