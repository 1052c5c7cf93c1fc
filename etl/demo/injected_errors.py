"""Errors put into the orders, in the shares that were published, and the truth about them.

Source of the shares: Bedouch 2008 (1,800 interventions on 38,626 orders of six hospitals) and 2009. What is put in is
written to the schema ``truth``, which nothing of the pipeline reads. An injected dose is what the nurses then give.
"""

import json

import numpy as np
import pyarrow as pa

from etl.demo.catalogue import Catalogue
from etl.demo.draws import Block, Flags, Floats, Integers, choose, choose_by_row
from etl.demo.orders import Orders, concatenate, contraindicated, drug_probabilities, make_orders
from etl.demo.people import People
from etl.demo.stays import HC, HJ, Stays

# Mechanism → Act-IP problem class of the French society of clinical pharmacy.
ACT_IP = {
    "contre_indication": 1, "sous_dosage": 3, "surdosage": 4, "non_adapte_renal": 4,
    "doublon": 5, "interaction": 6, "voie": 8, "rythme": 8,
}  # fmt: skip
OVERDOSES = ((2.0, 0.40), (3.0, 0.25), (5.0, 0.15), (10.0, 0.20))
UNDERDOSES = ((2.0, 0.5), (4.0, 0.3), (10.0, 0.2))
# Chance per line; of the last two, per line that is reduced for the kidneys or given once a week.
PER_LINE = {"surdosage": 0.0075, "sous_dosage": 0.0042, "voie": 0.0120, "non_adapte_renal": 0.14, "rythme": 0.20}
# Chance per stay and line of a line that should not have been added.
PER_ADDED = {"contre_indication": 0.0135, "interaction": 0.0120, "doublon": 0.0042}


def inject(block: Block, stays: Stays, catalogue: Catalogue, chosen: Flags, orders: Orders) -> Orders:
    """The orders with errors among them: changed lines, and lines that should not be there."""
    changed = _change_lines(block.generator("erreurs.lignes"), stays, catalogue, orders)
    added = [
        _add_contraindicated(block.generator("erreurs.contre_indication"), stays, catalogue, chosen),
        _add_interacting(block.generator("erreurs.interaction"), stays, catalogue, chosen),
        _add_duplicate(block.generator("erreurs.doublon"), stays, catalogue, chosen),
    ]
    return concatenate([changed, *added])


def _change_lines(rng: np.random.Generator, stays: Stays, catalogue: Catalogue, orders: Orders) -> Orders:
    n, rate = len(orders), _rates(PER_LINE, catalogue)
    draw = rng.random((5, n))
    free = ~orders.loading
    mechanism, detail = orders.mechanism.copy(), orders.detail.copy()
    dose, per_day, route = orders.dose.copy(), orders.per_day.copy(), orders.route.copy()
    factor = np.array([renal.renal_factor for renal in catalogue.drugs])[orders.drug]
    over = np.array([value for value, _ in OVERDOSES])[choose(rng, [share for _, share in OVERDOSES], n)]
    under = np.array([value for value, _ in UNDERDOSES])[choose(rng, [share for _, share in UNDERDOSES], n)]
    wrong = np.array([drug.wrong_route for drug in catalogue.drugs], dtype=object)[orders.drug]
    weekly = (orders.per_day > 0.1) & (orders.per_day < 0.2)
    steps = (
        ("rythme", weekly & (draw[0] < rate["rythme"]), lambda i: {"frequence": [float(per_day[i]), 1.0]}),
        (
            "non_adapte_renal",
            orders.reduced & (draw[1] < rate["non_adapte_renal"]),
            lambda i: {"facteur_omis": float(factor[i])},
        ),
        ("surdosage", draw[2] < rate["surdosage"], lambda i: {"multiplie_par": float(over[i])}),
        ("sous_dosage", draw[3] < rate["sous_dosage"], lambda i: {"divise_par": float(under[i])}),
        ("voie", draw[4] < rate["voie"], lambda i: {"voie": [str(orders.route[i]), str(wrong[i])]}),
    )
    for name, hit, parameters in steps:
        for i in np.flatnonzero(hit & free):
            mechanism[i], detail[i] = name, json.dumps(parameters(i), ensure_ascii=False)
        free &= ~hit
    is_ = {name: np.array([m == name for m in mechanism], dtype=bool) for name in PER_LINE}
    dose = np.where(is_["surdosage"], dose * over, np.where(is_["sous_dosage"], dose / under, dose))
    dose = np.where(is_["non_adapte_renal"], dose / factor, dose).round(4)
    per_day = np.where(is_["rythme"], 1.0, per_day)
    route = np.where(is_["voie"], wrong, route)
    return orders.with_columns(dose=dose, per_day=per_day, route=route, mechanism=mechanism, detail=detail)


def _add(
    rng: np.random.Generator, stays: Stays, catalogue: Catalogue, name: str, picks: tuple[Integers, Integers, list[str]]
) -> Orders:
    stay, drug, detail = picks
    lines = make_orders(rng, stays, catalogue, stay, drug)
    return lines.with_columns(
        mechanism=np.full(len(stay), name, dtype=object), detail=np.array([*detail, None], dtype=object)[: len(stay)]
    )


def _rates(rates: dict[str, float], catalogue: Catalogue) -> dict[str, float]:
    return {name: rate * catalogue.habits.errors.get(name, 1.0) for name, rate in rates.items()}


def _hit(rng: np.random.Generator, stays: Stays, catalogue: Catalogue, chosen: Flags, name: str) -> Flags:
    lines, rate = chosen.sum(axis=1), _rates(PER_ADDED, catalogue)[name]
    return (rng.random(len(chosen)) < 1 - (1 - rate) ** lines) & np.isin(stays.kind, (HC, HJ))


def _add_contraindicated(rng: np.random.Generator, stays: Stays, catalogue: Catalogue, chosen: Flags) -> Orders:
    """A usual drug that this patient must not have."""
    weights = np.where(contraindicated(stays, catalogue), drug_probabilities(stays, catalogue) + 0.004, 0.0) * ~chosen
    drug = choose_by_row(rng, weights)
    stay = np.flatnonzero(_hit(rng, stays, catalogue, chosen, "contre_indication") & (drug >= 0))
    states = [_states(stays, catalogue, s, int(drug[s])) for s in stay.tolist()]
    return _add(rng, stays, catalogue, "contre_indication", (stay, drug[stay], states))


def _states(stays: Stays, catalogue: Catalogue, stay: int, drug: int) -> str:
    held = [name for name in catalogue.drugs[drug].contraindications if stays.feature(name)[stay]]
    return json.dumps({"etats": held})


def _add_interacting(rng: np.random.Generator, stays: Stays, catalogue: Catalogue, chosen: Flags) -> Orders:
    """A drug that does not go with one that the patient has."""
    forbidden = contraindicated(stays, catalogue)
    pairs = [
        (catalogue.drug_index(r["atc_a"]), catalogue.drug_index(r["atc_b"]), float(r["poids"]))
        for r in catalogue.interactions
    ]
    both_ways = [(a, b, w) for a, b, w in pairs] + [(b, a, w / 2) for a, b, w in pairs]
    weights = np.stack([chosen[:, a] * ~chosen[:, b] * ~forbidden[:, b] * w for a, b, w in both_ways], axis=1)
    picked = choose_by_row(rng, weights)
    stay = np.flatnonzero(_hit(rng, stays, catalogue, chosen, "interaction") & (picked >= 0))
    present, added = (np.array([pair[side] for pair in both_ways])[picked[stay]] for side in (0, 1))
    detail = [json.dumps({"avec": catalogue.drugs[i].atc}) for i in present]
    return _add(rng, stays, catalogue, "interaction", (stay, added, detail))


def _add_duplicate(rng: np.random.Generator, stays: Stays, catalogue: Catalogue, chosen: Flags) -> Orders:
    """A second drug of a group that should be given once."""
    groups = np.array([drug.group for drug in catalogue.drugs], dtype=object)
    same = (groups[:, None] == groups[None, :]) & (groups != "")[:, None] & ~np.eye(len(groups), dtype=bool)
    allowed = ~chosen & ~contraindicated(stays, catalogue)
    weights: Floats = (chosen.astype(np.float64) @ same) * allowed * (drug_probabilities(stays, catalogue) + 0.01)
    drug = choose_by_row(rng, weights)
    stay = np.flatnonzero(_hit(rng, stays, catalogue, chosen, "doublon") & (drug >= 0))
    detail = [json.dumps({"groupe": str(groups[i])}) for i in drug[stay]]
    return _add(rng, stays, catalogue, "doublon", (stay, drug[stay], detail))


def truth_table(block: Block, people: People, stays: Stays, orders: Orders, numbers: Integers) -> pa.Table:
    """Rows of ``truth.injected_error``."""
    wrong = np.flatnonzero([mechanism is not None for mechanism in orders.mechanism])
    return pa.table(
        {
            "_p": people.index[stays.row[orders.stay[wrong]]],
            "ligne_id": numbers[wrong],
            "mechanism": orders.mechanism[wrong].tolist(),
            "parameters": orders.detail[wrong].tolist(),
            "seed": np.full(len(wrong), block.seed),
        }
    )
