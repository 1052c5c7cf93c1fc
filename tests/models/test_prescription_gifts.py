"""What was given of an order, against a slow count."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.prescription_review.gifts import given as found_given

START = np.datetime64("2024-01-01T08:00", "us")
HOUR = np.timedelta64(1, "h")
orders = st.lists(
    st.tuples(st.integers(1, 2), st.sampled_from("AB"), st.integers(0, 40), st.integers(0, 80)), min_size=1, max_size=8
)
gifts = st.lists(st.tuples(st.integers(1, 2), st.sampled_from("AB"), st.integers(0, 120)), min_size=1, max_size=20)


@given(orders, gifts)
def test_the_share_is_that_of_the_definition(written, given_):
    columns = {
        "person_id": np.array([row[0] for row in written]),
        "drug": np.array([row[1] for row in written], dtype=object),
        "per_day": np.full(len(written), 2.0),
        "written_at": START + np.array([row[2] for row in written]) * HOUR,
        "index_time": START + np.array([row[2] + row[3] for row in written]) * HOUR,
    }
    doses = {
        "person_id": np.array([row[0] for row in given_]),
        "drug": np.array([row[1] for row in given_], dtype=object),
        "at": START + np.array([row[2] for row in given_]) * HOUR,
    }
    found = found_given(columns, doses)
    told = zip(written, found["given_doses"], found["given_share"], strict=True)
    for (person, drug, start, hours), number, share in told:
        due = 2 * hours / 24
        count = sum(1 for p, d, at in given_ if (p, d) == (person, drug) and start <= at <= start + hours)
        if due < 1:
            assert np.isnan([number, share]).all()
        else:
            assert number == count and abs(share - (count + 1) / (due + 1)) < 1e-9


def test_a_hospital_that_records_no_gift_says_nothing():
    one = {
        "person_id": np.array([1]), "drug": np.array(["A"], object), "per_day": np.array([1.0]),
        "written_at": np.array([START]), "index_time": np.array([START + 72 * HOUR]),
    }  # fmt: skip
    none = {"person_id": np.empty(0, np.int64), "drug": np.empty(0, object), "at": np.empty(0, "datetime64[us]")}
    found = found_given(one, none)
    assert list(found) == ["given_doses", "given_share"] and np.isnan(list(found.values())).all()
