"""The ledger of the last run of each source: what came in, and what became of every row."""

from typing import Any

from omop.lake import Lake
from passerelle import runs
from spark_jobs import ops

OUTCOMES = ("mapped", "routed", "merged", "excluded", "quarantined")


def last_mapped_runs(lake: Lake, source: str | None = None) -> list[runs.Run]:
    """The newest run of each source that has accounts."""
    newest: dict[str, runs.Run] = {}
    for run in runs.load(lake, source):
        if "mapped" in run.events:
            newest[run.source] = run
    return list(newest.values())


def ledger(lake: Lake, source: str | None = None) -> list[dict[str, Any]]:
    """One object a source table: read, the five outcomes, and the rules' names with counts."""
    tables: dict[tuple[str, str], dict[str, Any]] = {}
    for run in last_mapped_runs(lake, source):
        for row in ops.read(lake, "ledger", run.run_id):
            entry = tables.setdefault((run.source, row["source_table"]), _empty(run, row["source_table"]))
            entry[row["outcome"]] += row["rows"]
            if row["rule"] is not None:
                rules = entry["rules"].setdefault(row["outcome"], {})
                rules[row["rule"]] = rules.get(row["rule"], 0) + row["rows"]
    return [tables[key] for key in sorted(tables)]


def _empty(run: runs.Run, table: str) -> dict[str, Any]:
    return {
        "source": run.source,
        "source_table": table,
        "read": 0,
        **dict.fromkeys(OUTCOMES, 0),
        "rules": {},
        "run_id": run.run_id,
    }
