"""Resolve the codes of a run against the vocabulary of the workspace, each distinct code once."""

from functools import partial

import pyarrow as pa

from etl.concept_maps import read_concept_maps
from etl.resolution import (
    candidates_query,
    distinct_codes_query,
    map_order,
    maps_to_query,
    parents_query,
    resolved_query,
    slot_codes_query,
    vocabulary_query,
)
from omop.cdm import table as cdm_table
from omop.lake import is_delta
from spark_jobs.load_vocabulary import LOADED
from spark_jobs.sides import MapRun, Side

VOCABULARY_TABLES = LOADED


def open_vocabulary(run: MapRun) -> None:
    """Make the vocabulary readable; without one every view is empty, and every code a gap."""
    for name in VOCABULARY_TABLES:
        path = run.lake.omop(name)
        if run.with_vocabulary and is_delta(path):
            run.engine.view_of_delta(name, path)
        else:
            run.engine.empty_view(name, {column.name: column.type for column in cdm_table(name).columns})
    maps = read_concept_maps(run.compiled.folder)
    run.engine.view_of_arrow("local_map", maps)
    order = map_order(run.compiled.source) + [(v, "local", 0) for v in set(maps["vocabulary"].to_pylist())]
    run.engine.view_of_arrow(
        "map_order",
        pa.table(
            {
                "vocabulary": pa.array([o[0] for o in order], pa.string()),
                "map": pa.array([o[1] if o[1] != "local" else f"local:{o[0]}" for o in order], pa.string()),
                "priority": pa.array([o[2] for o in order], pa.int64()),
            }
        ),
    )
    run.engine.sql(
        """
        SELECT source_vocabulary_id AS map, source_code, source_concept_id, target_concept_id
        FROM source_to_concept_map WHERE invalid_reason IS NULL
        UNION ALL
        SELECT concat('local:', vocabulary), source_code, source_concept_id, target_concept_id FROM local_map
        """
    ).createOrReplaceTempView("code_map")


def resolve_codes(run: MapRun, sides: list[Side]) -> None:
    """Fill the view ``resolved`` for the codes of all sides, and ``codes`` of each."""
    engine, source = run.engine, run.compiled.source
    nothing = """
        SELECT CAST(NULL AS bigint) AS h, 1 AS pos, '' AS vocabulary, '' AS code, '' AS label, '' AS mapping,
            '' AS field, CAST(0 AS bigint) AS n
        FROM (SELECT 1 AS one) AS nothing WHERE one = 0
    """

    def stage_codes(side: Side) -> None:
        branches = [
            slot_codes_query(m, slot, side.mapped[m.name])
            for m in run.compiled.mappings
            if m.name in side.mapped
            for slot in m.slots
        ]
        side.codes = run.stage(f"{side.name}_codes", " UNION ALL ".join(branches or [nothing]))

    run.at_once(partial(stage_codes, side) for side in sides)
    engine.sql(" UNION ALL ".join(f"SELECT * FROM {side.codes}" for side in sides)).createOrReplaceTempView("codes")
    distinct = run.stage("distinct_codes", distinct_codes_query(source, "codes"))
    parents = parents_query(source, distinct)
    if parents is not None:
        parents = run.stage("parent_codes", parents)
    engine.sql(
        f"""
        SELECT c.concept_id, c.concept_code, c.vocabulary_id, c.invalid_reason FROM concept AS c
        JOIN (SELECT DISTINCT omop_vocabulary FROM {distinct}) AS u ON u.omop_vocabulary = c.vocabulary_id
        """
    ).createOrReplaceTempView("used_concept")
    known = {
        "known_code": vocabulary_query(source, "used_concept"),
        "maps_to": maps_to_query("concept", "concept_relationship"),
    }
    run.at_once(partial(run.stage, view, query) for view, query in known.items())
    candidates = run.stage("candidates", candidates_query(distinct, parents))
    run.stage("resolved", resolved_query(candidates))
