"""Compare a vocabulary release with the loaded one: what changes, and how many OMOP rows rest on it.

spark-submit passerelle/__main__.py vocabulary diff DIR --workspace W --engine submitted
"""

from typing import Any

import pyarrow as pa

from omop.cdm import cdm_tables
from omop.lake import Lake, is_delta
from spark_jobs.derive_eras import ERA_TABLES
from spark_jobs.engine import Engine, no_row
from spark_jobs.load_vocabulary import StagedVocabulary

# What may happen to a concept, in the order in which a person wants to read it.
KINDS = (
    "lost",
    "no longer standard",
    "moved to another domain",
    "maps to other concepts",
    "withdrawn",
    "now standard",
    "gained",
)
STANDARD = "{a}.standard_concept = 'S' AND {a}.invalid_reason IS NULL"


def compare_vocabulary(
    engine: Engine, lake: Lake, staged: StagedVocabulary, unknown: list[dict[str, Any]]
) -> dict[str, Any]:
    """What a release changes.

    Args:
        unknown: codes of the last runs that the loaded copy lacks: ``vocabulary_id, code, rows``.

    Returns: ``overall``: kind → concepts; ``in_use``: kind → concepts and rows of this workspace; ``changes``: an entry
        for each concept in use that changes, and for each unknown code that the release knows, most rows first.
    """
    work = staged.folder / "diff"
    for name in ("concept", "concept_relationship"):
        engine.view_of_delta(f"old_{name}", lake.omop(name))
        engine.view_of_parquet(f"new_{name}", staged.folder / f"{name}.parquet")
    engine.stage("concept_in_use", _in_use_query(engine, lake), work / "in_use")
    engine.stage("vocabulary_change", _changes_query(), work / "changes")
    counted = engine.rows("SELECT kind, count(*) AS n FROM vocabulary_change GROUP BY kind")
    overall = {row["kind"]: row["n"] for row in counted}
    changes = _used_changes(engine) + _found_codes(engine, unknown)
    in_use = {
        kind: {"concepts": len(found), "rows": sum(change["rows"] for change in found)}
        for kind in KINDS
        for found in [[change for change in changes if change["kind"] == kind]]
    }
    return {
        "overall": {kind: overall.get(kind, 0) for kind in KINDS},
        "in_use": in_use,
        "changes": sorted(changes, key=lambda c: (-c["rows"], KINDS.index(c["kind"]), c["vocabulary"], c["code"])),
    }


def _in_use_query(engine: Engine, lake: Lake) -> str:
    """``concept_id, cdm_table, n``: every concept that a row of the clinical tables names, source concepts included.

    Eras are left out: they are made again from the rows that are counted.
    """
    branches = []
    for table in cdm_tables().values():
        columns = [column.name for column in table.columns if column.name.endswith("_concept_id")]
        derived = table.name in ERA_TABLES
        if table.schema != "CDM" or derived or not columns or not is_delta(lake.omop(table.name)):
            continue
        engine.view_of_delta(f"used__{table.name}", lake.omop(table.name))
        # A row that names a concept twice (it is its own source) is one row.
        named = f"SELECT explode(array_distinct(array({', '.join(columns)}))) AS concept_id FROM used__{table.name}"
        branches.append(
            f"SELECT concept_id, '{table.name}' AS cdm_table, count(*) AS n FROM ({named}) AS named "
            "WHERE concept_id <> 0 GROUP BY concept_id"
        )
    return " UNION ALL ".join(branches) or no_row({"concept_id": "bigint", "cdm_table": "string", "n": "bigint"})


def _changes_query() -> str:
    """``kind, concept_id, before, after``: one row for each thing that happens to a concept."""
    both = "FROM old_concept AS o JOIN new_concept AS n ON n.concept_id = o.concept_id"
    old, new = STANDARD.format(a="o"), STANDARD.format(a="n")
    none = "CAST(NULL AS string)"
    return f"""
        SELECT 'lost' AS kind, o.concept_id, {none} AS before, {none} AS after
        FROM old_concept AS o LEFT JOIN new_concept AS n ON n.concept_id = o.concept_id WHERE n.concept_id IS NULL
        UNION ALL
        SELECT 'gained', n.concept_id, {none}, {none}
        FROM new_concept AS n LEFT JOIN old_concept AS o ON o.concept_id = n.concept_id WHERE o.concept_id IS NULL
        UNION ALL
        SELECT 'moved to another domain', o.concept_id, o.domain_id, n.domain_id {both}
        WHERE coalesce(o.domain_id, '') <> coalesce(n.domain_id, '')
        UNION ALL
        SELECT 'no longer standard', o.concept_id, 'S', coalesce(n.invalid_reason, n.standard_concept, 'not standard')
        {both} WHERE {old} AND NOT coalesce({new}, false)
        UNION ALL
        SELECT 'now standard', o.concept_id, coalesce(o.invalid_reason, o.standard_concept, 'not standard'), 'S'
        {both} WHERE {new} AND NOT coalesce({old}, false)
        UNION ALL
        SELECT 'withdrawn', o.concept_id, {none}, n.invalid_reason {both}
        WHERE o.invalid_reason IS NULL AND n.invalid_reason IS NOT NULL
            AND coalesce(o.standard_concept, '') <> 'S'
        UNION ALL
        SELECT 'maps to other concepts', both_maps.concept_id, both_maps.before, both_maps.after
        FROM (
            SELECT coalesce(o.concept_id, n.concept_id) AS concept_id, o.targets AS before, n.targets AS after
            FROM ({_targets("old_concept_relationship")}) AS o
            FULL OUTER JOIN ({_targets("new_concept_relationship")}) AS n ON n.concept_id = o.concept_id
            WHERE coalesce(o.targets, '') <> coalesce(n.targets, '')
        ) AS both_maps
        JOIN old_concept AS k ON k.concept_id = both_maps.concept_id
        JOIN new_concept AS l ON l.concept_id = both_maps.concept_id
    """


def _targets(relationship: str) -> str:
    return f"""
        SELECT concept_id_1 AS concept_id, concat_ws(' + ', sort_array(collect_set(CAST(concept_id_2 AS string))))
            AS targets
        FROM {relationship} WHERE relationship_id = 'Maps to' AND invalid_reason IS NULL GROUP BY concept_id_1
    """


def _used_changes(engine: Engine) -> list[dict[str, Any]]:
    rows = engine.rows(
        """
        SELECT v.kind, v.concept_id, coalesce(o.vocabulary_id, n.vocabulary_id) AS vocabulary,
            coalesce(o.concept_code, n.concept_code) AS code, coalesce(o.concept_name, n.concept_name) AS name,
            v.before, v.after, u.cdm_table, u.n AS rows
        FROM vocabulary_change AS v
        JOIN concept_in_use AS u ON u.concept_id = v.concept_id
        LEFT JOIN old_concept AS o ON o.concept_id = v.concept_id
        LEFT JOIN new_concept AS n ON n.concept_id = v.concept_id
        """
    )
    changes: dict[tuple[str, int], dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: str(row["cdm_table"])):
        key = (row["kind"], row["concept_id"])
        change = changes.setdefault(key, {**row, "vocabulary": row["vocabulary"] or "", "rows": 0, "tables": []})
        change["rows"] += row["rows"]
        change["tables"].append(row["cdm_table"])
    for change in changes.values():
        change.pop("cdm_table")
    return list(changes.values())


def _found_codes(engine: Engine, unknown: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Codes that were a gap and that the release knows, whatever dots, blanks and case a source writes."""
    if not unknown:
        return []
    schema = pa.schema([("vocabulary_id", pa.string()), ("code", pa.string()), ("rows", pa.int64())])
    engine.view_of_arrow("unknown_code", pa.Table.from_pylist(unknown, schema=schema))
    plain = "upper(replace(trim({}), '.', ''))"
    rows = engine.rows(
        f"""
        SELECT u.vocabulary_id AS vocabulary, u.code, u.rows, min(n.concept_id) AS concept_id,
            min(n.concept_name) AS name
        FROM unknown_code AS u
        JOIN new_concept AS n
        ON n.vocabulary_id = u.vocabulary_id AND {plain.format("n.concept_code")} = {plain.format("u.code")}
        GROUP BY u.vocabulary_id, u.code, u.rows
        """
    )
    return [{"kind": "gained", "before": None, "after": None, "tables": [], **row} for row in rows]


def lines_of(found: dict[str, Any]) -> list[str]:
    """The comparison in a few lines: each kind, overall and in use."""
    return [
        f"{kind:<26}{found['overall'][kind]:>10} concepts"
        f"{found['in_use'][kind]['concepts']:>8} in use, {found['in_use'][kind]['rows']} rows"
        for kind in KINDS
    ]
