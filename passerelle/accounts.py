"""The accounts of a run: what the landing read, what the mapping did with every row. A step done again counts once."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from etl.sql_text import literal
from passerelle.runs import Run
from spark_jobs import ops
from spark_jobs.map_tables import MapOutcome
from spark_jobs.ops import Quarantined

OF_MAPPING = ("ledger", "quarantine", "mapping_gap")


def record_landing(run: Run, set_aside: Sequence[Quarantined]) -> None:
    """Note the rows and values that did not pass the door."""
    rows = [{**_common(run), **asdict(entry), "step": "extract"} for entry in set_aside]
    ops.replace(run.lake, "quarantine", rows, f"{_of(run)} AND step = 'extract'")


def record_mapping(run: Run, extracted: dict[str, Any], outcome: MapOutcome) -> None:
    """Note what became of every row of the source.

    Args:
        extracted: table → what the landing counted.
    """
    rows = [entry for entry in outcome.ledger if entry["rows"]]
    for name, facts in extracted.items():
        landed: list[tuple[str, str | None, int]] = [
            ("read", None, facts["read"]),
            ("merged", "duplicate_row", facts["merged"]),
            ("quarantined", "unreadable", facts["quarantined"]),
            *(("excluded", rule, n) for rule, n in facts.get("excluded", {}).items()),
        ]
        rows += [
            {"source_table": name, "outcome": result, "rule": rule, "rows": n}
            for result, rule, n in landed
            if n or result == "read"
        ]
    _replace(run, {"ledger": rows, "quarantine": outcome.quarantine, "mapping_gap": outcome.gaps})


def carry_forward(run: Run, earlier: str) -> None:
    """Nothing changed: the accounts of an earlier run are those of this one."""
    accounts = {table: ops.read(run.lake, table, earlier) for table in OF_MAPPING}
    # The landing has written its own entries for this run.
    _replace(run, {table: [r for r in rows if r.get("step") != "extract"] for table, rows in accounts.items()})


def record_quality(run: Run, results: list[dict[str, Any]]) -> None:
    """Note the result of every quality check."""
    ops.replace(run.lake, "quality", [{**result, **_common(run)} for result in results], _of(run))


def record_findings(run: Run, table: str, rows: list[dict[str, Any]]) -> None:
    """Note what else was found out about a source; only that of its newest run is kept."""
    ops.replace(run.lake, table, [{**row, **_common(run)} for row in rows], f"source = {literal(run.source)}")


def _replace(run: Run, accounts: dict[str, list[dict[str, Any]]]) -> None:
    for table, rows in accounts.items():
        where = _of(run) + (" AND step <> 'extract'" if table == "quarantine" else "")
        ops.replace(run.lake, table, [{**row, **_common(run)} for row in rows], where)


def _common(run: Run) -> dict[str, str]:
    return {"run_id": run.run_id, "source": run.source}


def _of(run: Run) -> str:
    return f"run_id = {literal(run.run_id)}"
