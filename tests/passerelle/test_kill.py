"""A run that is killed leaves the last complete state to its readers; gone on with, it ends as if nothing had been."""

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from omop.lake import Lake
from omop.snapshot import last_snapshot
from passerelle.cli import run as cli
from passerelle.runs import load
from tests.conftest import IN_CI
from tests.hospital import write_feed
from tests.passerelle.states import next_day, one_engine, seen_by_readers, seen_by_the_team, write_small_source

KILLS = 10 if IN_CI else 4
SEED = 20250101


@dataclass(frozen=True)
class Night:
    """A workspace with one complete run, and the feed of the next day."""

    folder: Path
    source: Path
    feed: Path
    root: Path
    before: dict[str, Any]
    after: dict[str, Any]
    first_run: str
    seconds: float  # of an undisturbed run, from its first word to its end

    def arguments(self, workspace: Path) -> list[str]:
        return ["run", str(self.source), "--input", str(self.feed), "--workspace", str(workspace)]

    def copy(self, name: str) -> Path:
        return shutil.copytree(self.folder / "base", self.folder / name)


def start(root: Path, arguments: list[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "passerelle", *arguments]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def first_word(process: subprocess.Popen[str]) -> str:
    """Wait until the run works: the libraries are loaded, the engine is open, the first table is read."""
    assert process.stderr is not None
    return process.stderr.readline()


@pytest.fixture(scope="module", autouse=True)
def engine() -> Iterator[None]:
    """For the runs of this process: the first one, and those that go on. Each killed run has its own."""
    with one_engine():
        yield


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, repository: Path, engine: None) -> Night:
    folder = tmp_path_factory.mktemp("night")
    source, first = write_small_source(folder / "tiny"), write_feed(folder / "first")
    assert cli(["run", str(source), "--input", str(first), "--workspace", str(folder / "base")]) == 0
    feed, base = write_feed(folder / "next", next_day()), folder / "base"
    shutil.copytree(base, folder / "undisturbed")
    arguments = ["run", str(source), "--input", str(feed), "--workspace", str(folder / "undisturbed")]
    with start(repository, arguments) as process:
        assert "landing" in first_word(process)
        begun = time.monotonic()
        process.communicate()
        seconds = time.monotonic() - begun
    assert process.returncode == 0
    before, after = seen_by_readers(base), seen_by_the_team(folder / "undisturbed")
    assert any(before[name] != after[name] for name in before) and any(name.startswith("view ") for name in before)
    return Night(folder, source, feed, repository, before, after, last_snapshot(Lake(base)).run_id, seconds)


@pytest.fixture(scope="module")
def killed(night: Night) -> list[tuple[Path, int]]:
    """Workspaces whose run was killed at a random moment of its work, and how each ended. Two at a time."""
    moments = random.Random(SEED)
    waits = [moments.uniform(0, night.seconds) for _ in range(KILLS)]

    def kill(n: int) -> tuple[Path, int]:
        workspace = night.copy(f"killed_{n}")
        with start(night.root, night.arguments(workspace)) as process:
            first_word(process)
            time.sleep(waits[n])
            process.kill()
        return workspace, process.returncode

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(kill, range(KILLS)))


def test_most_kills_hit_a_run_at_work(killed):
    assert sum(code == -signal.SIGKILL for _, code in killed) > KILLS / 2


@pytest.mark.parametrize("n", range(KILLS))
def test_a_killed_run_is_invisible_and_goes_on_to_the_same_end(night, killed, n):
    workspace, _ = killed[n]
    readers = seen_by_readers(workspace)
    unchanged = last_snapshot(Lake(workspace)).run_id == night.first_run
    assert readers == (night.before if unchanged else {name: night.after[name] for name in readers})
    assert go_on(night, workspace) == 0
    assert seen_by_the_team(workspace) == night.after
    assert not any((workspace / "staging").glob("*"))


def go_on(night: Night, workspace: Path) -> int:
    """Resume; start anew where there is nothing to resume, and only there."""
    ended = "published" in load(Lake(workspace), "tiny")[-1].events
    code = cli([*night.arguments(workspace), "--resume"])
    if not ended:
        return code
    assert code == 2
    return cli(night.arguments(workspace))


def test_a_run_killed_before_it_was_recorded_is_started_anew_as_the_error_says(night, capsys):
    workspace = night.copy("killed_early")
    with start(night.root, night.arguments(workspace)) as process:
        process.kill()
    assert seen_by_readers(workspace) == night.before
    assert cli([*night.arguments(workspace), "--resume"]) == 2
    error = capsys.readouterr().err
    assert "no interrupted run" in error and "passerelle run tiny" in error
    assert cli(night.arguments(workspace)) == 0
    assert seen_by_the_team(workspace) == night.after
