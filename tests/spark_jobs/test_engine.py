"""The session of the engine."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial

import pytest

from spark_jobs.engine import AT_ONCE, Engine, open_engine

IDLE = """
import os, time
from spark_jobs.engine import open_engine
with open_engine() as engine:
    assert int(os.environ["SAIL_SPARK__SESSION_TIMEOUT_SECS"]) >= 24 * 3600, "a large table takes hours at the door"
    time.sleep(2)
    assert engine.rows("SELECT 1 AS one") == [{"one": 1}]
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_engine() as opened:
        yield opened


def test_a_session_waits_for_a_table_that_takes_hours_to_read(repository):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SAIL_")}
    done = subprocess.run([sys.executable, "-c", IDLE], cwd=repository, env=inherited, check=False, timeout=120)
    assert done.returncode == 0


def test_steps_run_beside_one_another_and_answer_in_their_order(engine):
    together = threading.Barrier(AT_ONCE, timeout=60)

    def step(number: int) -> int:
        together.wait()
        found: int = engine.rows(f"SELECT {number} AS n")[0]["n"]
        return found

    assert engine.at_once(partial(step, n) for n in range(3 * AT_ONCE)) == list(range(3 * AT_ONCE))


def test_the_error_of_a_step_ends_those_that_have_not_begun(engine):
    begun: list[int] = []

    def step(number: int) -> None:
        begun.append(number)
        if number == 0:
            raise ValueError("disk full")
        threading.Event().wait(0.2)

    with pytest.raises(ValueError, match="disk full"):
        engine.at_once(partial(step, n) for n in range(50))
    assert len(begun) < 50


def test_an_intermediate_result_without_a_row_keeps_its_columns(engine, tmp_path):
    engine.stage(
        "nothing", "WITH one AS (SELECT 1L AS n, 'a' AS code) SELECT * FROM one WHERE n > 1", tmp_path / "it's"
    )
    assert engine.rows("SELECT * FROM nothing") == []
    assert engine.sql("SELECT * FROM nothing").columns == ["n", "code"]


def test_a_remainder_has_the_sign_of_its_number_as_in_postgresql(engine):
    """So that both make the same blocks of a negative key."""
    rows = engine.rows("SELECT n - n % CAST(10 AS bigint) AS block FROM (VALUES (-25L), (-10L), (-5L), (5L)) AS t(n)")
    assert sorted(row["block"] for row in rows) == [-20, -10, 0, 0]
