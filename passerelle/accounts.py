"""The accounts of a run: what the landing read, what the mapping did with every row. A step done again counts once."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from etl.sql_text import literal
from omop.lake import Lake
from passerelle.runs import Run
from spark_jobs import ops
from spark_jobs.map_accounts import Accounts
from spark_jobs.ops import Quarantined

OF_MAPPING = ("ledger", "quarantine", "mapping_gap")
DUPLICATE, UNREADABLE = ("merged", "duplicate_row"), ("quarantined", "unreadable")  # outcomes at the door
# What makes an entry itself.
LEDGER = ("source_table", "outcome", "rule")
GAP = ("mapping", "field", "vocabulary", "code", "reason")
ENTRY = ("source_table", "step", "key_hash", "reason")


def record_landing(run: Run, set_aside: Sequence[Quarantined]) -> None:
    """Note the rows and values that did not pass the door."""
    rows = [{**_common(run), **asdict(entry), "step": "extract"} for entry in set_aside]
    ops.replace(run.lake, "quarantine", rows, f"{_of(run)} AND step = 'extract'")


def record_mapping(run: Run, extracted: dict[str, Any], accounts: Accounts) -> None:
    """Note what became of every row of the source.

    Args:
        extracted: table → what the landing counted.
    """
    rows = [entry for entry in accounts.ledger if entry["rows"]]
    for name, facts in extracted.items():
        landed: list[tuple[str, str | None, int]] = [
            ("read", None, facts["read"]),
            (*DUPLICATE, facts["merged"]),
            (*UNREADABLE, facts["quarantined"]),
            *(("excluded", rule, n) for rule, n in facts.get("excluded", {}).items()),
        ]
        rows += [
            {"source_table": name, "outcome": result, "rule": rule, "rows": n}
            for result, rule, n in landed
            if n or result == "read"
        ]
    _replace(run, {"ledger": rows, "quarantine": accounts.quarantine, "mapping_gap": accounts.gaps})


def brought_forward(lake: Lake, earlier: Run, tables: Iterable[str], now: Accounts, then: Accounts) -> Accounts:
    """Accounts after an increment: those of an earlier run, less what the touched rows were, and what they are.

    Args:
        tables: tables of the source that land in bronze; the door counts the others anew.
        now: of the touched rows, as they are.
        then: of the same rows, as they were.
    """
    kept = {name: ops.read(lake, name, earlier.run_id) for name in OF_MAPPING}
    mapped = [r for r in kept["ledger"] if r["source_table"] in set(tables) and not _of_the_door(r)]
    gone = {tuple(row[k] for k in ENTRY) for row in then.quarantine}
    stays = [r for r in kept["quarantine"] if r["step"] != "extract" and tuple(r[k] for k in ENTRY) not in gone]
    return Accounts(
        ledger=_summed(LEDGER, mapped, then.ledger, now.ledger),
        quarantine=stays + now.quarantine,
        gaps=_summed(GAP, kept["mapping_gap"], then.gaps, now.gaps),
        codes=_codes(earlier.events["mapped"]["codes"], then.codes, now.codes),
    )


def _of_the_door(row: dict[str, Any]) -> bool:
    return row["outcome"] == "read" or (row["outcome"], row["rule"]) in (DUPLICATE, UNREADABLE)


def _summed(
    key: tuple[str, ...], kept: list[dict[str, Any]], less: list[dict[str, Any]], more: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for sign, rows in ((1, kept), (-1, less), (1, more)):
        for row in rows:
            entry = found.setdefault(tuple(row[k] for k in key), {**row, "rows": 0})
            entry["rows"] += sign * row["rows"]
    return [entry for entry in found.values() if entry["rows"]]


def _codes(kept: dict[str, Any], less: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for sign, codes in ((1, kept), (-1, less), (1, more)):
        for name, facts in codes.items():
            entry = found.setdefault(name, {k: 0 if isinstance(v, int) else v for k, v in facts.items()})
            for k, v in facts.items():
                entry[k] = entry[k] + sign * v if isinstance(v, int) else v
    return {name: facts for name, facts in found.items() if facts["rows"]}


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
