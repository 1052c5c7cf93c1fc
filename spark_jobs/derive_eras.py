"""Derive condition_era, drug_era and dose_era: gaps and islands over the days that events cover.

spark-submit passerelle/__main__.py map mimic_iv --workspace W --engine submitted
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from etl.cdm_rows import Frame, bucket_of, hashed_key, table_columns
from omop.cdm import table as cdm_table
from omop.lake import Lake, is_delta
from spark_jobs.delta import BUCKET, Buckets, Receipt, replace_buckets, table_version
from spark_jobs.engine import Engine
from spark_jobs.era_spans import CONDITION, DOSE, DOSE_UNITS, DRUG, INGREDIENT, PERSISTENCE_DAYS

EVENTS = ("condition_occurrence", "drug_exposure")
FAR_APART_DAYS = 10_000_000  # a calendar of four-digit years has 3,652,059 days
VOCABULARY = ("concept", "concept_ancestor", "drug_strength")


@dataclass(frozen=True)
class Era:
    """How the islands of one kind of span become rows of a CDM table."""

    table: str
    spans: str  # query, see era_spans
    by: dict[str, str]  # CDM column → column of the span: islands are sought for each person and each value of these
    counts: dict[str, str]  # CDM column → column of the island
    key: tuple[str, ...]  # what makes an era itself


CONCEPT = "concept_id"
KEY = ("person_id", CONCEPT, "first_day")
DERIVED_ERAS = (
    Era("condition_era", CONDITION, {"condition_concept_id": CONCEPT}, {"condition_occurrence_count": "events"}, KEY),
    Era("drug_era", DRUG, {"drug_concept_id": CONCEPT}, {"drug_exposure_count": "events", "gap_days": "gap_days"}, KEY),
    Era(
        "dose_era",
        DOSE,
        {"drug_concept_id": CONCEPT, "unit_concept_id": "unit_concept_id", "dose_value": "dose_value"},
        {},
        (*KEY, "unit_concept_id", "xxhash64(dose_value)"),  # engines write a double differently, and hash it alike
    ),
)
ERA_TABLES = tuple(era.table for era in DERIVED_ERAS)


@dataclass(frozen=True)
class WrittenEras:
    """The era tables as they stand after a run, and what made none."""

    receipts: dict[str, Receipt]
    left_out: dict[str, dict[str, int]]  # era table → reason → rows of the event table (and ingredient)


def derive_eras(engine: Engine, lake: Lake, frame: Frame, buckets: Buckets, staging: Path) -> WrittenEras:
    """Derive and write the eras of every person of a source."""
    staged = stage_eras(engine, lake, frame, buckets, staging)
    rows = engine.row_counts(staged)

    def write(name: str) -> Receipt:
        columns = table_columns(cdm_table(name))
        query = f"SELECT {', '.join(columns)} FROM {staged[name]}"
        return replace_buckets(engine.sql(query), lake.omop(name), columns, rows[name], buckets)

    written = engine.at_once(partial(write, name) for name in staged)
    return WrittenEras(dict(zip(staged, written, strict=True)), count_left_out(engine))


def count_left_out(engine: Engine) -> dict[str, dict[str, int]]:
    """Of the eras that were staged last: era table → reason → rows that made none."""
    branches = " UNION ALL ".join(
        f"SELECT '{name}' AS era, left_out FROM {_spans_of(name)} WHERE left_out IS NOT NULL" for name in ERA_TABLES
    )
    counted = (
        f"SELECT era, left_out, count(*) AS n FROM ({branches}) AS s GROUP BY era, left_out ORDER BY era, left_out"
    )
    found: dict[str, dict[str, int]] = {name: {} for name in ERA_TABLES}
    for row in engine.rows(counted):
        found[row["era"]][row["left_out"]] = row["n"]
    return found


def stage_eras(
    engine: Engine, lake: Lake, frame: Frame, buckets: Buckets, staging: Path, touched: str | None = None
) -> dict[str, str]:
    """Derive the eras of some persons from their events; nothing is written to the lake.

    An era depends on the events of its person alone, so those of other persons stay true.

    Args:
        buckets: where the persons are.
        staging: folder for intermediate results.
        touched: view with the ``person_id`` of the persons to derive; None: everybody in the buckets.

    Returns: era table → view with the table's columns and the bucket.
    """
    _open_events(engine, lake, buckets, staging, touched)
    engine.stage("era__ingredient", INGREDIENT, staging / "era" / "ingredient")

    for era in DERIVED_ERAS:  # all of them first: the spans of doses are read from those of drugs
        engine.sql(era.spans).createOrReplaceTempView(_spans_of(era.table))

    def stage(era: Era) -> str:
        view = f"era__{era.table}"
        engine.stage(view, era_query(era, _spans_of(era.table), frame), staging / "era" / era.table)
        return view

    return dict(zip(ERA_TABLES, engine.at_once(partial(stage, era) for era in DERIVED_ERAS), strict=True))


def _spans_of(era_table: str) -> str:
    return f"era__{era_table.removesuffix('_era')}"


def _open_events(engine: Engine, lake: Lake, buckets: Buckets, staging: Path, touched: str | None) -> None:
    """Make the views ``era__<table>`` that the queries of era_spans read; a table that is not there is empty."""
    persons = f" AND person_id IN (SELECT person_id FROM {touched})" if touched else ""
    for name in (*EVENTS, *VOCABULARY):
        view, path = f"era__{name}", lake.omop(name)
        if not is_delta(path):
            engine.empty_view(view, table_columns(cdm_table(name)))
        elif name in VOCABULARY:
            engine.view_of_delta(view, path, table_version(path))
        else:
            engine.view_of_delta(f"{view}__all", path, table_version(path))
            columns = ", ".join(cdm_table(name).column_names)
            query = f"SELECT {columns} FROM {view}__all WHERE {buckets.predicate}{persons}"
            if touched:  # few rows, read again for each kind of era
                engine.stage(view, query, staging / "era" / name)
            else:
                engine.sql(query).createOrReplaceTempView(view)
    units = [{"written": written, "ucum": ucum, "factor": factor} for written, (ucum, factor) in DOSE_UNITS.items()]
    engine.view_of_arrow("era__dose_unit", pa.Table.from_pylist(units))


def era_query(era: Era, spans: str, frame: Frame) -> str:
    """Rows of an era table, with the bucket of their person."""
    key = f"concat_ws('|', {', '.join(f'CAST({part} AS string)' for part in era.key)})"
    cells = {
        f"{era.table}_id": hashed_key(frame, era.table, key),
        "person_id": "person_id",
        **era.by,
        f"{era.table}_start_date": "first_day",
        f"{era.table}_end_date": "last_day",
        **{column: f"CAST({count} AS int)" for column, count in era.counts.items()},
        BUCKET: bucket_of(frame, "person_id"),
    }
    columns = ", ".join(f"{cells[name]} AS {name}" for name in table_columns(cdm_table(era.table)))
    return f"SELECT {columns} FROM ({islands(spans, tuple(era.by.values()))}) AS island"


def islands(spans: str, by: tuple[str, ...]) -> str:
    """Spans that follow each other within the persistence window, as one row each.

    Linear in the rows, but for one sort. ``gap_days`` counts the days within the island that no span covers.

    The windows are those of a person, not of a person and a concept: one engine needs twice the time for millions of
    tiny windows. So each concept gets a stretch of days of its own, too far from the next for any gap to be short.
    """
    columns = ", ".join(by)
    line = f"person_id, {columns}"
    return f"""
WITH start AS (  -- rows that begin on one day have no order among themselves: they are one
    SELECT {line}, first_day, max(last_day) AS last_day, count(*) AS events
    FROM {spans} WHERE left_out IS NULL GROUP BY {line}, first_day
),
apart AS (
    SELECT {line}, first_day, last_day, events,
        CAST(dense_rank() OVER (PARTITION BY person_id ORDER BY {columns}) AS bigint) * {FAR_APART_DAYS} AS stretch
    FROM start
),
reached AS (
    SELECT {line}, first_day, last_day, events, stretch,
        stretch + unix_date(first_day) - max(stretch + unix_date(last_day)) OVER (
            PARTITION BY person_id ORDER BY stretch, first_day ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS days_since
    FROM apart
),
opened AS (
    SELECT {line}, first_day, last_day, events, stretch,
        CASE WHEN days_since <= {PERSISTENCE_DAYS} THEN 0 ELSE 1 END AS opens,
        CASE WHEN days_since > 1 AND days_since <= {PERSISTENCE_DAYS} THEN days_since - 1 ELSE 0 END AS uncovered
    FROM reached
),
numbered AS (
    SELECT {line}, first_day, last_day, events, uncovered, sum(opens) OVER (
        PARTITION BY person_id ORDER BY stretch, first_day ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS island
    FROM opened
)
SELECT {line}, min(first_day) AS first_day, max(last_day) AS last_day, sum(events) AS events,
    sum(uncovered) AS gap_days
FROM numbered GROUP BY {line}, island
"""
