"""Active orders and usual doses, against slow and obvious versions of themselves."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.prescription_review.columns import codes, columns_of
from models.prescription_review.dose_reference import OF_ALL, DoseReference
from models.prescription_review.orders import NO_END, active_pairs, count_active, ended_pairs

START = pd.Timestamp("2024-01-01")
lines = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 20), st.one_of(st.none(), st.integers(-3, 10))), min_size=1, max_size=30
)  # person, day of beginning, days until the end


def frame(rows):
    start = [START + pd.Timedelta(days=day) for _, day, _ in rows]
    end = [
        NO_END if days is None else at + pd.Timedelta(days=days) for at, (_, _, days) in zip(start, rows, strict=True)
    ]
    orders = pd.DataFrame(
        {"person_id": [row[0] for row in rows], "written_at": start, "index_time": start, "end_time": end}
    )
    return orders.assign(drug_exposure_id=range(len(rows))).astype(
        {"written_at": "datetime64[us]", "index_time": "datetime64[us]", "end_time": "datetime64[us]"}
    )


def active_slowly(orders):
    """The other orders of the same person that are active, by reading the definition aloud."""
    return {
        one.drug_exposure_id: {
            other.drug_exposure_id
            for other in orders.itertuples()
            if other.drug_exposure_id != one.drug_exposure_id
            and other.person_id == one.person_id
            and other.written_at <= one.index_time < other.end_time
        }
        for one in orders.itertuples()
    }


@given(lines)
def test_active_orders_are_counted_and_paired_as_defined(rows):
    orders = frame(rows)
    slowly = active_slowly(orders)
    columns = {name: orders[name].to_numpy() for name in orders}
    person, every = codes(columns["person_id"]), np.arange(len(orders))
    assert count_active(columns, person, every).tolist() == [1 + len(slowly[i]) for i in orders["drug_exposure_id"]]
    here, there = active_pairs(columns, every, person, every, person)
    assert {i: set(there[here == i].tolist()) for i in slowly} == slowly


@given(lines, st.integers(0, 6))
def test_what_ran_beside_an_order_until_it_is_judged_is_active_or_has_ended(rows, judged_after):
    orders = frame(rows)
    orders["index_time"] += pd.Timedelta(days=judged_after)
    columns = {name: orders[name].to_numpy() for name in orders}
    person, every = codes(columns["person_id"]), np.arange(len(orders))
    pairs = [set(zip(*(side.tolist() for side in which(columns, every, person, every, person)), strict=True))
             for which in (active_pairs, ended_pairs)]  # fmt: skip
    active, ended = pairs
    ran = {
        (one.drug_exposure_id, other.drug_exposure_id)
        for one in orders.itertuples()
        for other in orders.itertuples()
        if one.drug_exposure_id != other.drug_exposure_id and one.person_id == other.person_id
        and max(one.written_at, other.written_at) < other.end_time and other.written_at <= one.index_time
    }  # fmt: skip
    assert active | ended == ran and not active & ended


doses = st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0.5, 1, 2, 5, 50])), min_size=3, max_size=40)


def dosed(rows):
    drug = ["ABC"[row[0]] for row in rows]
    dose = [float(row[1]) for row in rows]
    orders = pd.DataFrame(
        {
            "drug": drug,
            "product": drug,
            "unit": "mg",
            "route": "oral",
            "daily": dose,
            "dose": dose,
            "per_day": 1.0,
            "route_code": 7.0,
            "clearance_band": "0",
            "daily_by_clearance": np.nan,
            "filtration_band": "0",
            "daily_by_filtration": np.nan,
        }
    )
    return columns_of(orders.assign(person_id=np.arange(len(rows)) // 2))


def shares_slowly(past, drug):
    """The share of the orders of a drug for which something holds, all drugs counting for some of them."""
    usual = {}
    for name in np.unique(past["drug"]):
        value, n = np.unique(past["daily"][past["drug"] == name], return_counts=True)
        usual[name] = value[np.argmax(n)]
    own = past["daily"][past["drug"] == drug]
    of_all = past["daily"] / [usual[name] for name in past["drug"]] * usual[drug]
    return lambda holds, dose: (holds(own, dose).sum() + OF_ALL * holds(of_all, dose).mean()) / (len(own) + OF_ALL)


@given(doses, doses)
def test_shares_are_those_of_the_definition(past, now):
    past, now = dosed(past), dosed(now)
    compared = DoseReference.learn(past, min_patients=1).compare(now)
    for row, found in zip(pd.DataFrame(now).itertuples(), pd.DataFrame(compared).itertuples(), strict=True):
        known = past["daily"][past["drug"] == row.drug]
        if not len(known):
            assert np.isnan(found.daily_share_above)
            continue
        told = shares_slowly(past, row.drug)
        equal, most = told(np.isclose, row.daily), max(told(np.isclose, dose) for dose in known)
        assert found.daily_share_above == pytest.approx(told(np.greater, row.daily * (1 + 1e-6)) + equal / 2)
        assert found.daily_commonness == pytest.approx(equal / most)
        assert found.daily_median == pytest.approx(np.sort(known)[(len(known) - 1) // 2])


@settings(max_examples=20)
@given(doses)
def test_a_reference_is_the_same_after_writing_and_reading(tmp_path_factory, rows):
    reference = DoseReference.learn(dosed(rows), min_patients=1)
    path = tmp_path_factory.mktemp("reference") / "doses.csv"
    reference.write(path)
    again = DoseReference.read(path)
    before, after = (pd.DataFrame(one.compare(dosed(rows))) for one in (reference, again))
    pd.testing.assert_frame_equal(before, after, check_exact=True)


def test_doses_of_fewer_than_three_patients_are_not_kept():
    assert DoseReference.learn(dosed([(0, 10)] * 4), min_patients=3).counts.empty
