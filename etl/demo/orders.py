"""Drug orders: what is prescribed to whom, when every safeguard is applied.

Errors are put in afterwards (`injected_errors`), defects of the record last (`order_table`).
"""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from etl.demo.catalogue import Catalogue, Drug, Protocol
from etl.demo.draws import (
    EMPTY,
    SECOND,
    Block,
    Flags,
    Floats,
    Integers,
    Moments,
    Objects,
    choose,
    french_number,
    rank_within,
    seconds,
)
from etl.demo.people import EXTRACTION, People
from etl.demo.staff import practitioner_of
from etl.demo.stays import DAY, HC, HJ, URG, Stays, ward_codes

LINES_PER_STAY = 128  # an order's number is stay key × 128 + rank
ORDERING = (HC, HJ, URG)  # kinds of stay with orders; how many: `Habits.ordering`
LOADING_SHARE = 0.01  # justified high doses: they look like errors and are none
TOO_MANY_DIGITS = 4
ORDINARY = 0.0015  # chance that a reader objects to a line with nothing unusual
FOLLOWED = 0.96  # of the patients for whom a protocol asks for a drug
IN_FORCE = 0.9  # orders that follow a change of the formulary


@dataclass(frozen=True)
class Orders:
    """Order lines of one block. ``end`` is when the treatment truly ends."""

    stay: Integers  # row in Stays
    drug: Integers  # index in the catalogue
    dose: Floats
    per_day: Floats
    route: Objects
    start: Moments
    end: Moments
    stopped: Flags  # stopped by somebody before its planned end
    reduced: Flags  # dose reduced for the renal function
    loading: Flags  # justified high dose
    mechanism: Objects  # None, or how the line was made wrong
    detail: Objects  # None, or the parameters of the error
    concern: Floats  # chance that a pharmacist who reads the line objects
    filed: Integers  # class of problem under which the objection is filed; 0: any

    def __len__(self) -> int:
        return len(self.stay)

    @property
    def right(self) -> Flags:
        """Lines without an injected error."""
        return np.array([mechanism is None for mechanism in self.mechanism], dtype=bool)

    def take(self, rows: Integers) -> "Orders":
        """Some of the lines."""
        return Orders(**{name: values[rows] for name, values in vars(self).items()})

    def with_columns(self, **columns: np.ndarray) -> "Orders":
        """The same lines with other values in some columns."""
        return replace(self, **columns)


def concatenate(parts: list[Orders]) -> Orders:
    """Lines of several sets, one after the other."""
    return Orders(**{name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])})


def drug_probabilities(stays: Stays, catalogue: Catalogue) -> Floats:
    """How likely each drug is in each stay before any safeguard, shape (stays, drugs)."""
    probability = (stays.features @ catalogue.drug_weights).clip(0, 0.96)
    scale = np.zeros(len(stays.row))
    for kind, share in zip(ORDERING, catalogue.habits.ordering, strict=True):
        scale[stays.kind == kind] = share
    probability = (probability * scale[:, None]).clip(0, 0.97)
    for atc, share in catalogue.habits.emergency_drugs.items():
        column = catalogue.drug_index(atc)
        probability[:, column] = np.where(
            stays.kind == URG, np.maximum(probability[:, column], share), probability[:, column]
        )
    return probability


def contraindicated(stays: Stays, catalogue: Catalogue) -> Flags:
    """Which drugs the catalogue forbids in which stays, shape (stays, drugs)."""
    return (stays.features @ catalogue.drug_contraindications) > 0


def draw_choice(block: Block, stays: Stays, catalogue: Catalogue) -> Flags:
    """Drugs of each stay when every safeguard is applied, shape (stays, drugs)."""
    rng = block.generator("prescription.choix")
    probability = drug_probabilities(stays, catalogue)
    chosen = (rng.random(probability.shape) < probability) & ~contraindicated(stays, catalogue)
    score = np.where(chosen, rng.random(probability.shape), -1.0)
    for group in sorted({group for drug in catalogue.drugs for group in drug.groups}):
        members = np.array([i for i, drug in enumerate(catalogue.drugs) if group in drug.groups])
        best = members[np.where(chosen, score, -1.0)[:, members].argmax(axis=1)]
        kept = chosen[np.arange(len(chosen)), best]
        chosen[:, members] = False
        chosen[np.arange(len(chosen)), best] = kept
    for row in catalogue.interactions:
        first, second = catalogue.drug_index(row["atc_a"]), catalogue.drug_index(row["atc_b"])
        chosen[:, second] &= ~chosen[:, first]
    return _by_formulary(rng, stays, catalogue, _by_protocols(rng, stays, catalogue, chosen))


def concerned(stays: Stays, protocol: Protocol) -> Flags:
    """Stays in which a protocol holds."""
    return stays.feature(protocol.state) & np.isin(stays.kind, (HC, HJ))


def _by_protocols(rng: np.random.Generator, stays: Stays, catalogue: Catalogue, chosen: Flags) -> Flags:
    """With the drugs that others call for."""
    forbidden = contraindicated(stays, catalogue)
    for protocol in catalogue.protocols:
        called = concerned(stays, protocol) & chosen[:, protocol.triggers].any(axis=1)
        lacking = called & ~chosen[:, protocol.companions].any(axis=1) & ~forbidden[:, protocol.companions[0]]
        chosen[:, protocol.companions[0]] |= lacking & (rng.random(len(chosen)) < FOLLOWED)
    return chosen


def _by_formulary(rng: np.random.Generator, stays: Stays, catalogue: Catalogue, chosen: Flags) -> Flags:
    """With what the pharmacy has bought since."""
    forbidden = contraindicated(stays, catalogue)
    for day, old, new in catalogue.habits.formulary_changes:
        before, after = catalogue.drug_index(old), catalogue.drug_index(new)
        moved = chosen[:, before] & (stays.start >= np.datetime64(day)) & ~forbidden[:, after]
        moved &= rng.random(len(chosen)) < IN_FORCE
        chosen[:, after] |= moved
        chosen[:, before] &= ~moved
    return chosen


def draw_orders(block: Block, stays: Stays, catalogue: Catalogue, chosen: Flags) -> Orders:
    """Order lines with the usual dose of each drug, reduced where the renal function asks for it."""
    stay, drug = np.nonzero(chosen)
    return _together(make_orders(block.generator("prescription"), stays, catalogue, stay, drug), stays, catalogue)


def first_line(orders: Orders, stay: Integers, drug: Integers, stays: Stays) -> Integers:
    """The first line of a drug in a stay; -1 where it has none.

    Args:
        stay, drug: shape (n,).
    """
    order = np.lexsort((orders.start, orders.drug, orders.stay))
    width = int(max(orders.drug.max(initial=0), drug.max(initial=0))) + 1
    known, wanted = (orders.stay * width + orders.drug)[order], stay * width + drug
    at = np.minimum(np.searchsorted(known, wanted), max(len(known) - 1, 0))
    return np.where(known[at] == wanted, order[at], -1) if len(known) else np.full(len(stay), -1)


def _together(orders: Orders, stays: Stays, catalogue: Catalogue) -> Orders:
    """The orders, what a protocol asks for beginning with what calls for it, and ending not before."""
    start, end = orders.start.copy(), orders.end.copy()
    for protocol in catalogue.protocols:
        calling = np.flatnonzero(np.isin(orders.drug, protocol.triggers) & concerned(stays, protocol)[orders.stay])
        first = np.full(len(stays.row), np.datetime64("9999-01-01", "s"))
        last = np.full(len(stays.row), np.datetime64("0001-01-01", "s"))
        np.minimum.at(first, orders.stay[calling], start[calling])
        np.maximum.at(last, orders.stay[calling], end[calling])
        asked = np.isin(orders.drug, protocol.companions)
        start = np.where(asked, np.minimum(start, first[orders.stay]), start)
        end = np.where(asked, np.maximum(end, last[orders.stay]), end)
    return orders.with_columns(start=start.astype(SECOND), end=end.astype(SECOND))


def make_orders(rng: np.random.Generator, stays: Stays, catalogue: Catalogue, stay: Integers, drug: Integers) -> Orders:
    """Lines for these (stay, drug) pairs."""
    n = len(stay)
    dose = _usual(rng, [d.doses for d in catalogue.drugs], drug)
    per_day = _usual(rng, [d.per_day for d in catalogue.drugs], drug)
    reduced = stays.egfr[stay] < _column(catalogue, "renal_below")[drug]
    dose = np.where(reduced, dose * _column(catalogue, "renal_factor")[drug], dose)
    loading = rng.random(n) < LOADING_SHARE
    dose = np.where(loading, dose * 2, dose)
    span = (stays.end - stays.start)[stay].astype(np.float64)
    late = np.where(rng.random(n) < 0.72, rng.uniform(0.3, 6, n) * 3600, span * rng.uniform(0, 0.8, n))
    start = stays.start[stay] + seconds(np.minimum(late, span * 0.8))
    days = _column(catalogue, "days")[drug] * np.exp(rng.normal(0, 0.4, n))
    days = np.where(loading, 1.0, days)
    planned = start + seconds(days * DAY)
    stopped = rng.random(n) < 0.18
    end = np.where(stopped, start + seconds(days * DAY * rng.uniform(0.2, 0.8, n)), planned)
    routes = np.array([d.route for d in catalogue.drugs], dtype=object)
    blank = np.full(n, None, dtype=object)
    return Orders(
        stay, drug, dose, per_day, routes[drug], start, np.minimum(end, stays.end[stay]),
        stopped, reduced, loading, blank, blank.copy(), np.full(n, ORDINARY), np.zeros(n, dtype=np.int64),
    )  # fmt: skip


def _usual(rng: np.random.Generator, shares: list[tuple[tuple[float, float], ...]], drug: Integers) -> Floats:
    width = max(len(share) for share in shares)
    values, cumulative = np.zeros((len(shares), width)), np.full((len(shares), width), np.inf)
    for row, share in enumerate(shares):
        values[row, : len(share)] = [value for value, _ in share]
        cumulative[row, : len(share)] = np.cumsum([weight for _, weight in share])
        cumulative[row, : len(share)] /= cumulative[row, len(share) - 1]
    picked = (cumulative[drug] <= rng.random(len(drug))[:, None]).sum(axis=1)
    return values[drug, picked]


def _column(catalogue: Catalogue, name: str) -> Floats:
    return np.array([getattr(drug, name) for drug in catalogue.drugs], dtype=np.float64)


# --- The record: numbers, labels and the defects of real records ----------------------------------------------------


@dataclass(frozen=True)
class Record:
    """How the lines stand in the record: what is written is not always what is meant."""

    number: Integers  # ligne_id
    dose_text: Objects
    unit: Objects
    atc: Objects
    status: Objects
    written_end: Moments


UNKNOWN_ATC = ("V03AX99", "N02XX01", "R05ZZ02")  # not in the shipped vocabulary, on purpose
STOP_BEFORE_START = 753 / 18_087  # measured on real prescriptions
NO_CODE, UNKNOWN_CODE, CANCELLED = 0.025, 0.02, 0.02
DOSED = ("surdosage", "sous_dosage", "non_adapte_renal", "rythme", "frequence")


def line_numbers(orders: Orders, stays: Stays) -> Integers:
    """The number of each line, from its stay and its rank there."""
    order = np.argsort(orders.stay, kind="stable")
    rank = np.empty(len(orders), dtype=np.int64)
    rank[order] = rank_within(orders.stay[order])
    return stays.key[orders.stay] * LINES_PER_STAY + rank


def record_orders(block: Block, orders: Orders, stays: Stays, catalogue: Catalogue) -> Record:
    """Write the lines down. Those whose dose was made wrong keep it readable, so that the error is there."""
    rng = block.generator("prescription.saisie")
    n = len(orders)
    right = orders.right
    readable = np.isin(orders.mechanism.astype(str), DOSED)  # an error of the dose needs one
    draw = rng.random((5, n))
    dose = french_number(orders.dose, np.zeros(n, dtype=np.int64) + _places(orders.dose))
    unit = np.array([drug.unit for drug in catalogue.drugs], dtype=object)[orders.drug]
    vague = ~readable & ~orders.loading & (draw[0] < catalogue.habits.vague_doses)
    words = np.array(["", "1-2", "1-2", "selon protocole", "1 à 2"], dtype=object)[choose(rng, (3, 2, 1, 1, 1), n)]
    dose = np.where(vague, np.where(words == "", EMPTY, words), dose)
    unit = np.where(vague & (words != "selon protocole"), "cp", unit)
    atc = np.array([drug.atc for drug in catalogue.drugs], dtype=object)[orders.drug]
    unknown = np.array(UNKNOWN_ATC, dtype=object)[rng.integers(len(UNKNOWN_ATC), size=n)]
    atc = np.where(draw[1] < UNKNOWN_CODE, unknown, np.where(draw[2] < NO_CODE, EMPTY, atc))
    stopped = orders.stopped & (orders.end < stays.end[orders.stay])
    status = np.where(stopped, "arretee", "active").astype(object)
    status = np.where(right & (draw[3] < CANCELLED), "annulee", status)
    backwards = orders.start - seconds(rng.uniform(0.2, 20, n) * 3600)
    end = np.where(orders.end > EXTRACTION, np.datetime64("NaT", "s"), orders.end)
    end = np.where(draw[4] < STOP_BEFORE_START, backwards, end)
    return Record(line_numbers(orders, stays), dose, unit, atc, status, end)


def _places(dose: Floats) -> Integers:
    """How many decimals a dose needs, at most four."""
    places = np.full(len(dose), TOO_MANY_DIGITS, dtype=np.int64)
    for digits in reversed(range(TOO_MANY_DIGITS)):
        places[np.isclose(dose, np.round(dose, digits), atol=1e-9)] = digits
    return places


def order_table(people: People, stays: Stays, orders: Orders, record: Record, catalogue: Catalogue) -> pa.Table:
    """Rows of ``dpi.prescription``; lines that start after the extract are not known yet."""
    patient = stays.row[orders.stay]
    labels = np.array([order_label(drug) for drug in catalogue.drugs], dtype=object)[orders.drug]
    changed = np.where(np.isnat(record.written_end), orders.start, np.maximum(orders.start, record.written_end))
    frequency = np.where(record.dose_text == "selon protocole", np.nan, orders.per_day)
    table = pa.table(
        {
            "_p": people.index[patient],
            "ligne_id": record.number,
            "ipp": people.ipp[patient],
            "numero_sejour": stays.number[orders.stay],
            "code_atc": record.atc,
            "libelle": labels,
            "dose": record.dose_text,
            "unite": record.unit,
            "frequence_jour": pa.array(frequency, from_pandas=True),
            "voie": orders.route,
            "debut": pa.array(orders.start),
            "fin": pa.array(record.written_end),
            "prescripteur": practitioner_of(
                catalogue, ward_codes(catalogue)[stays.ward[orders.stay]], stays.key[orders.stay]
            ),
            "statut": record.status,
            "maj_le": pa.array(np.minimum(changed, EXTRACTION)),
        }
    )
    return table.filter(pa.array(orders.start < EXTRACTION))


def order_label(drug: Drug) -> str:
    """The words of a line: the product and its substance."""
    return f"{drug.label} ({drug.name})"
