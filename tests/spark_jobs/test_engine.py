"""The session of the engine."""

import os
import subprocess
import sys

IDLE = """
import os, time
from spark_jobs.engine import open_engine
with open_engine() as engine:
    assert int(os.environ["SAIL_SPARK__SESSION_TIMEOUT_SECS"]) >= 24 * 3600, "a large table takes hours at the door"
    time.sleep(2)
    assert engine.rows("SELECT 1 AS one") == [{"one": 1}]
"""


def test_a_session_waits_for_a_table_that_takes_hours_to_read(repository):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SAIL_")}
    done = subprocess.run([sys.executable, "-c", IDLE], cwd=repository, env=inherited, check=False, timeout=120)
    assert done.returncode == 0
