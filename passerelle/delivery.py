"""Deliver the outbox of a workspace: the one step that may open the crosswalk."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etl.crosswalk import Crosswalk
from etl.declaration import load_source, source_folder
from etl.identity import secrets_from
from passerelle.errors import PasserelleError, UsageError
from passerelle.reidentifier import CrosswalkReidentifier
from passerelle.settings import Settings
from passerelle.workspace import Workspace

if TYPE_CHECKING:
    from fhir_adapters.delivery.declaration import Declaration, TargetDeclaration
    from fhir_adapters.outbox import Outbox

Progress = Callable[[str], None]
AT_ONCE = 4  # targets
TOTALS = ("acked", "already_there", "retried", "unknown", "dead", "cancelled", "expired", "superseded", "recovered",
          "remaining", "requests")  # fmt: skip


@contextmanager
def outbox_of(settings: Settings) -> Iterator["Outbox"]:
    """The outbox of the settings, closed afterwards."""
    from fhir_adapters.outbox import open_outbox

    outbox = open_outbox(settings.outbox_url or Workspace(settings.workspace).outbox_url)
    try:
        yield outbox
    finally:
        outbox.close()


def declaration_of(settings: Settings) -> "Declaration":
    """The hospital's names and its servers: as its file says; a single URL is the target ``default``."""
    from fhir_adapters.delivery.declaration import Declaration, TargetDeclaration
    from fhir_adapters.outbox import DEFAULT_TARGET

    if settings.fhir_file is not None:
        return Declaration.read(settings.fhir_file)
    single = {} if settings.fhir_url is None else {DEFAULT_TARGET: TargetDeclaration(url=settings.fhir_url)}
    return Declaration(targets=single)


def targets_of(declared: "Declaration", only: str | None) -> dict[str, "TargetDeclaration"]:
    """The servers to work with: all, or the one that is named.

    Raises: UsageError: there is none, or none of that name.
    """
    chosen = {name: target for name, target in declared.targets.items() if only in (None, name)}
    if not chosen:
        raise UsageError(
            "no FHIR server is set" if only is None else f"no FHIR server is called {only}",
            looked="--url, PASSERELLE_FHIR_URL, fhir_file, passerelle.yaml",
            do="give --url, or declare it in the fhir_file: docs/howto/deliver_results.md",
        )
    return chosen


def reidentifier_of(settings: Settings, why: str) -> CrosswalkReidentifier:
    """The way back to the patients of every source of the workspace."""
    workspace = Workspace(settings.workspace)
    secrets, _ = secrets_from(settings)
    sources = tuple(workspace.manifest()["sources"])
    return CrosswalkReidentifier(
        Crosswalk(workspace.lake.identity, secrets.crosswalk, secrets.retired),
        sources,
        why,
        {source: _key_of(source, "person") for source in sources},
        {source: _key_of(source, "stay") for source in sources},
    )


def _key_of(source: str, kind: str) -> str:
    """The column that the hospital calls a person or a stay by: the identity in the key of its own table."""
    tables = load_source(source_folder(source)).tables.values()
    return next(
        (table.key[0] for table in tables if len(table.key) == 1 and table.identity_columns.get(table.key[0]) == kind),
        "",
    )


def deliver_outbox(
    settings: Settings, progress: Progress, as_of: datetime | None = None, only: str | None = None
) -> dict[str, Any]:
    """Send what waits, to every target at once; returns the report, which is kept beside the workspace's HTML report.

    A target that fails does not hold the others.

    Args:
        as_of: the instant at which a prediction must still hold to be sent; None: now. Old data needs its own.
        only: name of the one target.
    """
    chosen = targets_of(declaration_of(settings), only)

    def work(name: str) -> dict[str, Any]:
        return _deliver_to(settings, name, chosen[name], progress, as_of)

    with ThreadPoolExecutor(min(AT_ONCE, len(chosen))) as pool:
        reports = dict(zip(chosen, pool.map(work, chosen), strict=True))
    failed = [report.pop("error") for report in reports.values() if "error" in report]
    if failed and len(reports) == 1:
        raise failed[0]
    report = _together(reports)
    path = Workspace(settings.workspace).report.parent / "delivery.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1, default=str))
    return report


def _deliver_to(
    settings: Settings, name: str, declared: "TargetDeclaration", progress: Progress, as_of: datetime | None
) -> dict[str, Any]:
    """The report of one target; its error where it cannot be worked with."""
    from fhir_adapters.delivery import deliver

    try:
        with outbox_of(settings) as outbox:
            outbox.offer(name, declared.models)
            return deliver(
                outbox, declared.url, reidentifier_of(settings, f"deliver to {declared.url}"), target=name,
                on_progress=lambda done, total: progress(f"{name}: delivering {done} of {total}"), as_of=as_of,
                options=declared.options, auth=declared.auth, tls=declared.context,
            ).as_json()  # fmt: skip
    except PasserelleError as error:
        return {"target": name, "ok": False, "stopped": str(error), "error": error}


def _together(reports: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """One report: that of the only target, else the sums and the report of each."""
    if len(reports) == 1:
        return next(iter(reports.values()))
    told = [f"{name}: {report['stopped']}" for name, report in reports.items() if report["stopped"]]
    return {
        "target": ", ".join(reports), "software": "", "mode": "", "targets": reports,
        **{name: sum(report.get(name, 0) for report in reports.values()) for name in TOTALS},
        "seconds": max(report.get("seconds", 0.0) for report in reports.values()),
        "stopped": "; ".join(told) or None,
        "ok": all(report["ok"] for report in reports.values()),
    }  # fmt: skip


def look_at_targets(
    settings: Settings, only: str | None, look: Callable[["Outbox", Any, str, "TargetDeclaration"], Any]
) -> dict[str, Any]:
    """What ``look(outbox, client, name, declaration)`` says of each target, by name."""
    found: dict[str, Any] = {}
    with outbox_of(settings) as outbox:
        for name, declared in targets_of(declaration_of(settings), only).items():
            with declared.open() as server:
                found[name] = look(outbox, server, name, declared)
    return found


def write_resources(settings: Settings, folder: Path) -> int:
    """What waits in the outbox, one JSON file an item; where the patient will stand there is a placeholder."""
    from fhir_adapters.exact_json import indented

    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    with outbox_of(settings) as outbox:
        for item, resources in outbox.resources():
            (folder / f"{item}.json").write_text(indented(resources), "utf-8")
            written += 1
    return written
