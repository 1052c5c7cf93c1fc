"""Check a sample of a source's rows as the landing would read them: types, keys, orphans; identifiers hashed first."""

import secrets
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from etl.declaration import Source
from etl.findings import Finding, Severity
from etl.identity import pseudonymise
from etl.readers.csv import LINE, CsvRecords
from etl.sql_text import name as quoted
from spark_jobs.engine import Engine
from spark_jobs.type_rows import typed_query

MAX_ROWS = 200_000
SECONDS = 10.0  # for each table
WRONG_TYPE, WRONG_KEY, WRONG_PARENT = 0.2, 0.01, 0.5  # shares from which it is the declaration that is wrong


@dataclass
class Sample:
    """The first rows of a table, as text."""

    rows: pa.Table
    complete: bool
    unfit: int  # records with another number of fields

    def texts(self, column: str) -> list[str]:
        """The values of a column that are not empty."""
        return [value for value in self.rows[column].to_pylist() if value]


def sample(records: CsvRecords) -> Sample:
    """Read what a table gives in a bounded time.

    Raises: SourceError: columns or encoding are not those declared, or the text is not CSV.
    """
    until, batches, read, complete = time.monotonic() + SECONDS, [], 0, True
    for batch in records.batches():
        batches.append(batch)
        read += batch.num_rows
        if read >= MAX_ROWS or time.monotonic() > until:
            complete = False
            break
    schema = pa.schema([*((name, pa.string()) for name in records.table.columns), (LINE, pa.int64())])
    rows = pa.Table.from_batches([b.cast(schema) for b in batches], schema=schema)
    return Sample(rows, complete, len(records.bad))


def check_rows(engine: Engine, source: Source, samples: dict[str, Sample], staging: Path) -> list[Finding]:
    """Types that do not read, keys that are not unique, rows that point to nothing."""
    secret = secrets.token_bytes(32)  # forgotten with this check
    hashed = {name: _hashed(source, name, found.rows, secret) for name, found in samples.items()}
    findings = []
    for name, rows in hashed.items():
        findings += _types_and_keys(engine, source, name, rows, staging)
    return findings + _orphans(source, samples, hashed)


def _hashed(source: Source, name: str, rows: pa.Table, secret: bytes) -> pa.Table:
    """The rows as they pass the door: identifiers hashed, direct ones and free text left out."""
    table = source.tables[name]
    columns: dict[str, Any] = {}
    for column in table.bronze_columns:
        if column in table.identity_columns:
            columns[column] = pseudonymise(rows[column], secret, source.name, table.identity_columns[column])
        elif column in table.free_text:
            columns[column] = pa.nulls(rows.num_rows, pa.string())
        else:
            columns[column] = rows[column]
    return pa.table({**columns, LINE: rows[LINE]})


def _types_and_keys(engine: Engine, source: Source, name: str, rows: pa.Table, staging: Path) -> list[Finding]:
    if not rows.num_rows:
        return [Finding(Severity.WARNING, name, "it has no row", "is the extract complete?")]
    folder = staging / name
    folder.mkdir(parents=True)
    pq.write_table(rows, folder / "part-0.parquet")
    engine.view_of_parquet(f"checked__{name}", folder)
    typed = f"typed_check__{name}"
    engine.sql(typed_query(source, name, f"checked__{name}", 1)).createOrReplaceTempView(typed)
    counts: Counter[str] = Counter()
    for row in engine.rows(f"SELECT _defect, _note, count(*) AS n FROM {typed} GROUP BY _defect, _note"):
        for reason in filter(None, [row["_defect"], *(row["_note"] or "").split("; ")]):
            counts[reason] += row["n"]
    findings = [_unreadable(name, reason, n, rows.num_rows) for reason, n in counts.most_common()]
    columns = ", ".join(quoted(column) for column in source.tables[name].bronze_columns)
    keys = engine.rows(
        f"SELECT count(*) AS n, count(DISTINCT _row) AS keys, "
        f"(SELECT count(*) FROM (SELECT DISTINCT {columns} FROM {typed} WHERE _defect IS NULL) AS d) AS contents "
        f"FROM {typed} WHERE _defect IS NULL"
    )[0]
    return findings + _repeated(name, source.tables[name].key, keys)


def _unreadable(name: str, reason: str, n: int, rows: int) -> Finding:
    column, _, problem = reason.partition(" ")
    severity = Severity.ERROR if n >= WRONG_TYPE * rows else Severity.WARNING
    return Finding(
        severity,
        f"{name}.{column}",
        f"{problem} in {n} of {rows} rows ({n / rows:.1%})",
        "correct type or format in source.yaml" if severity is Severity.ERROR else "they are set aside or become null",
    )


def _repeated(name: str, key: tuple[str, ...], counted: dict[str, Any]) -> list[Finding]:
    equal, other = counted["n"] - counted["contents"], counted["contents"] - counted["keys"]
    where = f"{name} ({', '.join(key)})"
    findings = []
    if other:
        severity = Severity.ERROR if other > WRONG_KEY * counted["n"] else Severity.WARNING
        what = f"the key is not unique: {other} of {counted['n']} rows differ from the first row of their key"
        findings.append(Finding(severity, where, what, "add the column that tells them apart; else they are set aside"))
    if equal:
        findings.append(Finding(Severity.NOTE, where, f"{equal} rows are sent twice: merged at the door"))
    return findings


def _orphans(source: Source, samples: dict[str, Sample], hashed: dict[str, pa.Table]) -> list[Finding]:
    """Columns that point to no row: numbers of people and stays, and columns that bear the name of a table's key."""
    homes = {
        name: table.key[0]
        for name, table in source.tables.items()
        if name in samples and samples[name].complete and samples[name].rows.num_rows
        if len(table.key) == 1 and table.key[0] in hashed[name].column_names
    }
    findings = []
    for name, rows in hashed.items():
        own = source.tables[name]
        for column in own.bronze_columns:
            pointed = _homes_of(source, homes, name, column) if own.key != (column,) else []
            if pointed:
                keys = pa.chunked_array([c for home in pointed for c in hashed[home][homes[home]].chunks])
                sure = own.identity_columns.get(column) is not None or source.tables[pointed[0]].role == "reference"
                findings += _orphans_of(f"{name}.{column}", rows[column], " or ".join(pointed), keys, sure)
    return findings


def _homes_of(source: Source, homes: dict[str, str], name: str, column: str) -> list[str]:
    """Tables whose key a column may hold: those whose key has its name; else the only one of its kind."""
    kind = source.tables[name].identity_columns.get(column)

    def kind_of(home: str) -> str | None:
        return source.tables[home].identity_columns.get(homes[home])

    named = [
        h for h, key in homes.items() if h != name and key == column and kind_of(h) == kind and len(key) > len("id")
    ]
    alike = [h for h in homes if h != name and kind in ("person", "stay") and kind_of(h) == kind]
    return named or (alike if len(alike) == 1 else [])


def _orphans_of(where: str, pointers: pa.ChunkedArray, home: str, keys: pa.ChunkedArray, sure: bool) -> list[Finding]:
    filled = pc.drop_null(pointers)
    lost = len(filled) - (pc.sum(pc.is_in(filled, keys.combine_chunks())).as_py() or 0)
    most = lost >= WRONG_PARENT * len(filled)
    if not lost or (most and not sure):  # two tables may number their rows under one name
        return []
    what = f"{lost} of {len(filled)} rows ({lost / len(filled):.1%}) point to no row of {home}"
    severity = Severity.ERROR if most else Severity.WARNING
    return [Finding(severity, where, what, f"is {home} complete, and is it the same number?")]
