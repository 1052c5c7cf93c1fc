"""Ten million measurements to PostgreSQL: a bare binary COPY, and a publication with keys, indexes and views."""

import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.figures import Figure
from etl.demo.server import demo_server
from omop.cdm import table as cdm_table
from omop.lake import Lake
from omop.publication import publish
from omop.publication.ddl import create_table
from omop.publication.load import Connections, load_tables
from omop.publication.rows import cells
from omop.snapshot import dataset_of, last_snapshot
from omop.views.contract import ARROW_TYPES

MEASUREMENT = cdm_table("measurement")
BUCKET = "person_bucket"
ROWS, PERSONS, BUCKETS = 10_000_000, 100_000, 8
COMMAND = "python -m benchmarks publication"
CONCEPTS = np.array([3016723, 3023103, 3019550, 3000963, 3024929, 3004249, 3012888, 3027018])
UNITS = pa.array(["mg/dL", "mmol/L", "mmol/L", "g/dL", "G/L", "mmHg", "mmHg", "/min"])


def measure(folder: Path) -> Iterator[Figure]:
    """One run side by side: the copy alone, the same rows as they are published, all of it, and a day later."""
    lake = Lake(folder / "publication")
    _write(lake, "run-1", _measurements())
    # A server that root starts runs as another user: its files lie where he may enter.
    with tempfile.TemporaryDirectory(dir="/tmp") as data, demo_server(Path(data) / "pg") as dsn:
        with Connections(dsn) as connections:
            _checkpoint(connections)
            bare = _seconds(lambda: _bare_copy(connections, lake))
            _checkpoint(connections)
            loaded = _seconds(lambda: load_tables(connections, lake, last_snapshot(lake), [MEASUREMENT], "loaded"))
        whole = _seconds(lambda: publish(dsn, lake))
        _write(lake, "run-2", _measurements(changed=True))
        day = _seconds(lambda: publish(dsn, lake))
    rows = f"{ROWS:,} synthetic measurements"
    beside = f"bare COPY {bare:.1f} s"
    yield Figure(
        f"{rows}, loaded with keys, indexes, statistics", loaded / bare, "× bare COPY", f"bar: 1.5; {beside}", COMMAND
    )
    yield Figure(f"{rows}, published with every view", whole, "s", beside, COMMAND)
    yield Figure(f"{rows}, published again when 1 % differ", day, "s", f"the first time {whole:.1f} s", COMMAND)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _checkpoint(connections: Connections) -> None:
    """What was written before is on the disk: nobody pays for another."""
    with connections.cursor() as cursor:
        cursor.execute("CHECKPOINT")


def _bare_copy(connections: Connections, lake: Lake) -> None:
    """The same rows on one connection, into a table without a key."""
    dataset = dataset_of(lake, last_snapshot(lake), "omop.measurement")
    columns = cells({column.name: column.type for column in MEASUREMENT.columns}, dataset)
    with connections.cursor() as cursor:
        for schema in ("bare", "loaded"):
            cursor.execute(f"CREATE SCHEMA {schema}")
        cursor.execute(create_table(MEASUREMENT, "bare"))
        cursor.adbc_ingest(
            "measurement", dataset.scanner(columns=columns).to_reader(), mode="append", db_schema_name="bare"
        )


def _measurements(changed: bool = False) -> pa.Table:
    """Rows as a hospital has them: ids of 63 bits, eight analyses, times within three years, a tenth without a stay."""
    rng = np.random.default_rng(7)
    person = rng.integers(0, PERSONS, ROWS)
    what = rng.integers(0, len(CONCEPTS), ROWS)
    moment = rng.integers(0, 3 * 365 * 86_400, ROWS) + 1_640_995_200
    value = rng.normal(10, 2, ROWS).round(2)
    if changed:
        value[person % 100 == 0] += 1
    stay = person * 1_000_003 + moment // 2_592_000
    columns = {
        "measurement_id": rng.permutation(ROWS) * 922_337_203_685 + 1,
        "person_id": person * 9_000_000_000_007 + 11,
        "measurement_concept_id": CONCEPTS[what],
        "measurement_date": pa.array(moment // 86_400, pa.int32()).cast(pa.date32()),
        "measurement_datetime": pa.array(moment * 1_000_000).cast(ARROW_TYPES["timestamp"]),
        "measurement_type_concept_id": np.full(ROWS, 32856),
        "value_as_number": value,
        "unit_source_value": UNITS.take(pa.array(what)),
        "visit_occurrence_id": pa.array(stay, mask=rng.random(ROWS) < 0.1),
        "measurement_source_value": pa.array(["A", "B", "C", "D", "E", "F", "G", "H"]).take(pa.array(what)),
        BUCKET: pa.array(person % BUCKETS, pa.int32()),
    }
    return pa.table(columns)


def _write(lake: Lake, run_id: str, rows: pa.Table) -> None:
    from deltalake import DeltaTable, write_deltalake

    path = lake.omop("measurement")
    path.mkdir(parents=True, exist_ok=True)
    write_deltalake(str(path), rows, mode="overwrite", partition_by=[BUCKET])
    version = DeltaTable(str(path)).version()
    snapshot = {"run_id": run_id, "source": "benchmark", "table": "omop.measurement", "version": version}
    stamp = {"created_at": datetime(2025, 1, version + 1, tzinfo=UTC)}
    write_deltalake(str(lake.ops("snapshot")), pa.Table.from_pylist([snapshot | stamp]), mode="append")
