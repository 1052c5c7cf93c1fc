"""Reconcile: what the source holds against what the CDM holds, row counts first, then the controls of the source.

spark-submit passerelle/__main__.py check mimic_iv --workspace W --engine submitted
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from etl.compiler import bronze_view
from etl.reconciliation import Control, controls_query, difference, load_controls, tables_of
from omop.lake import is_delta
from omop.quality.checks import CONVENTION, FATAL, Check
from omop.quality.comparisons import BALANCE, CONTROL, TRACED, TRACED_SOURCE, WRITTEN
from omop.quality.results import Result, Tally, judged, unevaluated
from spark_jobs.bronze import open_current
from spark_jobs.check_quality import Rows
from spark_jobs.delta import rows_in, table_version
from spark_jobs.sides import MapRun

OUTCOMES = ("mapped", "routed", "merged", "excluded", "quarantined")
PROVENANCE_VIEW = "reconciled__provenance"


def reconcile(
    run: MapRun, rows: Rows, ledger: Iterable[Mapping[str, Any]], written: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Results of every reconciliation of a source.

    Args:
        rows: the CDM, as its checks read it.
        ledger: accounts of the run (source_table, outcome, rows).
        written: CDM table → rows that the run meant.
    """
    counts: dict[str, Counter[str]] = {}
    for entry in ledger:
        counts.setdefault(entry["source_table"], Counter())[entry["outcome"]] += entry["rows"]
    found = [*_balances(counts), *_written(run, written), *_traced(run, counts), *_controls(run, rows)]
    return [asdict(result) for result in found]


def _balances(counts: Mapping[str, Counter[str]]) -> Iterator[Result]:
    for table, outcomes in sorted(counts.items()):
        lost = abs(outcomes["read"] - sum(outcomes[outcome] for outcome in OUTCOMES))
        yield _judged(BALANCE, table, lost, outcomes["read"])


def _written(run: MapRun, written: Mapping[str, int]) -> Iterator[Result]:
    for table, meant in sorted(written.items()):
        there = rows_in(run.lake.omop(table), run.buckets)
        yield _judged(WRITTEN, table, abs(there - meant), max(meant, there))


def _traced(run: MapRun, counts: Mapping[str, Counter[str]]) -> Iterator[Result]:
    path = run.lake.ops("provenance")
    if not is_delta(path):
        return
    run.engine.view_of_delta(PROVENANCE_VIEW, path, table_version(path))
    traced: Counter[tuple[str, str]] = Counter()
    for row in run.engine.rows(
        f"SELECT target_table, source_table, count(*) AS n FROM {PROVENANCE_VIEW} "
        f"WHERE {run.buckets.predicate} GROUP BY target_table, source_table"
    ):
        traced["target", row["target_table"]] += row["n"]
        traced["source", row["source_table"]] += row["n"]
    for table in sorted(name for side, name in traced if side == "target"):
        rows = rows_in(run.lake.omop(table), run.buckets)
        yield _judged(TRACED, table, abs(rows - traced["target", table]), max(rows, traced["target", table]))
    for table, outcomes in sorted(counts.items()):
        mapped = outcomes["mapped"] + outcomes["routed"]  # one source row may give several
        yield _judged(TRACED_SOURCE, table, max(0, mapped - traced["source", table]), mapped)


def _controls(run: MapRun, rows: Rows) -> Iterator[Result]:
    controls = load_controls(run.compiled.folder)
    bronze = tables_of(controls, "bronze")
    lacking = bronze - set(run.compiled.source.tables) | tables_of(controls, "omop") - set(rows.tables)
    able = [
        control for control in controls if not lacking & (tables_of([control], "bronze") | tables_of([control], "omop"))
    ]
    for control in controls:
        if control not in able:
            yield unevaluated(_check(control), "a table that it reads is not there")
    for table in sorted(tables_of(able, "bronze")):
        open_current(run.engine, run.lake, run.source, table, run.bronze[table], bronze_view(table))
    answers = {}
    if able:
        query = controls_query(able, {"bronze": bronze_view, "omop": rows})
        answers = {(row["name"], row["side"]): row["value"] for row in run.engine.rows(query)}
    for control in able:
        source, cdm = answers[control.name, "source"], answers[control.name, "cdm"]
        result = judged(Tally(_check(control), *difference(source, cdm)))
        told = f"source {source}, CDM {cdm}" + (f"; {control.reason}" if control.reason else "")
        yield Result(**{**asdict(result), "reason": told})


def _check(control: Control) -> Check:
    return Check(CONTROL, control.table, control.name, control.allowed_percent, control.severity)


def _judged(name: str, table: str, violated: int, rows: int) -> Result:
    # A mapping may draw one row from several (the first of three dates of death): true, and not to be traced to one.
    severity = CONVENTION if name == TRACED else FATAL
    return judged(Tally(Check(name, table, None, 0.0, severity), violated, rows))
