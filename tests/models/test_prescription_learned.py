"""What orders and reviews teach: what goes together, what is corrected; against slow and obvious versions."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.prescription_review.associations import PAIRED, RARE, Associations
from models.prescription_review.dose_reference import OWN_WORDS, DoseReference
from models.prescription_review.features import Cases
from models.prescription_review.learned import Learned, cross_compare
from models.prescription_review.objections import KINDS, LEVELS, OBJECTED, Objections
from models.prescription_review.situations import BESIDE, only
from tests.models.test_prescription_laws import cases, hospitals, quick, store

# person, drug, another drug, whether a pharmacist objected (None: nobody looked)
reviewed = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from("ABC"), st.sampled_from("XYZ"), st.sampled_from([0, 1, None])),
    min_size=1,
    max_size=40,
)


def drawn(rows):
    """Orders, each beside one other drug, and their labels."""
    people, drugs, others, labels = (list(column) for column in zip(*rows, strict=True))
    orders = {"person_id": np.array(people), "drug": np.array(drugs, dtype=object)}
    coarse = [f"other_drug|{drug}" for drug in drugs]
    beside = {
        "at": np.arange(len(rows)),
        "kind": np.full(len(rows), "other_drug", dtype=object),
        "what": np.array(others, dtype=object),
        "coarse": np.array(coarse, dtype=object),
        "fine": np.array([f"{a}|{b}" for a, b in zip(coarse, others, strict=True)], dtype=object),
    }
    return orders, beside, np.array([np.nan if label is None else label for label in labels], dtype=float)


# --- What an order stands beside -------------------------------------------------------------------------------------


@quick
@given(hospitals)
def test_the_other_drugs_are_those_that_are_active_then(hospital):
    found = cases(store(hospital))
    orders = found.orders.reset_index(names="at")
    expected = set()
    for one in orders.itertuples():
        there = orders[
            (orders["person_id"] == one.person_id)
            & (orders["drug"] != one.drug)
            & (orders["written_at"] <= one.index_time)
            & (orders["end_time"] > one.index_time)
            & (orders["end_time"] > orders["written_at"])
        ]
        kinds = {True: "same_group", False: "other_drug"}
        expected |= {(one.at, kinds[drug[:3] == one.drug[:3]], drug) for drug in there["drug"]}
    beside = pd.DataFrame(found.beside)
    told = beside[beside["kind"].isin(["other_drug", "same_group"])]
    assert sorted(zip(told["at"], told["kind"], told["what"], strict=True)) == sorted(expected)


@quick
@given(hospitals)
def test_the_situations_of_some_orders_are_those_among_all(hospital):
    found = cases(store(hospital))
    some = np.arange(len(found.orders)) % 3 == 0
    whole, part = pd.DataFrame(found.beside), pd.DataFrame(only(found.beside, some))
    names = ["at", "kind", "coarse", "fine", "what"]
    expected = whole[some[whole["at"]]].assign(at=lambda rows: np.searchsorted(np.flatnonzero(some), rows["at"]))
    assert expected[names].to_numpy().tolist() == part[names].to_numpy().tolist()


def test_a_thing_is_of_one_kind_only(trained_cases):
    beside = pd.DataFrame(trained_cases[0].beside)
    not_there = {"other_drug", "same_group", "haemoglobin_level"}  # nobody measures it in this hospital
    things = beside[beside["kind"].isin(BESIDE) & ~beside["kind"].isin(["other_drug", "same_group"])]
    assert set(things["kind"]) == {*BESIDE} - not_there
    assert (things.groupby("what")["kind"].nunique() == 1).all()


# --- What goes together ----------------------------------------------------------------------------------------------


@given(reviewed, st.integers(1, 3))
def test_the_bits_are_those_of_the_definition(rows, least):
    orders, beside, _ = drawn(rows)
    found = Associations.learn(orders, beside, least).compare(orders, beside)["rare_other_drug"]
    with_drug = {drug: len({p for p, d, _, _ in rows if d == drug}) for drug in "ABC"}
    both = {(d, x): len({p for p, e, y, _ in rows if (e, y) == (d, x)}) for d in "ABC" for x in "XYZ"}
    with_other = {x: sum(both[d, x] for d in "ABC") for x in "XYZ"}
    kept = {key: n if n >= least else 0 for key, n in {**with_drug, **with_other}.items()}
    every = sum(with_drug.values()) if sum(with_drug.values()) >= least else 1
    for bits, (_, drug, other, _) in zip(found, rows, strict=True):
        seen = both[drug, other] if both[drug, other] >= least else 1
        assert bits == pytest.approx(np.log2((seen + 0.5) / (kept[drug] * kept[other] / every + 0.5)))


def test_two_drugs_that_never_meet_are_rare_together():
    rows = [(person, "A", "X", 0) for person in range(50)] + [(person, "B", "Y", 0) for person in range(50, 100)]
    taught = Associations.learn(*drawn(rows)[:2], 3)
    orders, beside, _ = drawn([(200, "A", "X", None), (201, "A", "Y", None)])
    usual, rare = taught.compare(orders, beside)["rare_other_drug"]
    assert rare < -3 < 0 < usual


# --- What is corrected -----------------------------------------------------------------------------------------------


@given(reviewed)
def test_a_rate_lies_between_what_was_seen_of_it_and_what_is_more_general(rows):
    orders, beside, label = drawn(rows)
    taught = Objections.learn(orders, beside, label, 1)
    rates = taught.rates(beside)
    if np.isnan(label).all():
        assert (rates == 0).all()
        return
    assert ((rates >= 0) & (rates <= 1)).all()
    unseen = drawn([(0, "A", "unseen", None)])[1]
    above = taught.rates(unseen)[0]
    for rate, (_, drug, other, _) in zip(rates, rows, strict=True):
        told = [one for _, d, x, one in rows if (d, x) == (drug, other) and one is not None]
        if drug == "A":
            seen = np.mean(told) if told else above
            assert min(seen, above) - 1e-9 <= rate <= max(seen, above) + 1e-9


def test_what_is_always_corrected_is_told_from_what_never_is():
    rows = [(person, "A", "X", 1) for person in range(20)] + [(person, "A", "Y", 0) for person in range(20, 40)]
    orders, beside, label = drawn(rows)
    found = Objections.learn(orders, beside, label, 3).compare(orders, beside)
    assert found["objected_other_drug"][0] > 0.8 and found["objected_other_drug"][-1] < 0.2
    assert (found["objected_interaction"] == 0).all()


# --- Both ------------------------------------------------------------------------------------------------------------


@given(reviewed)
def test_what_fewer_than_three_patients_had_is_not_kept(rows):
    orders, beside, label = drawn([(person % 2, *rest) for person, *rest in rows])
    assert (Associations.learn(orders, beside, 3).counts["drug"] == "").all()
    assert not set(Objections.learn(orders, beside, label, 3).counts["level"]) & set(LEVELS)


def elsewhere(rows):
    """The same orders of other people."""
    return [(person + 100, *rest) for person, *rest in rows]


@given(reviewed, reviewed)
def test_the_counts_of_two_hospitals_are_those_of_one_that_holds_both(here, there):
    there = elsewhere(there)
    (o1, b1, l1), (o2, b2, l2), (orders, beside, label) = (drawn(rows) for rows in (here, there, here + there))
    together = Associations.learn(o1, b1, 1).plus(Associations.learn(o2, b2, 1))
    pd.testing.assert_frame_equal(together.counts, Associations.learn(orders, beside, 1).counts)
    added = Objections.learn(o1, b1, l1, 1).plus(Objections.learn(o2, b2, l2, 1))
    np.testing.assert_array_equal(added.rates(beside), Objections.learn(orders, beside, label, 1).rates(beside))


dose_counts = st.dictionaries(
    st.tuples(
        st.sampled_from(["daily", "per_day", OWN_WORDS]), st.sampled_from("AB"), st.sampled_from([1.0, 2.0, 4.0])
    ),
    st.integers(1, 50),
    min_size=1,
)


def reference(counts):
    rows = [(*key, n) for key, n in sorted(counts.items())]
    return DoseReference(pd.DataFrame(rows, columns=["measure", "key", "value", "n"]))


@given(dose_counts, dose_counts)
def test_what_is_usual_elsewhere_never_outweighs_what_is_usual_here(there, here):
    both = reference(there).beside(reference(here)).counts.set_index(["measure", "key", "value"])["n"]

    def number(counts, measure, key):
        return sum(n for (m, k, _), n in counts.items() if (m, k) == (measure, key))

    for (measure, key, value), n in here.items():
        assert both[measure, key, value] >= n
        added = number(both.to_dict(), measure, key) - number(here, measure, key)
        assert added <= number(here, measure, key) + 2  # a rounding for each value
    for (measure, key, value), n in there.items():
        if measure == OWN_WORDS:
            assert both.get((measure, key, value), 0) == here.get((measure, key, value), 0)
        elif not number(here, measure, key):
            assert both[measure, key, value] == n
    assert reference(there).beside(reference(here)).counts.equals(both.reset_index())


@settings(max_examples=20)
@given(reviewed)
def test_the_tables_are_the_same_after_writing_and_reading(tmp_path_factory, rows):
    orders, beside, label = drawn(rows)
    path = tmp_path_factory.mktemp("tables") / "counts.csv"
    for table in (Associations.learn(orders, beside, 1), Objections.learn(orders, beside, label, 1)):
        table.write(path)
        again = type(table).read(path)
        for name, column in table.compare(orders, beside).items():
            np.testing.assert_array_equal(column, again.compare(orders, beside)[name])


def test_a_training_order_is_not_its_own_reference(trained_cases):
    found, label = trained_cases
    folds = {"folds": 5, "min_patients": 3, "seed": 0}
    person = found.rows["person_id"]
    reviewed_by = np.flatnonzero(~np.isnan(label))
    one = person == person[reviewed_by[len(reviewed_by) // 2]]
    before = cross_compare(found, label, **folds)
    after = cross_compare(found, np.where(one, 1 - label, label), **folds)
    assert set(before) >= {*RARE, *OBJECTED} and len({*RARE, *OBJECTED}) == len((*BESIDE, *PAIRED, *KINDS))
    for name in OBJECTED:
        np.testing.assert_array_equal(before[name][one], after[name][one])
    assert any((before[name] != after[name]).any() for name in OBJECTED)


def test_a_dose_of_one_patient_alone_is_not_usual_for_them(trained_cases):
    found, label = trained_cases
    first = int(np.flatnonzero(~np.isnan(found.rows["daily"]))[0])
    rows = {**found.rows, "daily": found.rows["daily"].copy()}
    rows["daily"][first] = 1e6
    odd = Cases(rows, found.found, found.beside)
    alone = cross_compare(odd, label, folds=5, min_patients=3, seed=0)["daily_share_above"][first]
    itself = Learned.learn(odd, label, 3).compare(odd)["daily_share_above"][first]
    assert alone == 0 < itself


@pytest.fixture(scope="module")
def trained_cases(hospital):
    from models.prescription_review.config import load_config
    from models.prescription_review.features import build_cases
    from models.prescription_review.knowledge import load_knowledge
    from models.prescription_review.labels import order_labels
    from models.view_store import read_views

    config = load_config()
    views = read_views(hospital, {**config.views, **config.labels}, model="test")
    found = build_cases(views, config, load_knowledge())
    return found, order_labels(views["order_reviews"], found.orders)["label"].to_numpy()
