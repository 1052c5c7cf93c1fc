"""Collect the facts of a workspace. Opens no engine: reads what the runs wrote down, and the Delta tables."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from passerelle.report.collect_delivery import collect_delivery
from passerelle.report.collect_models import collect_models
from passerelle.report.collect_source import collect_source
from passerelle.report.delta_tables import snapshot_or_none
from passerelle.report.facts import DemoStep, ReportFacts
from passerelle.report.json_file import read_json
from passerelle.workspace import Workspace
from spark_jobs import ops

NOT_SOURCES = {"vocabulary"}  # recorded as a run of its own


def collect(workspace: Workspace, outbox_url: str | None = None) -> ReportFacts:
    """Every fact of the report; a part that is absent is empty, never an error."""
    manifest: dict[str, Any] = workspace.manifest() if workspace.exists else {"sources": {}, "buckets": 1}
    folder = workspace.report.parent
    demo = _demo(folder / "demo.json")
    lake = workspace.lake
    snapshot = snapshot_or_none(lake)
    recorded = sorted(ops.read(lake, "run"), key=lambda row: row["at"])
    versions = snapshot.versions if snapshot else {}
    names = dict.fromkeys(list(manifest["sources"]) + [row["source"] for row in recorded])
    sources = [
        collect_source(lake, name, recorded, _buckets(manifest, name), versions)
        for name in names
        if name not in NOT_SOURCES
    ]
    return ReportFacts(
        workspace=str(workspace.root),
        created_at=datetime.now(UTC),
        snapshot_id=snapshot.run_id if snapshot else None,
        sources=sources,
        models=collect_models(folder / "models"),
        delivery=collect_delivery(workspace, outbox_url, folder / "delivery.json"),
        demo=demo,
    )


def _buckets(manifest: dict[str, Any], source: str) -> tuple[int, int] | None:
    """The first bucket of a source and the one after its last; None when it was not admitted."""
    if source not in manifest["sources"]:
        return None
    first = manifest["sources"][source] * manifest["buckets"]
    return first, first + manifest["buckets"]


def _demo(path: Path) -> list[DemoStep]:
    content = read_json(path)
    steps = content.get("steps") if isinstance(content, dict) else content
    if not isinstance(steps, list):
        return []
    return [
        DemoStep(str(step.get("step", "")), float(step.get("seconds") or 0), str(step.get("note") or ""))
        for step in steps
        if isinstance(step, dict)
    ]
