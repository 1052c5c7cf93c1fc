"""Golden cases of eras as tables of a lake, and eras as a clinician writes them."""

import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from deltalake import write_deltalake

from etl.cdm_rows import Frame, table_columns
from omop.cdm import TYPE_CONCEPTS
from omop.cdm import table as cdm_table
from omop.lake import Lake
from omop.views.contract import ARROW_TYPES
from spark_jobs.delta import Buckets
from spark_jobs.derive_eras import ERA_TABLES, EVENTS, count_left_out, stage_eras
from spark_jobs.engine import Engine

GOLDEN = Path(__file__).parent / "golden" / "eras.yaml"
FRAME, BUCKETS = Frame("golden", "UTC", 1, 0, 4), Buckets(0, 4)
TYPES = {"order": "EHR prescription", "given": "EHR administration record", "dispensed": "EHR dispensing record"}
UNITS = {"mg": 8576, "[iU]": 8718}
Rows = list[dict[str, Any]]


def golden() -> dict[str, Any]:
    """The vocabulary and the cases."""
    return yaml.safe_load(GOLDEN.read_text(encoding="utf-8"))


def names_of(vocabulary: dict[str, Any]) -> dict[str, int]:
    """Name → concept, of conditions and drugs; what the vocabulary does not know is concept 0."""
    drugs = {name: 2001 + place for place, name in enumerate(vocabulary["drugs"])}
    return vocabulary["conditions"] | drugs | {"unknown": 0}


def write_table(lake: Lake, name: str, rows: Rows | pa.Table) -> None:
    """A CDM table, columns that are not given null; a table of persons with the bucket of each."""
    columns = table_columns(cdm_table(name)) if name in EVENTS else {c.name: c.type for c in cdm_table(name).columns}
    schema = pa.schema([(column, ARROW_TYPES.get(kind, pa.int32())) for column, kind in columns.items()])
    if isinstance(rows, pa.Table):
        cells = {
            c: rows[c] if c in rows.column_names else pa.nulls(rows.num_rows, schema.field(c).type) for c in columns
        }
        rows = pa.table({name: cell.cast(schema.field(name).type) for name, cell in cells.items()})
    else:
        rows = pa.Table.from_pylist(rows, schema=schema)
    write_deltalake(str(lake.omop(name)), rows, partition_by=["person_bucket"] if name in EVENTS else None)


def write_golden(workspace: Path) -> Lake:
    """A lake with the events of every case: case n is person n."""
    given, lake = golden(), Lake(workspace)
    concepts = names_of(given["vocabulary"])
    conditions: Rows = []
    drugs: Rows = []
    for person, case in enumerate(given["cases"], start=1):
        whose = {"person_id": person, "person_bucket": person % BUCKETS.end}
        conditions += [whose | _condition(event, concepts) for event in case["given"].get("conditions", [])]
        drugs += [whose | _drug(event, concepts) for event in case["given"].get("drugs", [])]
    write_table(lake, "condition_occurrence", conditions)
    write_table(lake, "drug_exposure", drugs)
    for name, rows in _vocabulary(given["vocabulary"], concepts).items():
        write_table(lake, name, rows)
    return lake


def _condition(event: dict[str, Any], concepts: dict[str, int]) -> dict[str, Any]:
    return {
        "condition_concept_id": concepts[event["what"]],
        "condition_start_date": event["from"],
        "condition_end_date": event.get("to"),
    }


def _drug(event: dict[str, Any], concepts: dict[str, int]) -> dict[str, Any]:
    end = event.get("to", event["from"])  # the engine's stand-in for an end that is required and not known
    number, _, unit = str(event.get("dose", "")).partition(" ")
    return {
        "drug_concept_id": concepts[event["what"]],
        "drug_exposure_start_date": event["from"],
        "drug_exposure_end_date": end.date() if isinstance(end, datetime) else end,
        "drug_exposure_end_datetime": end if isinstance(end, datetime) else None,
        "drug_type_concept_id": TYPE_CONCEPTS[TYPES[event["as"]]],
        "days_supply": event.get("days_supply"),
        "quantity": float(number) if number else None,
        "dose_unit_source_value": unit or None,
        "sig": event.get("sig"),
    }


def _vocabulary(vocabulary: dict[str, Any], concepts: dict[str, int]) -> dict[str, Rows]:
    drugs: dict[str, list[str]] = vocabulary["drugs"]
    concept = [
        {"concept_id": concepts[drug], "concept_class_id": "Ingredient" if drug in holds else "Clinical Drug",
         "standard_concept": "S", "domain_id": "Drug", "vocabulary_id": "RxNorm"}
        for drug, holds in drugs.items()
    ] + [
        {"concept_id": number, "concept_code": code, "standard_concept": "S", "vocabulary_id": "UCUM"}
        for code, number in UNITS.items()
    ]  # fmt: skip
    pairs = [(ingredient, drug) for drug, holds in drugs.items() for ingredient in holds if ingredient != drug]
    ancestor = [
        {
            "ancestor_concept_id": concepts[above],
            "descendant_concept_id": concepts[below],
            "min_levels_of_separation": n,
        }
        for above, below in pairs
        for n in (1, 2)  # subsets of the vocabulary hold a pair more than once
    ]  # fmt: skip
    strength = []
    for drug, holds in vocabulary["strength"].items():
        for ingredient, written in holds.items():
            amount, unit = written.split()
            strength.append(
                {"drug_concept_id": concepts[drug], "ingredient_concept_id": concepts[ingredient],
                 "amount_value": float(amount), "amount_unit_concept_id": UNITS[unit]}
            )  # fmt: skip
    return {"concept": concept, "concept_ancestor": ancestor, "drug_strength": strength}


def staged(
    engine: Engine, lake: Lake, staging: Path, touched: str | None = None
) -> tuple[dict[str, Rows], dict[str, dict[str, int]]]:
    """Rows of each era table, and what made none."""
    shutil.rmtree(staging, ignore_errors=True)
    views = stage_eras(engine, lake, FRAME, BUCKETS, staging, touched)
    return {name: rows_of(engine, views[name], name) for name in ERA_TABLES}, count_left_out(engine)


def rows_of(engine: Engine, view: str, name: str) -> Rows:
    """Rows in one order."""
    rows = engine.rows(f"SELECT {', '.join(table_columns(cdm_table(name)))} FROM {view}")
    return sorted(rows, key=lambda row: tuple(str(value) for value in row.values()))


def as_written(name: str, row: Mapping[str, Any], words: Mapping[int, str]) -> dict[str, Any]:
    """An era in the words of a golden case."""
    stem = name.removesuffix("_era")
    written: dict[str, Any] = {
        "what": words[row["condition_concept_id" if stem == "condition" else "drug_concept_id"]],
        "from": row[f"{name}_start_date"],
        "to": row[f"{name}_end_date"],
    }
    counts = {"condition": "condition_occurrence_count", "drug": "drug_exposure_count"}
    if stem in counts:
        written["count"] = row[counts[stem]]
    if stem == "drug":
        written["gap_days"] = row["gap_days"]
    if stem == "dose":
        unit = {number: code for code, number in UNITS.items()}[row["unit_concept_id"]]
        written["dose"] = f"{row['dose_value']:g} {unit}"
    return written
