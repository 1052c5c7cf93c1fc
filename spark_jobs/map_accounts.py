"""Account for every row that a run maps: one outcome a source row, the rows set aside, the codes without a concept."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from etl.cdm_rows import OUTCOME, RULE
from etl.compiler import ROW, SOURCE_TABLE
from etl.ownership import ownership
from etl.resolution import GENERALISED, RESERVATIONS, gaps_query
from etl.sql_text import literal
from passerelle.errors import UnbalancedRun
from spark_jobs.bronze import LINE
from spark_jobs.ops import QUARANTINE_SAMPLE
from spark_jobs.sides import MapRun, Side

# When several mappings read one source row, the best outcome counts.
PRIORITY = ("mapped", "routed", "merged", "excluded", "quarantined")
REFERENCE = "reference_table"


@dataclass
class Accounts:
    """What became of the rows of one side."""

    ledger: list[dict[str, Any]] = field(default_factory=list)  # source_table, outcome, rule, rows
    quarantine: list[dict[str, Any]] = field(default_factory=list)
    gaps: list[dict[str, Any]] = field(default_factory=list)
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)  # vocabulary → how often its codes occur


def account(run: MapRun, side: Side) -> Accounts:
    """One outcome for each bronze row; refuses a run in which a row has none."""
    owned = ownership(run.source)
    # In an increment what belongs to everybody has not changed.
    tables = [n for n, t in run.source.tables.items() if t.role != "reference" and (run.base is None or n in owned)]
    references = [name for name, table in run.source.tables.items() if table.role == "reference"]
    accounts = Accounts(ledger=[*_reference_tables(run, side, references), *_account_tables(run, side, tables)])
    accounts.quarantine = list(_quarantined(run, side, tables))
    gaps = run.engine.rows(gaps_query(side.codes, "resolved"))
    accounts.gaps = sorted(gaps, key=lambda g: (-g["rows"], g["mapping"], g["vocabulary"] or "", g["code"]))
    accounts.codes = _code_counts(run, side, accounts.gaps)
    return accounts


def _reference_tables(run: MapRun, side: Side, names: list[str]) -> Iterator[dict[str, Any]]:
    counts = [f"SELECT {literal(name)} AS source_table, count(*) AS n FROM {side.rows[name]}" for name in names]
    for row in run.engine.rows(" UNION ALL ".join(counts)) if counts else ():
        yield {"source_table": row["source_table"], "outcome": "excluded", "rule": REFERENCE, "rows": row["n"]}


def _account_tables(run: MapRun, side: Side, names: list[str]) -> Iterator[dict[str, Any]]:
    counted = run.rows_of(_outcomes_query(run, side, name) for name in names)
    for row in sorted(counted, key=lambda r: (names.index(r["source_table"]), r["best"] or "")):
        name = row["source_table"]
        if row["best"] is None:
            parts = ", ".join(m.name for m in run.compiled.mappings if name in m.drives)
            raise UnbalancedRun(
                f"{row['n']} row(s) of {name} are neither mapped nor accounted for",
                looked=f"the mappings that read it row by row: {parts}",
                do="a WHERE or an INNER JOIN hides them: give _exclude, _merge or _quarantine instead",
            )
        rank, _, rule = row["best"].partition(":")
        yield {"source_table": name, "outcome": PRIORITY[int(rank)], "rule": rule or None, "rows": row["n"]}


def _outcomes_query(run: MapRun, side: Side, name: str) -> str:
    """Rows of a table by their best outcome: ``source_table, best, n``; ``best`` is null for a row that has none."""
    rank = " ".join(f"WHEN {literal(outcome)} THEN {i}" for i, outcome in enumerate(PRIORITY))
    branches = " UNION ALL ".join(
        f"SELECT {ROW}, CASE {OUTCOME} {rank} END AS rank, {RULE} AS rule FROM {side.cdm[m.name]} "
        f"WHERE {SOURCE_TABLE} = {literal(name)}"
        for m in run.compiled.mappings
        if name in m.drives and m.name in side.cdm
    )
    best = f"""
        SELECT {ROW}, min(concat(CAST(rank AS string), ':', coalesce(rule, ''))) AS best
        FROM ({branches}) AS o GROUP BY {ROW}
    """
    return f"""
        SELECT {literal(name)} AS source_table, x.best, count(*) AS n FROM {side.rows[name]} AS b
        LEFT JOIN ({best}) AS x ON x.{ROW} = b.{ROW} GROUP BY x.best
        """


def _quarantined(run: MapRun, side: Side, names: list[str]) -> Iterator[dict[str, Any]]:
    """Examples of the rows that a mapping sets aside, by table; most set none aside, which one count tells."""
    counts = [
        f"SELECT {literal(name)} AS mapping, {SOURCE_TABLE} AS source_table FROM {view} WHERE {OUTCOME} = 'quarantined'"
        for name, view in side.cdm.items()
    ]
    found = run.engine.rows(f"SELECT DISTINCT mapping, source_table FROM ({' UNION ALL '.join(counts)}) AS q")
    having = {(row["source_table"], row["mapping"]) for row in found}
    for name, mapping in ((n, m.name) for n in names for m in run.compiled.mappings if (n, m.name) in having):
        rows = run.engine.rows(
            f"SELECT q.{ROW} AS key_hash, b.{LINE} AS line, q.{RULE} AS reason FROM {side.cdm[mapping]} AS q "
            f"JOIN {side.rows[name]} AS b ON b.{ROW} = q.{ROW} "
            f"WHERE q.{OUTCOME} = 'quarantined' AND q.{SOURCE_TABLE} = {literal(name)} "
            f"ORDER BY b.{LINE}, q.{ROW} LIMIT {QUARANTINE_SAMPLE}"
        )
        for row in rows:
            yield {"source_table": name, "step": mapping, "whole_row": True, **row}


def _code_counts(run: MapRun, side: Side, gaps: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of each vocabulary: rows, rows that only the parent code maps, rows without a concept."""
    counted = run.engine.rows(f"SELECT vocabulary, sum(n) AS n FROM {side.codes} WHERE pos = 1 GROUP BY vocabulary")
    declared = run.source.vocabularies

    def facts(row: dict[str, Any]) -> dict[str, Any]:
        name, here = row["vocabulary"], [gap for gap in gaps if gap["vocabulary"] == row["vocabulary"]]
        return {
            "vocabulary_id": (declared[name].vocabulary_id if name in declared else None) or name,
            "rows": row["n"],
            "generalised": sum(gap["rows"] for gap in here if gap["reason"] == GENERALISED),
            "without_concept": sum(gap["rows"] for gap in here if gap["reason"] not in RESERVATIONS),
        }

    return {row["vocabulary"] or "(none)": facts(row) for row in counted}
