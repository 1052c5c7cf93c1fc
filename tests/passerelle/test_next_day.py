"""The day after in a real database: what the change columns and the counts tell ends where a bulk load ends."""

import re
from pathlib import Path
from typing import Any

import pytest

from etl.demo.chu_demo import generate
from etl.demo.server import demo_server
from omop.lake import Lake
from passerelle import runs
from passerelle.cli import run as cli
from spark_jobs import ops
from tests.passerelle.states import one_engine, seen_by_the_team

PATIENTS, SHARE = 60, 0.1
TAG = re.compile("<[A-Z_]+>")
ACCOUNTS = ["ledger", "mapping_gap", "quarantine", "provenance", "quality", "coverage", "socle"]


def state_of(workspace: Path) -> dict[str, Any]:
    """What the team sees, but what two ways may tell differently.

    Lines of rows set aside (a database has none that last); sums of doubles in another order; which tag hides a number
    (the daily crosswalk still knows a telephone of the day before, the bulk load only knows its shape).
    """
    seen = seen_by_the_team(workspace)
    for account, cells in (("quarantine", ("line",)), ("quality", ("reason",))):
        entries = [[cell for cell in entry if cell[0] not in cells] for entry in seen[account]]
        seen[account] = sorted(entries, key=repr)
    for name in ("coverage", "socle"):
        rows = [{k: v for k, v in row.items() if k != "run_id"} for row in ops.read(Lake(workspace), name)]
        seen[name] = sorted((sorted(row.items()) for row in rows), key=repr)
    for name in ("omop.note", "view notes"):
        seen[name] = [
            [(k, TAG.sub("<>", v) if k in ("note_text", "text") else v) for k, v in row] for row in seen[name]
        ]
    return seen


@pytest.fixture(scope="module")
def days(open_folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any], dict[str, Any]]:
    """Events of two runs, one a day, and of a bulk load of the last day; what the days, and what the load end with."""
    folder, events = open_folder, []
    with demo_server(folder / "pg") as dsn, one_engine():
        for day in (0, 1):
            generate(dsn, PATIENTS, day=day, share=SHARE)
            assert cli(["run", "chu_demo", "--input", dsn, "--workspace", str(folder / "daily")]) == 0
            events.append(runs.last_with(Lake(folder / "daily"), "chu_demo", "mapped").events)
        assert cli(["run", "chu_demo", "--input", dsn, "--workspace", str(folder / "bulk")]) == 0
        events.append(runs.last_with(Lake(folder / "bulk"), "chu_demo", "mapped").events)
    return events, state_of(folder / "daily"), state_of(folder / "bulk")


def test_the_day_after_the_first_is_an_increment(days):
    assert [event["mapped"]["increment"] for event in days[0]] == [False, True, False]


def test_the_day_brings_takes_and_corrects_rows(days):
    for event in days[0][1:2]:
        changed = {name: facts["bronze"]["changed"] for name, facts in event["extracted"]["tables"].items()}
        assert changed["resultat_biologie"] > 0 and changed["sejour"] > 0


@pytest.mark.parametrize("account", ACCOUNTS)
def test_the_accounts_are_those_of_a_bulk_load(days, account):
    assert days[1][account] == days[2][account]


def test_what_looks_like_an_identifier_is_counted_as_in_a_bulk_load(days):
    daily, bulk = (events["checked"]["identifiers_found"] for events in (days[0][1], days[0][2]))
    assert daily == bulk and bulk


def test_tables_and_views_are_those_of_a_bulk_load(days):
    _, daily, bulk = days
    assert [name for name in bulk if daily[name] != bulk[name]] == []
