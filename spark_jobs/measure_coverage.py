"""Measure coverage: stays that have a row in each table and each item of the socle commun, by month and care site.

spark-submit passerelle/__main__.py check mimic_iv --workspace W --engine submitted
"""

from collections.abc import Mapping
from typing import Any

from omop.quality.coverage import codes_query, coverage_query
from omop.quality.socle import Code
from spark_jobs.check_quality import Rows
from spark_jobs.engine import Engine


def measure_coverage(engine: Engine, rows: Rows, codes: Mapping[Code, str]) -> list[dict[str, Any]]:
    """Stays by key, month and care site (see `coverage_query`).

    Args:
        codes: (vocabulary, code) → item.
    """
    found = engine.rows(codes_query(codes, rows)) if "concept" in rows.tables else []
    concepts = {row["concept_id"]: codes[row["vocabulary_id"], row["concept_code"]] for row in found}
    query = coverage_query(rows.tables, rows, concepts)
    return engine.rows(query) if query else []
