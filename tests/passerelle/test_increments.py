"""bulk(D0 + D1) = bulk(D0) + increment(D1): tables, views, accounts and the way back, whatever a day brings."""

import shutil
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omop.delta_read import dataset
from omop.lake import Lake
from passerelle import runs
from passerelle.cli import run as cli
from passerelle.provenance import way_back
from passerelle.workspace import Workspace
from tests.conftest import IN_CI
from tests.hospital import ROWS, SOURCE, write_feed, write_source
from tests.passerelle.states import quick_runs, seen_by_the_team

Feed = dict[str, list[list[str]]]
DAY = "2024-06-01 08:00:00"


def declaration() -> str:
    """The tiny hospital, with a change column in its results."""
    declared: dict[str, Any] = yaml.safe_load(SOURCE)
    results = declared["tables"]["analyse"]
    results["columns"]["maj"] = "timestamp"
    results["change_column"] = "maj"
    return yaml.safe_dump(declared)


def first_day() -> Feed:
    feed = deepcopy(ROWS)
    feed["analyse.csv.gz"][0].append("maj")
    for row in feed["analyse.csv.gz"][1:]:
        row.append("2024-05-01 00:00:00")
    # Enough that a day is a small part of it.
    for n in range(40):
        feed["patient.csv"].append([f"P{n}", "NAKATOMI", "", "M", "1950-01-01", ""])
        feed["sejour.csv"].append([f"S{n}", f"P{n}", "2024-03-01 10:00:00", "2024-03-05 10:00:00"])
        feed["diagnostic.csv"].append([f"S{n}", "I10"])
        feed["analyse.csv.gz"].append([f"R{n}".replace("R", "10"), f"P{n}", f"S{n}", "CREA", "80", "umol/L", "2024-03-02 08:00:00", "2024-05-01 00:00:00"])  # fmt: skip  # noqa: E501
    return feed


@dataclass
class Workshop:
    """Runs feeds one after another in a workspace, and one feed at once in another."""

    folder: Path
    source: Path
    base: Path
    count: int = 0

    def run(self, workspace: Path, feed: Feed | Path, *flags: str) -> dict[str, Any]:
        folder = feed if isinstance(feed, Path) else write_feed(self._new("feed"), feed)
        words = ["run", str(self.source), "--input", str(folder), "--workspace", str(workspace)]
        assert cli([*words, *flags]) == 0
        return runs.last_with(Lake(workspace), "tiny", "mapped").events["mapped"]

    def bulk(self, feed: Feed) -> dict[str, Any]:
        workspace = self._new("bulk")
        self.run(workspace, feed)
        return state_of(workspace)

    def after_the_first_day(self) -> Path:
        return shutil.copytree(self.base, self._new("grown"))

    def _new(self, name: str) -> Path:
        self.count += 1
        return self.folder / f"{name}{self.count}"


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """One engine; no quality check and no view, which read the tables that are compared here."""
    with quick_runs():
        folder = tmp_path_factory.mktemp("increments")
        found = Workshop(folder, write_source(folder / "tiny", source=declaration()), folder / "base")
        found.run(found.base, first_day())
        yield found


def state_of(workspace: Path) -> dict[str, Any]:
    """What the team sees, but the line of a row set aside: it is that of the file in which the row came."""
    seen = seen_by_the_team(workspace)
    entries = [[cell for cell in entry if cell[0] != "line"] for entry in seen["quarantine"]]
    return seen | {"quarantine": sorted(entries, key=repr)}


def row(table: list[list[str]], key: str) -> list[str]:
    return next(r for r in table if r[0] == key)


def correct_a_result(feed: Feed) -> None:
    changed = row(feed["analyse.csv.gz"], "101")
    changed[4], changed[7] = "250", DAY


def delete_a_result(feed: Feed) -> None:
    feed["analyse.csv.gz"].remove(row(feed["analyse.csv.gz"], "102"))


def admit_a_new_patient(feed: Feed) -> None:
    feed["patient.csv"].append(["9001", "ALVARADO", "", "F", "1990-01-01", ""])
    feed["sejour.csv"].append(["S9001", "9001", "2024-06-01 01:00:00", ""])
    feed["diagnostic.csv"].append(["S9001", "J45.0"])
    feed["analyse.csv.gz"].append(["9001", "9001", "S9001", "NA", "140", "mmol/L", DAY, DAY])


def let_a_late_stay_arrive(feed: Feed) -> None:
    """A diagnosis waited in quarantine for the stay 99999."""
    feed["sejour.csv"].append(["99999", "P5", "2024-05-30 10:00:00", ""])


def move_a_stay_to_another_patient(feed: Feed) -> None:
    row(feed["sejour.csv"], "S7")[1] = "P8"


def learn_of_a_death(feed: Feed) -> None:
    row(feed["patient.csv"], "P9")[5] = "2024-05-31"


def forget_a_patient(feed: Feed) -> None:
    """His results stay in the laboratory's file: they belong to nobody now."""
    feed["patient.csv"].remove(row(feed["patient.csv"], "P11"))


def close_a_stay(feed: Feed) -> None:
    row(feed["sejour.csv"], "S12")[3] = "2024-06-01 12:00:00"


def cancel_a_result(feed: Feed) -> None:
    changed = row(feed["analyse.csv.gz"], "1013")
    changed[4], changed[7] = "annulé", DAY


def write_a_letter(feed: Feed) -> None:
    feed["lettre.csv"].append(["L9", "P14", "S14", "2024-06-01 09:00:00", "Monsieur Nakatomi va bien."])


def make_a_row_unreadable(feed: Feed) -> None:
    row(feed["sejour.csv"], "S15")[2] = "sometime"


def send_a_row_twice(feed: Feed) -> None:
    feed["analyse.csv.gz"].append(list(row(feed["analyse.csv.gz"], "1016")))


DAYS = [
    correct_a_result,
    delete_a_result,
    admit_a_new_patient,
    let_a_late_stay_arrive,
    move_a_stay_to_another_patient,
    learn_of_a_death,
    forget_a_patient,
    close_a_stay,
    cancel_a_result,
    write_a_letter,
    make_a_row_unreadable,
    send_a_row_twice,
]


# Each alone in CI; elsewhere three at a time, to persons of their own: a load for each would take twice as long as all
# other laws here.
ON_A_DAY = [DAYS[n :: len(DAYS) if IN_CI else 4] for n in range(len(DAYS) if IN_CI else 4)]


@pytest.mark.parametrize("day", ON_A_DAY, ids=lambda day: "-".join(happens.__name__ for happens in day))
def test_an_increment_ends_where_a_bulk_load_ends(workshop, day):
    feed = first_day()
    for happens in day:
        happens(feed)
    workspace = workshop.after_the_first_day()
    mapped = workshop.run(workspace, feed)
    assert mapped["increment"]
    assert state_of(workspace) == workshop.bulk(feed)


@settings(
    max_examples=4 if IN_CI else 2,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(days=st.lists(st.lists(st.sampled_from(DAYS), min_size=1, max_size=3, unique=True), min_size=2, max_size=3))
def test_any_days_after_one_another_end_where_a_bulk_load_ends(workshop, days):
    done: set[Any] = set()
    feed, workspace = first_day(), workshop.after_the_first_day()
    for day in days:
        for happens in (h for h in day if h not in done):
            happens(feed)
            done.add(happens)
        workshop.run(workspace, feed)
    assert state_of(workspace) == workshop.bulk(feed)


def test_the_same_day_twice_is_the_day_once(workshop):
    feed = first_day()
    correct_a_result(feed)
    workspace = workshop.after_the_first_day()
    workshop.run(workspace, feed)
    once = state_of(workspace)
    assert workshop.run(workspace, feed)["unchanged"]
    assert state_of(workspace) == once


def test_a_day_undone_brings_the_day_before_back(workshop):
    feed = first_day()
    for happens in (correct_a_result, delete_a_result, admit_a_new_patient):
        happens(feed)
    workspace = workshop.after_the_first_day()
    workshop.run(workspace, feed)
    workshop.run(workspace, first_day())
    assert state_of(workspace) == state_of(workshop.base)


def test_files_of_what_changed_end_where_all_files_together_end(workshop):
    """Two deliveries, the second with the changed rows alone, against one with both."""
    header = first_day()["analyse.csv.gz"][0]
    day = [
        ["101", "P1", "S1", "CREA", "250", "umol/L", "2024-03-02 08:00:00", DAY],  # corrected
        ["9002", "P2", "S2", "NA", "140", "mmol/L", DAY, DAY],  # new
        ["103", "P3", "S3", "CREA", "99", "umol/L", "2024-03-02 08:00:00", "2024-01-01 00:00:00"],  # older: late
    ]
    workspace = workshop.after_the_first_day()
    mapped = workshop.run(workspace, {"analyse.csv.gz": [header, *day]}, "--since", "2024-05-31")
    assert mapped["increment"]
    together = first_day()
    together["analyse.csv.gz"] += day
    assert state_of(workspace) == workshop.bulk(together)


def test_the_order_of_rows_in_a_file_does_not_matter(workshop):
    feed = first_day()
    correct_a_result(feed)
    late = list(row(feed["analyse.csv.gz"], "101"))
    late[4], late[7] = "70", "2024-01-01 00:00:00"
    feed["analyse.csv.gz"].append(late)
    backwards = {name: [rows[0], *reversed(rows[1:])] for name, rows in feed.items()}
    assert workshop.bulk(feed) == workshop.bulk(backwards)


def test_the_way_back_after_an_increment_is_that_of_the_corrected_row(workshop):
    """The result 101 comes again, corrected, on the first line of a short file."""
    workspace = workshop.after_the_first_day()
    header, *results = first_day()["analyse.csv.gz"]
    first = next(n for n, result in enumerate(results, start=2) if result[0] == "101")
    corrected = ["101", "P1", "S1", "CREA", "250", "umol/L", "2024-03-02 08:00:00", DAY]
    (result,) = [r["measurement_id"] for r in measurements(workspace) if way(workspace, r)["line"] == first]
    workshop.run(workspace, {"analyse.csv.gz": [header, corrected]}, "--since", "2024-05-31")
    (after,) = [r for r in measurements(workspace) if r["measurement_id"] == result]
    assert after["value_as_number"] == 250.0 and first != 2 and way(workspace, after)["line"] == 2


def measurements(workspace: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dataset(Lake(workspace).omop("measurement")).to_table().to_pylist()
    return found


def way(workspace: Path, row: dict[str, Any]) -> dict[str, Any]:
    return way_back(Workspace(workspace), "measurement", row["measurement_id"])
