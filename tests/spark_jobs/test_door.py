"""The door: notes that are still being pseudonymised wait in memory, and come out in the order in which they came."""

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.compiler import compile_source
from etl.crosswalk import Crosswalk
from etl.declaration import source_folder
from etl.identity import secrets_from
from etl.many_notes import Cleaning
from omop.lake import Lake
from passerelle.settings import load_settings
from spark_jobs import door as at_the_door
from spark_jobs import land
from spark_jobs.door import Door, Stager

TABLE = "document"


@pytest.fixture
def door(tmp_path: Path) -> Door:
    secrets, _ = secrets_from(load_settings(workspace=tmp_path / "w", keys_file=tmp_path / "keys.json"))
    lake = Lake(tmp_path / "w")
    source = compile_source(source_folder("chu_demo")).source
    return Door(source, secrets, Crosswalk(lake.identity, secrets.crosswalk), None, lake, tmp_path / "staging")  # type: ignore[arg-type]


def batch(door: Door, first: int) -> pa.RecordBatch:
    """Two letters, numbered on."""
    columns = {
        name: [f"Dr MARTIN, {name} {first + i}" if name == "texte" else str(first + i) for i in range(2)]
        for name in door.source.tables[TABLE].columns
    }
    lines = pa.array([first, first + 1], pa.int64())
    return pa.record_batch([*(pa.array(values) for values in columns.values()), lines], names=[*columns, "_line"])


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many notes were waited for, in which order."""
    order: list[int] = []
    begin = at_the_door.begin

    class Noted(Cleaning):
        number: int

        def wait(self):
            order.append(self.number)
            return super().wait()

    def begin_and_note(pseudonymiser, notes):
        noted = Noted(begin(pseudonymiser, notes).parts)
        object.__setattr__(noted, "number", int(notes[0][0].split()[-1]))
        return noted

    monkeypatch.setattr(at_the_door, "begin", begin_and_note)
    return order


def test_notes_that_wait_are_on_no_disk_and_come_out_in_their_order(door, tmp_path, waited):
    raw = tmp_path / "raw"
    with Stager(door, door.source.tables[TABLE], raw, later=True) as stager:
        for first in (0, 2, 4):
            stager.write(batch(door, first))
    assert waited == [] and len(stager.waiting) == 3
    assert all(b"MARTIN" not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    stager.finish()
    stager.finish()  # the second time nothing is done
    texts = pq.read_table(raw)["texte"].to_pylist()
    assert waited == [0, 2, 4]
    assert texts == [f"Dr <NOM>, texte {number}" for number in range(6)]


def test_no_more_text_waits_than_memory_may_hold(door, tmp_path, waited, monkeypatch):
    monkeypatch.setattr(at_the_door, "MOST_WAITING_BYTES", batch(door, 0).nbytes)
    with Stager(door, door.source.tables[TABLE], tmp_path / "raw", later=True) as stager:
        for first in (0, 2, 4):
            stager.write(batch(door, first))
        assert waited == [0, 2]
    stager.finish()
    assert waited == [0, 2, 4]


def test_a_reading_that_fails_waits_for_nobody(door, tmp_path, waited):
    with (
        pytest.raises(ValueError, match="broken"),
        Stager(door, door.source.tables[TABLE], tmp_path / "raw", later=True) as stager,
    ):
        stager.write(batch(door, 0))
        raise ValueError("broken")
    assert waited == [] and not stager.waiting


def test_notes_land_after_all_who_know_people_and_before_everything_else(door):
    order = land.landing_order(door.source)
    knows = ("patient", "praticien", "sejour")
    assert set(order[:3]) == set(knows)
    assert order[3] == TABLE
    assert sorted(order) == sorted(door.source.tables)


def test_a_landing_that_fails_waits_for_no_note(door, monkeypatch):
    cancelled = []

    class Never(Cleaning):
        def cancel(self):
            cancelled.append(self)

    def read(door, opened, name, base, delivery):
        if name != TABLE:
            if name not in ("patient", "praticien", "sejour"):
                raise ValueError("broken")
            return land.Came(name, None, True, None, None)
        with Stager(door, door.source.tables[TABLE], door.staging / "raw" / name, later=True) as stager:
            stager.write(batch(door, 0))
        return land.Came(name, None, False, None, None, stager)

    monkeypatch.setattr(at_the_door, "begin", lambda *_: Never([]))
    monkeypatch.setattr(land, "read_table", read)
    monkeypatch.setattr(land, "take_in", lambda _, came: land.Landed(came.table))
    with pytest.raises(ValueError, match="broken"):
        list(land.land_tables(door, land.Opened(door.source), {}, land.Delivery()))
    assert len(cancelled) == 1


def test_a_table_with_notes_that_knows_people_is_done_before_the_notes_of_others(door, monkeypatch):
    tables = door.source.tables
    remarks = tables["patient"].model_copy(update={"free_text": ("sexe",)})
    source = door.source.model_copy(update={"tables": {TABLE: tables[TABLE], "patient": remarks}})
    assert land.landing_order(source) == ["patient", TABLE]

    class Nothing:
        @contextmanager
        def stream(self, *_):
            yield None

        fhir = None

    staged = {}
    monkeypatch.setattr(land, "Stager", lambda *words, **how: staged.update(how) or Stager(*words, **how))
    for name, later in ((TABLE, True), ("patient", False)):
        land._read(replace(door, source=source), Nothing(), name, None)
        assert staged == {"later": later}, name
