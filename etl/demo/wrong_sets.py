"""Errors of what is ordered together: a line too many, a line that is missing, a control that nobody asked for."""

import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from etl.demo.catalogue import Catalogue, Watched
from etl.demo.draws import Flags, Floats, Integers, choose_by_row, seconds
from etl.demo.orders import Orders, concerned, contraindicated, drug_probabilities, first_line, make_orders
from etl.demo.stays import HC, HJ, Stays

# Chance per stay and line of a line that should not have been added.
ADDED = {"contre_indication": 0.0145, "interaction": 0.0078, "doublon": 0.0044}
# Chance per stay of those in which it can happen.
PER_STAY = {"indication_non_traitee": 0.14, "suivi_absent": 0.30, "effet_indesirable": 0.018}
ABSOLUTE = ("ALLPENI", "ALLAINS", "GROSS", "KHAUT", "JEUNEF", "HEMO", "DFG15", "DFG20", "DFG25", "DFG30", "DFG35")
CONTRAINDICATED, DISCOURAGED = 0.95, 0.75
RARE = 0.004
MALE_ONLY = ("FEMME",)  # not for women, which is no danger to them
BY_LEVEL = {"contre_indication": 0.95, "deconseillee": 0.85, "precaution": 0.50}
TWICE, MISSING, UNWATCHED, HARMED = 0.80, 0.65, 0.75, 0.90


def hit(rng: np.random.Generator, stays: Stays, catalogue: Catalogue, chosen: Flags, name: str) -> Flags:
    """Stays in which a line is added by this mechanism: the more lines, the likelier."""
    lines, rate = chosen.sum(axis=1), ADDED[name] * catalogue.habits.errors.get(name, 1.0)
    return (rng.random(len(chosen)) < 1 - (1 - rate) ** lines) & np.isin(stays.kind, (HC, HJ))


def add_contraindicated(rng: np.random.Generator, stays: Stays, catalogue: Catalogue, chosen: Flags) -> Orders:
    """A usual drug that this patient must not have."""
    weights = np.where(contraindicated(stays, catalogue), drug_probabilities(stays, catalogue) + RARE, 0.0) * ~chosen
    weights[:, [i for i, drug in enumerate(catalogue.drugs) if drug.contraindications == MALE_ONLY]] = 0
    drug = choose_by_row(rng, weights)
    stay = np.flatnonzero(hit(rng, stays, catalogue, chosen, "contre_indication") & (drug >= 0))
    states = [
        [name for name in catalogue.drugs[int(drug[s])].contraindications if stays.feature(name)[s]]
        for s in stay.tolist()
    ]
    concern = np.array([CONTRAINDICATED if set(held) & set(ABSOLUTE) else DISCOURAGED for held in states])
    lines = make_orders(rng, stays, catalogue, stay, drug[stay])
    return _marked(lines, "contre_indication", [{"etats": held} for held in states], concern)


def add_interacting(
    rng: np.random.Generator, stays: Stays, catalogue: Catalogue, chosen: Flags, orders: Orders
) -> Orders:
    """A drug that does not go with one that the patient has."""
    forbidden = contraindicated(stays, catalogue)
    pairs = [
        (catalogue.drug_index(r["atc_a"]), catalogue.drug_index(r["atc_b"]), float(r["poids"]), BY_LEVEL[r["niveau"]])
        for r in catalogue.interactions
    ]
    both_ways = pairs + [(b, a, weight / 2, concern) for a, b, weight, concern in pairs]
    usual = drug_probabilities(stays, catalogue) + RARE  # a drug that nobody would order gives itself away
    weights = np.stack(
        [chosen[:, a] * ~chosen[:, b] * ~forbidden[:, b] * w * usual[:, b] for a, b, w, _ in both_ways], axis=1
    )
    picked = choose_by_row(rng, weights)
    stay = np.flatnonzero(hit(rng, stays, catalogue, chosen, "interaction") & (picked >= 0))
    present, added = (np.array([pair[side] for pair in both_ways])[picked[stay]] for side in (0, 1))
    concern = np.array([pair[3] for pair in both_ways])[picked[stay]]
    lines = during(rng, stays, make_orders(rng, stays, catalogue, stay, added), present, orders)
    return _marked(lines, "interaction", [{"avec": catalogue.drugs[i].atc} for i in present], concern)


def add_duplicate(
    rng: np.random.Generator, stays: Stays, catalogue: Catalogue, chosen: Flags, orders: Orders
) -> Orders:
    """A second drug of a group that should be given once."""
    groups = [set(drug.groups) for drug in catalogue.drugs]
    same = np.array([[bool(one & other) for other in groups] for one in groups]) & ~np.eye(len(groups), dtype=bool)
    allowed = ~chosen & ~contraindicated(stays, catalogue)
    weights: Floats = (chosen.astype(np.float64) @ same) * allowed * (drug_probabilities(stays, catalogue) + 0.01)
    drug = choose_by_row(rng, weights)
    stay = np.flatnonzero(hit(rng, stays, catalogue, chosen, "doublon") & (drug >= 0))
    present = np.array([np.flatnonzero(chosen[s] & same[drug[s]])[0] for s in stay], dtype=np.int64)
    lines = during(rng, stays, make_orders(rng, stays, catalogue, stay, drug[stay]), present, orders)
    shared = [min(groups[one] & groups[other]) for one, other in zip(drug[stay], present, strict=True)]
    return _marked(lines, "doublon", [{"groupe": group} for group in shared], np.full(len(stay), TWICE))


def during(rng: np.random.Generator, stays: Stays, lines: Orders, present: Integers, orders: Orders) -> Orders:
    """The lines, begun while the patient's line of another drug runs.

    Args:
        present: that drug, for each line.
    """
    row = first_line(orders, lines.stay, present, stays)
    alone = row < 0  # the other line was left out
    fits = alone | ((lines.start >= orders.start[row]) & (lines.start < orders.end[row]))
    start = np.where(fits, lines.start, orders.start[row] + seconds(rng.uniform(0.3, 6, len(row)) * 3600))
    length = (lines.end - lines.start).astype(np.float64)
    end = np.minimum(start + seconds(np.maximum(length, 12 * 3600)), stays.end[lines.stay])
    kept = fits | (start >= end)
    return lines.with_columns(start=np.where(kept, lines.start, start), end=np.where(kept, lines.end, end))


def leave_out(rng: np.random.Generator, stays: Stays, catalogue: Catalogue, orders: Orders) -> Orders:
    """The orders without what a protocol asks for, the line that calls for it marked."""
    rate = PER_STAY["indication_non_traitee"] * catalogue.habits.errors.get("indication_non_traitee", 1.0)
    for protocol in catalogue.protocols:
        taken = np.isin(orders.drug, protocol.triggers) & _free(orders)
        line, stay = _one_each(orders, taken & concerned(stays, protocol)[orders.stay])
        lost = stay[(rng.random(len(stay)) < rate)]
        line = line[np.isin(stay, lost)]
        detail = {"manque": catalogue.drugs[protocol.companions[0]].atc, "protocole": protocol.name}
        orders = _mark(orders, line, "indication_non_traitee", [detail] * len(line), np.full(len(line), MISSING))
        gone = np.isin(orders.stay, lost) & np.isin(orders.drug, protocol.companions) & _free(orders)
        orders = orders.take(np.flatnonzero(~gone))
    return orders


def neglect(rng: np.random.Generator, stays: Stays, catalogue: Catalogue, orders: Orders) -> Orders:
    """The orders, under some of which nobody asks for the analysis that should be watched."""
    return _watched(rng, stays, catalogue, orders, catalogue.controls, "suivi_absent", UNWATCHED)


def harm(rng: np.random.Generator, stays: Stays, catalogue: Catalogue, orders: Orders) -> Orders:
    """The orders, some of which do harm that the laboratory shows."""
    return _watched(rng, stays, catalogue, orders, catalogue.effects, "effet_indesirable", HARMED)


def _watched(
    rng: np.random.Generator, stays: Stays, catalogue: Catalogue, orders: Orders, rows: tuple[Watched, ...],
    name: str, concern: float,
) -> Orders:  # fmt: skip
    rate = PER_STAY[name] * catalogue.habits.errors.get(name, 1.0)
    for watched in rows:
        admitted = stays.kind[orders.stay] == HC
        line, stay = _one_each(orders, np.isin(orders.drug, watched.triggers) & _free(orders) & admitted)
        line = line[rng.random(len(stay)) < rate]
        value = (watched.low + (watched.high - watched.low) * rng.random(len(line))).round(2)
        detail = [{"grandeur": watched.quantity, "valeur": None if np.isnan(x) else float(x)} for x in value]
        orders = _mark(orders, line, name, detail, np.full(len(line), concern))
    return orders


def _free(orders: Orders) -> Flags:
    return orders.right & ~orders.loading


def _one_each(orders: Orders, wanted: Flags) -> tuple[Integers, Integers]:
    """The first wanted line of each stay, and the stay."""
    line = np.flatnonzero(wanted)
    line = line[np.lexsort((orders.start[line], orders.stay[line]))]
    stay, first = np.unique(orders.stay[line], return_index=True)
    return line[first], stay


def _marked(lines: Orders, name: str, detail: Sequence[Mapping[str, object]], concern: Floats) -> Orders:
    every = np.arange(len(lines))
    return _mark(lines, every, name, detail, concern)


def _mark(orders: Orders, line: Integers, name: str, detail: Sequence[Mapping[str, object]], concern: Floats) -> Orders:
    mechanism, details, concerns = orders.mechanism.copy(), orders.detail.copy(), orders.concern.copy()
    mechanism[line] = name
    for at, what in zip(line.tolist(), detail, strict=True):
        details[at] = json.dumps(what, ensure_ascii=False)
    concerns[line] = concern
    return orders.with_columns(mechanism=mechanism, detail=details, concern=concerns)


Mechanism = Callable[[np.random.Generator, Stays, Catalogue, Orders], Orders]
IN_PLACE: tuple[tuple[str, Mechanism], ...] = (
    ("erreurs.oublis", leave_out),
    ("erreurs.suivi", neglect),
    ("erreurs.effets", harm),
)
