"""What the generated hospitals call right is what a pharmacist would leave alone.

They say that every safeguard was applied before errors were put in; two drugs that the thesaurus contra-indicates
together, or that are one treatment twice, are among them, and all pairs of an entry whose others are errors.
"""

from collections.abc import Iterator
from itertools import combinations

import pytest

from etl.demo.catalogue import HABITS, Drug, load_catalogue
from models.prescription_review.config import load_config
from models.prescription_review.features import build_cases
from models.prescription_review.interactions.context import CONTRAINDICATED, DISCOURAGED
from models.prescription_review.knowledge import load_knowledge
from models.view_store import read_views
from tests.models.hospital_views import store_of, utc

KNOWLEDGE = load_knowledge()
START = utc("2025-03-05T09:00")


def kept_apart(hospital: str) -> set[frozenset[str]]:
    """Pairs that are put in as errors, by their codes."""
    return {frozenset((row["atc_a"], row["atc_b"])) for row in load_catalogue(hospital).interactions}


def ordered_together(hospital: str) -> Iterator[tuple[Drug, Drug]]:
    """Pairs that nothing in the catalogue keeps apart."""
    listed = kept_apart(hospital)
    for one, other in combinations(load_catalogue(hospital).drugs, 2):
        if not set(one.groups) & set(other.groups) and {one.atc, other.atc} not in listed:
            yield one, other


def serious_entries(one: Drug, other: Drug) -> set[int]:
    """Entries of the thesaurus that may discourage or forbid two drugs, whatever their conditions."""
    known = KNOWLEDGE.interactions.catalogue
    first, second = (known.number(drug.atc, drug.name) for drug in (one, other))
    options = (*known.options(first, second), *known.options(second, first))
    return {entry for entry, _, level, *_ in options if level >= DISCOURAGED}


def order_row(number: int, person: int, drug: Drug) -> dict[str, object]:
    (dose, _), (per_day, _) = drug.doses[0], drug.per_day[0]
    return {
        "drug_exposure_id": number, "person_id": person, "concept_name": drug.name, "source_code": drug.atc,
        "atc_code": drug.atc, "route_source": drug.route, "started_at": START, "available_at": START,
        "dose_value": dose, "dose_unit": drug.unit, "doses_per_day": per_day,
    }  # fmt: skip


@pytest.mark.parametrize("hospital", HABITS)
def test_right_orders_hold_no_contraindicated_pair_and_no_treatment_twice(hospital):
    pairs = list(ordered_together(hospital))
    rows = [order_row(2 * at + side, at, drug) for at, pair in enumerate(pairs) for side, drug in enumerate(pair)]
    persons = [{"person_id": at, "year_of_birth": 1960, "sex": "M"} for at in range(len(pairs))]
    config = load_config()
    views = read_views(store_of(persons=persons, drug_orders=rows), config.views, model="test")
    found = build_cases(views, config, KNOWLEDGE).findings
    found = found[found["rule"].isin(["duplicate", "interaction"]) & (found["severity"] != "low")]
    wrong = [
        f"{' + '.join(drug.name for drug in pairs[row.drug_exposure_id // 2])}: {row.line}"
        for row in found.itertuples()
        if row.rule == "duplicate" or KNOWLEDGE.interactions.level(row.line) == CONTRAINDICATED
    ]
    assert not wrong


@pytest.mark.parametrize("hospital", HABITS)
def test_of_one_entry_no_pair_is_an_error_and_another_one_right(hospital):
    drugs = {drug.atc: drug for drug in load_catalogue(hospital).drugs}
    errors = {entry for pair in kept_apart(hospital) for entry in serious_entries(*(drugs[code] for code in pair))}
    right = [
        f"{one.name} + {other.name}: {entries}"
        for one, other in ordered_together(hospital)
        if (entries := serious_entries(one, other) & errors)
    ]
    assert errors and not right
