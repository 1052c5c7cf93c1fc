"""Reading the views: the same table from the lake and from PostgreSQL, and never a fact before its time."""

import copy
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omop.publication import publish
from omop.views.contract import view, views
from omop.views.store import ViewStore
from passerelle.errors import ContractError, TransientError
from tests.omop.omop_case import GOLDEN, expected, write_lake

VIEWS = sorted(views())
OF_PERSONS = [name for name in VIEWS if "person_id" in views()[name].columns]
INSTANTS = st.datetimes(datetime(2025, 1, 10), datetime(2025, 4, 2), timezones=st.just(UTC))
MOMENTS = [(3, 12), (4, 7), (4, 13), (5, 8), (9, 0), (11, 0), (25, 1), (27, 0)]  # of March 2025


@pytest.fixture(scope="module")
def case() -> dict:
    import yaml

    case = yaml.safe_load((GOLDEN / "two_patients.yaml").read_text(encoding="utf-8"))
    case["given"]["care_site"] = case["given"]["care_site"][::2]  # our own runs never leave a key twice
    return case


@pytest.fixture(scope="module")
def lake(case, tmp_path_factory):
    return write_lake(tmp_path_factory.mktemp("w"), case["given"])


@pytest.fixture(scope="module")
def stores(lake, postgres) -> dict[str, ViewStore]:
    publish(postgres, lake)
    return {"delta": ViewStore.open(lake.workspace), "postgresql": ViewStore.open(postgres)}


@pytest.mark.parametrize("store", ["delta", "postgresql"])
@pytest.mark.parametrize("name", VIEWS)
def test_a_store_gives_what_the_case_expects(stores, case, store, name):
    table = stores[store].read(name)
    today = [row for row in case["expect"][name] if "superseded_at" not in row]
    assert table.equals(expected(name, today).sort_by([(column, "ascending") for column in view(name).key]))
    assert table.schema.equals(view(name).schema)


def test_both_stores_name_contract_and_snapshot(stores):
    assert {store.contract for store in stores.values()} == {"v1"}
    assert {store.snapshot_id for store in stores.values()} == {"run-1"}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(as_of=INSTANTS, name=st.sampled_from(OF_PERSONS), persons=st.none() | st.lists(st.integers(1, 4)))
def test_both_stores_agree_at_every_instant(stores, as_of, name, persons):
    delta, server = (store.read(name, as_of=as_of, person_ids=persons) for store in stores.values())
    assert delta.equals(server)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(as_of=INSTANTS, name=st.sampled_from(VIEWS))
def test_nothing_later_than_the_instant_is_seen(stores, as_of, name):
    declared = view(name)
    table = stores["delta"].read(name, as_of=as_of)
    for row in table.to_pylist():
        if declared.available_at:
            assert row[declared.available_at] <= as_of
        for column, facts in declared.columns.items():
            if facts.known_at and row[column] is not None:
                assert row[facts.known_at] is None or row[facts.known_at] <= as_of


@pytest.mark.parametrize("as_of", [datetime(2025, 3, d, h, tzinfo=UTC) for d, h in MOMENTS])
def test_changing_the_future_changes_nothing(case, tmp_path, stores, as_of):
    """The law of every model: what happens after t must not move what is seen as of t."""
    changed = ViewStore.open(write_lake(tmp_path, another_future(case["given"], as_of)).workspace)
    for name in VIEWS:
        assert changed.read(name, as_of=as_of).equals(stores["delta"].read(name, as_of=as_of)), name


def another_future(rows: dict, as_of: datetime) -> dict:
    """The same past: later rows never happened, later ends are two days later and otherwise."""
    changed = copy.deepcopy(rows)
    for table, start in STARTS.items():
        changed[table] = [row for row in changed[table] if known_by(row, start, as_of)]
    for table in ("visit_occurrence", "visit_detail", "drug_exposure", "condition_occurrence", "drug_era"):
        for row in changed[table]:
            later = [name for name in row if name.endswith("end_datetime") and row[name] > as_of]
            later += [name for name in row if name.endswith("end_date") and end_of(row[name]) > as_of]
            for column in later:
                row[column] += timedelta(days=2)
            if table == "visit_occurrence" and later:
                row["discharged_to_concept_id"] = 4216643
    ended = {
        row["visit_occurrence_id"] for row in rows["visit_occurrence"] if row.get("visit_end_datetime", as_of) > as_of
    }
    for row in changed["condition_occurrence"]:
        if row.get("visit_occurrence_id") in ended:
            row |= {"condition_concept_id": 0, "condition_source_value": "Z00"}  # coded at discharge: not known yet
    return changed


STARTS = {
    "visit_occurrence": "visit_start",
    "visit_detail": "visit_detail_start",
    "condition_occurrence": "condition_start",
    "procedure_occurrence": "procedure",
    "drug_exposure": "drug_exposure_start",
    "measurement": "measurement",
    "observation": "observation",
    "note": "note",
    "note_nlp": "nlp",
    "image_occurrence": "image_occurrence",
    "death": "death",
    "drug_era": "drug_era_start",
    "external_exposure": "exposure_end",  # a mean over days is known when they are over
}


def known_by(row: dict, start: str, as_of: datetime) -> bool:
    """Whether something was known of a row: at its time, or when the day is over on which it happened."""
    return row.get(f"{start}_datetime", end_of(row[f"{start}_date"])) <= as_of


def end_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)


def test_as_of_hides_an_end_that_was_decided_later(stores):
    """The dabigatran order ran from the 3rd; on the 4th nobody knew that it would stop on the 5th."""
    orders = [
        store.read("drug_orders", ["drug_exposure_id", "ended_at"], datetime(2025, 3, 4, tzinfo=UTC), [1])
        for store in stores.values()
    ]
    assert [table.to_pylist() for table in orders] == [[{"drug_exposure_id": 200, "ended_at": None}]] * 2
    stays = stores["delta"].read("stays", as_of=datetime(2025, 3, 10, 12, tzinfo=UTC), person_ids=[1]).to_pylist()
    assert (stays[0]["ended_at"], stays[0]["end_date"], stays[0]["discharged_to_concept_id"]) == (None, None, None)
    stays = stores["delta"].read("stays", as_of=datetime(2025, 3, 10, 13, tzinfo=UTC), person_ids=[1]).to_pylist()
    assert stays[0]["end_date"] == date(2025, 3, 10)


def test_an_instant_in_another_zone_is_the_same_instant(stores):
    from zoneinfo import ZoneInfo

    paris = datetime(2025, 3, 4, 8, 5, tzinfo=ZoneInfo("Europe/Paris"))  # 07:05 UTC: the creatinine is just known
    for store in stores.values():
        assert 300 in store.read("lab_results", ["measurement_id"], paris)["measurement_id"].to_pylist()
        before = store.read("lab_results", ["measurement_id"], paris - timedelta(seconds=1), [1])
        assert before["measurement_id"].to_pylist() == [307]


def test_columns_come_in_the_order_asked_and_rows_in_the_order_of_the_key(stores):
    for store in stores.values():
        table = store.read("persons", ["sex", "person_id"])
        assert table.column_names == ["sex", "person_id"]
        assert table["person_id"].to_pylist() == [1, 2, 3]
        assert store.read("persons", ["sex"])["sex"].to_pylist() == ["F", "M", "U"]
        assert store.read("persons", person_ids=[]).num_rows == 0


def test_batches_hold_the_same_rows(stores):
    for store in stores.values():
        batches = list(store.batches("lab_results", person_ids=[1]))
        table = pa.Table.from_batches(batches, view("lab_results").schema)
        assert sorted(table["measurement_id"].to_pylist()) == [300, 301, 307]


def test_wrong_requests_are_refused_with_what_is_right(stores):
    store = stores["delta"]
    with pytest.raises(ContractError, match="birth_date"):
        store.read("persons", ["name"])
    with pytest.raises(ContractError, match="drug_orders"):
        store.read("orders")
    with pytest.raises(ContractError, match="zone"):
        store.read("persons", as_of=datetime(2025, 3, 4))


def test_a_workspace_without_a_complete_run_is_refused(tmp_path):
    with pytest.raises(ContractError, match="no complete run"):
        ViewStore.open(tmp_path)


def test_an_open_store_keeps_its_snapshot_when_another_run_ends(case, tmp_path):
    lake = write_lake(tmp_path, case["given"])
    store = ViewStore.open(tmp_path)
    fewer = {**case["given"], "person": case["given"]["person"][:1]}
    write_lake(tmp_path, fewer, run_id="run-2", day=2)
    assert (store.snapshot_id, store.read("persons").num_rows) == ("run-1", 3)
    again = ViewStore.open(lake.workspace)
    assert (again.snapshot_id, again.read("persons").num_rows) == ("run-2", 1)


def test_a_store_on_postgresql_says_when_its_snapshot_is_gone(case, tmp_path, database):
    lake = write_lake(tmp_path, case["given"])
    publish(database, lake)
    store = ViewStore.open(database)
    write_lake(tmp_path, case["given"], run_id="run-2", day=2)
    publish(database, lake)
    with pytest.raises(TransientError, match="run-1 when opened, run-2 now"):
        store.read("persons")


def test_a_database_without_views_is_refused(database):
    with pytest.raises(ContractError, match="views install"):
        ViewStore.open(database)
