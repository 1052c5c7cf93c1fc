"""Eras: golden cases that a clinician can read, laws against a slow obvious version, a finished OMOP database."""

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omop.delta_read import dataset
from omop.lake import Lake
from spark_jobs.delta import row_count
from spark_jobs.derive_eras import ERA_TABLES, EVENTS, derive_eras, islands
from spark_jobs.engine import Engine, open_engine
from spark_jobs.era_spans import PERSISTENCE_DAYS
from tests.spark_jobs.era_case import (
    BUCKETS,
    FRAME,
    as_written,
    golden,
    names_of,
    rows_of,
    staged,
    write_golden,
    write_table,
)

CASES = golden()["cases"]
WORDS = {number: name for name, number in names_of(golden()["vocabulary"]).items()}


@pytest.fixture(scope="module")
def engine():
    with open_engine() as opened:
        yield opened


@pytest.fixture(scope="module")
def hospital(tmp_path_factory):
    """The lake of the golden cases."""
    return write_golden(tmp_path_factory.mktemp("golden"))


@pytest.fixture(scope="module")
def eras(engine, hospital, tmp_path_factory):
    return staged(engine, hospital, tmp_path_factory.mktemp("staging"))


# --- Golden cases --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case["story"] for case in CASES])
def test_eras_of_the_golden_case(eras, number):
    for name in ERA_TABLES:
        found = [as_written(name, row, WORDS) for row in eras[0][name] if row["person_id"] == number + 1]
        meant = CASES[number]["expect"].get(name, [])
        assert sorted(found, key=_what_and_when) == sorted(meant, key=_what_and_when), CASES[number]["why"]


def test_no_era_waits_for_another_one(hospital, eras, tmp_path, monkeypatch):
    """They are staged at once: whichever comes first finds what it reads, and finds it of these persons."""
    monkeypatch.setattr(Engine, "at_once", lambda _, steps, rows=0: [step() for step in [*steps][::-1]][::-1])
    with open_engine() as another:
        assert staged(another, hospital, tmp_path) == eras


def _what_and_when(era):
    return era["what"], era["from"]


def test_what_makes_no_era_is_counted_with_its_reason(eras):
    assert eras[1] == {
        "condition_era": {"no standard concept": 1},
        "drug_era": {"no ingredient in this copy of the vocabulary": 1, "no standard concept": 1},
        "dose_era": {
            "no dose a day is written": 16,
            "no ingredient in this copy of the vocabulary": 1,
            "no standard concept": 1,
            "one dose for several ingredients": 2,
            "the unit is no amount of a substance": 2,
        },
    }


# --- Laws ----------------------------------------------------------------------------------------------------------

Span = tuple[int, int, date, date]  # person, concept, first and last day
spans = st.lists(
    st.builds(
        lambda person, concept, start, days: (person, concept, start, start + timedelta(days)),
        st.integers(1, 2),
        st.integers(1, 2),
        st.dates(date(2024, 1, 1), date(2024, 6, 1)),
        # Lengths that meet the window from both sides of its edge, beside any length.
        st.sampled_from([0, 1, PERSISTENCE_DAYS - 1, PERSISTENCE_DAYS, PERSISTENCE_DAYS + 1]) | st.integers(0, 90),
    ),
    max_size=12,
)


def slowly(rows: list[Span]) -> list[tuple]:
    """Every covered day, one by one; a new era where more than the window lies between two of them."""
    found = []
    for person, concept in sorted({row[:2] for row in rows}):
        mine = [row[2:] for row in rows if row[:2] == (person, concept)]
        days = sorted({first + timedelta(n) for first, last in mine for n in range((last - first).days + 1)})
        breaks = [0, *(n for n, (a, b) in enumerate(pairwise(days), 1) if (b - a).days > PERSISTENCE_DAYS), len(days)]
        for begin, end in pairwise(breaks):
            first, last = days[begin], days[end - 1]
            events = sum(first <= start <= last for start, _ in mine)
            found.append((person, concept, first, last, events, (last - first).days + 1 - (end - begin)))
    return found


def quickly(engine, rows: list[Span]) -> list[tuple]:
    columns = zip(*rows, strict=True) if rows else ([], [], [], [])
    types = (pa.int64(), pa.int64(), pa.date32(), pa.date32())
    names = ("person_id", "concept_id", "first_day", "last_day")
    cells = {n: pa.array(list(c), t) for n, c, t in zip(names, columns, types, strict=True)}
    engine.view_of_arrow("law_spans", pa.table(cells | {"left_out": pa.nulls(len(rows), pa.string())}))
    found = engine.rows(islands("law_spans", ("concept_id",)))
    return sorted(tuple(row.values()) for row in found)


@settings(max_examples=150)
@given(spans)
def test_eras_are_those_of_a_slow_and_obvious_version(engine, rows):
    assert quickly(engine, rows) == slowly(rows)


@settings(max_examples=50)
@given(spans, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(engine, rows, random):
    shuffled = random.sample(rows, len(rows))
    assert quickly(engine, shuffled) == quickly(engine, rows)


@settings(max_examples=100)
@given(spans)
def test_two_eras_of_one_concept_lie_further_apart_than_the_window(engine, rows):
    for one, next_one in pairwise(quickly(engine, rows)):
        assert one[:2] != next_one[:2] or (next_one[2] - one[3]).days > PERSISTENCE_DAYS


@settings(max_examples=100)
@given(spans)
def test_every_covered_day_lies_in_an_era_and_every_event_counts_once(engine, rows):
    found = quickly(engine, rows)
    assert sum(era[4] for era in found) == len(rows)
    for person, concept, first, last in rows:
        assert any(era[:2] == (person, concept) and era[2] <= first and last <= era[3] for era in found)


# --- Tables --------------------------------------------------------------------------------------------------------


def test_ids_are_63_bit_unique_and_the_same_again(engine, hospital, eras, tmp_path):
    again, _ = staged(engine, hospital, tmp_path / "again")
    assert again == eras[0]
    for name, rows in again.items():
        ids = [row[f"{name}_id"] for row in rows]
        assert rows and all(0 < identifier < 2**63 for identifier in ids) and len(set(ids)) == len(ids)


def test_eras_of_touched_persons_are_theirs_among_those_of_everybody(engine, hospital, eras, tmp_path):
    touched = {2, 10, 15}
    engine.view_of_arrow("touched_persons", pa.table({"person_id": pa.array(sorted(touched), pa.int64())}))
    theirs, _ = staged(engine, hospital, tmp_path / "touched", "touched_persons")
    for name in ERA_TABLES:
        assert theirs[name] == [row for row in eras[0][name] if row["person_id"] in touched]
    assert theirs["condition_era"] and theirs["drug_era"] and theirs["dose_era"]


def test_tables_hold_the_eras_and_a_second_time_changes_nothing(engine, tmp_path, eras):
    lake = write_golden(tmp_path)
    for _ in range(2):
        written = derive_eras(engine, lake, FRAME, BUCKETS, tmp_path / "staging")
        for name in ERA_TABLES:
            assert row_count(lake.omop(name)) == written.receipts[name].rows == len(eras[0][name])
            engine.view_of_delta("written", lake.omop(name), written.receipts[name].version)
            assert rows_of(engine, "written", name) == eras[0][name]
        assert written.left_out == eras[1]


def test_without_events_and_vocabulary_the_tables_are_there_and_empty(engine, tmp_path):
    lake = Lake(tmp_path)
    for _ in range(2):  # nothing in place of nothing
        written = derive_eras(engine, lake, FRAME, BUCKETS, tmp_path / "staging")
    assert {name: receipt.rows for name, receipt in written.receipts.items()} == dict.fromkeys(ERA_TABLES, 0)
    assert all(dataset(lake.omop(name)).count_rows() == 0 for name in ERA_TABLES)


# --- A finished OMOP database --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(engine, shared_data, tmp_path_factory):
    """Our eras and those of a synthetic OMOP database that others built: {table: (ours, theirs)}."""
    folder, source = tmp_path_factory.mktemp("finished"), shared_data / "omop-gibleed"
    lake = Lake(folder)
    for name in (*EVENTS, "concept", "concept_ancestor"):
        table = pq.read_table(source / f"{name}.parquet")
        bucket = pa.array([0] * table.num_rows, pa.int32())
        write_table(lake, name, table.append_column("person_bucket", bucket) if name in EVENTS else table)
    rows, left_out = staged(engine, lake, folder / "staging")
    assert rows["dose_era"] == []  # no dose is written anywhere
    found = {}
    for name, count in (("condition_era", "condition_occurrence_count"), ("drug_era", "drug_exposure_count")):
        concept = f"{name.removesuffix('_era')}_concept_id"
        columns = ["person_id", concept, f"{name}_start_date", f"{name}_end_date", count]
        reference = pq.read_table(source / f"{name}.parquet", columns=columns).to_pylist()
        found[name] = tuple([tuple(row[c] for c in columns) for row in table] for table in (rows[name], reference))
    return found, left_out, pq.read_table(source / "drug_exposure.parquet")


def test_condition_eras_are_those_of_a_finished_database_but_for_concept_zero(finished):
    ours, theirs = finished[0]["condition_era"]
    assert Counter(ours) == Counter(era for era in theirs if era[1] != 0)
    assert (len(ours), len(theirs)) == (65_276, 65_719)


def test_drug_eras_are_those_of_a_finished_database_but_for_eight_of_its_ends(finished):
    """Two exposures that begin on one day: the reference keeps the shorter end, and so ends before an exposure does."""
    ours, theirs = (Counter(eras) for eras in finished[0]["drug_era"])
    only_ours, only_theirs = ours - theirs, theirs - ours
    assert ours.total() == theirs.total() == 52_508 and only_ours.total() == 8
    for mine, other in zip(sorted(only_ours), sorted(only_theirs), strict=True):
        assert mine[:3] == other[:3] and mine[4] == other[4] == 2
        assert other[3] == other[2] < mine[3]


def test_vaccines_without_an_ingredient_are_left_out_and_counted(finished):
    _, left_out, exposures = finished
    vaccines = exposures["drug_type_concept_id"].to_pylist().count(581452)
    assert left_out["drug_era"] == {"no ingredient in this copy of the vocabulary": vaccines}
