"""Deliver the outbox of a workspace: the one step that may open the crosswalk."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etl.crosswalk import Crosswalk
from etl.declaration import load_source, source_folder
from etl.identity import secrets_from
from passerelle.errors import UsageError
from passerelle.reidentifier import CrosswalkReidentifier
from passerelle.settings import Settings
from passerelle.workspace import Workspace

if TYPE_CHECKING:
    from fhir_adapters.outbox import Outbox


@contextmanager
def outbox_of(settings: Settings) -> Iterator["Outbox"]:
    """The outbox of the settings, closed afterwards."""
    from fhir_adapters.outbox import open_outbox

    outbox = open_outbox(settings.outbox_url or Workspace(settings.workspace).outbox_url)
    try:
        yield outbox
    finally:
        outbox.close()


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
    settings: Settings, progress: Callable[[str], None], as_of: datetime | None = None
) -> dict[str, Any]:
    """Send what waits; returns the report, which is kept beside the workspace's HTML report.

    Args:
        as_of: the instant at which a prediction must still hold to be sent; None: now. Old data needs its own.
    """
    from fhir_adapters.delivery import deliver

    if settings.fhir_url is None:
        raise UsageError("no FHIR server is set", looked="--url, PASSERELLE_FHIR_URL, passerelle.yaml", do="give --url")
    with outbox_of(settings) as outbox:
        report = deliver(
            outbox,
            settings.fhir_url,
            reidentifier_of(settings, f"deliver to {settings.fhir_url}"),
            on_progress=lambda done, total: progress(f"delivering {done} of {total}"),
            as_of=as_of,
        ).as_json()
    path = Workspace(settings.workspace).report.parent / "delivery.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1, default=str))
    return report


def write_resources(settings: Settings, folder: Path) -> int:
    """What waits in the outbox, one JSON file an item; where the patient will stand there is a placeholder."""
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    with outbox_of(settings) as outbox:
        for item, resources in outbox.resources():
            (folder / f"{item}.json").write_text(json.dumps(resources, indent=1, ensure_ascii=False, default=str))
            written += 1
    return written
