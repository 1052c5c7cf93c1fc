"""Runs that end at the worst points, on purpose: what the next run of this or of another source makes of it."""

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from omop.lake import Lake
from omop.snapshot import dataset_of, last_snapshot
from passerelle import accounts, pipeline
from passerelle.cli import run as cli
from passerelle.runs import Run
from spark_jobs import land, write_tables
from tests.hospital import ROWS, write_feed
from tests.passerelle.states import next_day, quick_runs, seen_by_readers, seen_by_the_team, write_small_source


class Killed(BaseException):
    """Ends a run as SIGKILL does: nothing of ours catches it."""


@dataclass(frozen=True)
class Hospitals:
    """Two sources, two feeds of the first, and a workspace in which each ran once."""

    folder: Path
    tiny: Path
    other: Path
    first: Path
    next: Path

    def copy(self, name: str) -> Path:
        return shutil.copytree(self.folder / "base", self.folder / name)

    def run(self, workspace: Path, *flags: str, source: Path | None = None, feed: Path | None = None) -> int:
        words = ["run", str(source or self.tiny), "--input", str(feed or self.next), "--workspace", str(workspace)]
        return cli([*words, *flags])


@pytest.fixture(scope="module", autouse=True)
def engine() -> Iterator[None]:
    """One engine, one quality check and no view: `test_kill` has them all, here many runs must be quick."""
    with quick_runs():
        yield


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory: pytest.TempPathFactory, engine: None) -> Hospitals:
    folder = tmp_path_factory.mktemp("interrupted")
    tiny, other = write_small_source(folder / "tiny"), write_small_source(folder / "other", "other")
    found = Hospitals(folder, tiny, other, write_feed(folder / "first"), write_feed(folder / "next", next_day()))
    for source in (tiny, other):
        assert found.run(folder / "base", source=source, feed=found.first) == 0
    return found


def rows_of(workspace: Path, table: str, source: str) -> list[dict[str, Any]]:
    first = json.loads((workspace / "workspace.json").read_text())["sources"][source] * 8
    found = dataset_of(Lake(workspace), last_snapshot(Lake(workspace)), table).to_table().to_pylist()
    rows = [row for row in found if first <= row["person_bucket"] < first + 8]
    return sorted(rows, key=lambda row: repr(sorted(row.items())))


@pytest.fixture(scope="module")
def undisturbed(hospitals: Hospitals) -> dict[str, Any]:
    workspace = hospitals.copy("undisturbed")
    assert hospitals.run(workspace) == 0
    return seen_by_the_team(workspace) | {"omop.measurement of tiny": rows_of(workspace, "omop.measurement", "tiny")}


def same(workspace: Path, undisturbed: dict[str, Any]) -> bool:
    found = seen_by_the_team(workspace)
    return found == {name: undisturbed[name] for name in found}


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run until right after a function has returned for the n-th time with a chosen first argument, then die."""

    def until(hospitals: Hospitals, workspace: Path, owner: Any, name: str, when: Callable[..., bool], **how: Any):
        original = getattr(owner, name)

        def then_die(*given: Any, **named: Any) -> Any:
            answer = original(*given, **named)
            if when(*given):
                raise Killed
            return answer

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(owner, name, then_die)
            hospitals.run(workspace, **how)

    return until


def event(name: str) -> Callable[..., bool]:
    return lambda run, event, *_: event == name


def the_table(name: str) -> Callable[..., bool]:
    return lambda run, side, table, *_: table == name


# --- the same run goes on ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["extracted", "mapped", "checked"])
def test_a_run_killed_right_after_a_step_goes_on_to_the_same_end(hospitals, undisturbed, killed, step):
    workspace = hospitals.copy(f"after_{step}")
    killed(hospitals, workspace, Run, "record", event(step))
    assert hospitals.run(workspace, "--resume") == 0
    assert same(workspace, undisturbed)


def test_accounts_that_were_written_before_the_kill_count_once(hospitals, undisturbed, killed):
    workspace = hospitals.copy("accounts")
    killed(hospitals, workspace, accounts.ops, "replace", lambda lake, table, *_: table == "mapping_gap")
    assert hospitals.run(workspace, "--resume") == 0
    assert same(workspace, undisturbed)


def test_a_run_killed_between_snapshot_and_record_is_seen_and_goes_on(hospitals, undisturbed, killed):
    workspace = hospitals.copy("snapshot")
    killed(hospitals, workspace, pipeline, "_write_snapshot", lambda *_: True)
    seen = seen_by_readers(workspace)
    assert seen == {name: undisturbed[name] for name in seen}
    assert hospitals.run(workspace, "--resume") == 0
    assert same(workspace, undisturbed)


def test_a_log_without_a_first_commit_is_no_table(hospitals, undisturbed):
    workspace = hospitals.copy("no_commit")
    (workspace / "lake" / "omop" / "observation" / "_delta_log").mkdir(parents=True)
    assert hospitals.run(workspace) == 0
    assert same(workspace, undisturbed)


# --- another run comes instead -------------------------------------------------------------------------------------


def test_a_plain_run_after_one_that_was_mapped_but_not_published_publishes_the_new_rows(hospitals, undisturbed, killed):
    workspace = hospitals.copy("plain")
    killed(hospitals, workspace, Run, "record", event("mapped"))
    assert hospitals.run(workspace) == 0
    assert same(workspace, undisturbed)


def test_when_the_old_feed_comes_back_after_a_kill_the_old_tables_do_too(hospitals, killed):
    workspace = hospitals.copy("old_feed")
    before = seen_by_the_team(workspace)
    killed(hospitals, workspace, write_tables, "_write_whole", the_table("measurement"))
    assert hospitals.run(workspace, feed=hospitals.first) == 0
    assert seen_by_the_team(workspace) == before


def test_bronze_that_a_killed_landing_wrote_is_not_taken_for_the_recorded_one(hospitals, killed):
    workspace = hospitals.copy("bronze")
    before = seen_by_the_team(workspace)
    killed(hospitals, workspace, land, "take_in", lambda door, came: came.table == "patient")
    changed = copy.deepcopy(ROWS)  # patients as before, so only their fingerprint is compared; another table moves
    changed["analyse.csv.gz"][1][4] = "246"
    assert hospitals.run(workspace, feed=write_feed(hospitals.folder / "changed", changed)) == 0
    after = seen_by_the_team(workspace)
    assert after["omop.person"] == before["omop.person"]
    assert after["omop.measurement"] != before["omop.measurement"]


def test_half_of_a_killed_run_is_not_published_with_another_source(hospitals, undisturbed, killed):
    workspace = hospitals.copy("two_sources")
    before = rows_of(workspace, "omop.measurement", "tiny")
    killed(hospitals, workspace, write_tables, "_write_whole", the_table("measurement"))
    assert hospitals.run(workspace, source=hospitals.other) == 0
    assert rows_of(workspace, "omop.measurement", "tiny") == before
    assert hospitals.run(workspace, "--resume") == 0
    assert rows_of(workspace, "omop.measurement", "tiny") == undisturbed["omop.measurement of tiny"]


def test_a_run_that_goes_on_late_keeps_what_another_source_published_meanwhile(hospitals, undisturbed, killed):
    workspace = hospitals.copy("late")
    before = rows_of(workspace, "omop.measurement", "other")
    killed(hospitals, workspace, Run, "record", event("checked"))
    assert hospitals.run(workspace, source=hospitals.other) == 0
    published = rows_of(workspace, "omop.measurement", "other")
    assert published != before
    assert hospitals.run(workspace, "--resume") == 0
    assert rows_of(workspace, "omop.measurement", "other") == published
    assert rows_of(workspace, "omop.measurement", "tiny") == undisturbed["omop.measurement of tiny"]


def test_tables_of_a_first_run_that_never_ended_are_not_published_with_another_source(hospitals, killed, tmp_path):
    killed(hospitals, tmp_path, write_tables, "_write_whole", the_table("person"), source=hospitals.tiny)
    assert hospitals.run(tmp_path, source=hospitals.other, feed=hospitals.first) == 0
    assert rows_of(tmp_path, "omop.person", "tiny") == []
    assert len(rows_of(tmp_path, "omop.person", "other")) == 2


# --- what a feed no longer says ------------------------------------------------------------------------------------


def test_a_table_that_only_routing_filled_is_emptied_when_the_code_is_corrected(hospitals):
    workspace, coded = hospitals.folder / "routing", copy.deepcopy(ROWS)
    coded["diagnostic.csv"][1][1] = "Z94.0"  # a transplanted kidney: an observation
    source = write_small_source(hospitals.folder / "cim10" / "tiny", vocabulary="CIM10")
    assert hospitals.run(workspace, source=source, feed=write_feed(hospitals.folder / "coded", coded)) == 0
    assert [row["observation_source_value"] for row in rows_of(workspace, "omop.observation", "tiny")] == ["Z94.0"]
    assert hospitals.run(workspace, source=source, feed=hospitals.first) == 0
    assert rows_of(workspace, "omop.observation", "tiny") == []
    assert "E11.9" in {row["condition_source_value"] for row in rows_of(workspace, "omop.condition_occurrence", "tiny")}


def test_a_value_that_moves_to_another_empty_column_is_a_correction(hospitals):
    workspace, rows = hospitals.folder / "moving", copy.deepcopy(ROWS)
    for valeur, unite, number in (("", "245", None), ("245", "", 245.0)):
        rows["analyse.csv.gz"][1][4:6] = [valeur, unite]
        assert hospitals.run(workspace, feed=write_feed(hospitals.folder / "moved", rows)) == 0
        results = rows_of(workspace, "omop.measurement", "tiny")
        assert {row["value_as_number"] for row in results if row["measurement_source_value"] == "CREA"} == {number}
