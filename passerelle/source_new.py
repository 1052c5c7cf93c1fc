"""``source new``: scan a source and write its first folder."""

import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from etl.scaffold.decisions import open_decisions
from etl.scaffold.scan import Scan
from etl.scaffold.scan_database import scan_database
from etl.scaffold.scan_files import scan_folder
from etl.scaffold.write import write_fhir_source, write_source
from passerelle.errors import UsageError

NAME = re.compile(r"[a-z][a-z0-9_]*")


def new_source(
    name: str, origin: str, folder: Path, schema: str | None, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Scan and write.

    Args:
        origin: a folder, or a PostgreSQL URL.

    Raises: UsageError: the name cannot be one, the folder is taken or missing.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name} cannot name a source", looked="a letter a-z, then letters, digits and _", do="choose another name"
        )
    scan = _scan(origin, schema, progress)
    if scan.tables:
        written = write_source(name, scan, folder)
    else:
        progress("looking at FHIR resources")
        written = write_fhir_source(name, Path(origin), folder)
    path = folder.as_posix()
    return {
        "source": path if "/" in path else f"./{path}",
        "folder": path,
        "tables": written.tables,
        "mapped": written.mapped,
        "unread": written.unread,
        "decisions": [asdict(decision) for decision in open_decisions(folder)],
    }


def _scan(origin: str, schema: str | None, progress: Callable[[str], None]) -> Scan:
    if "://" in origin:
        return scan_database(origin, schema, progress)
    if not Path(origin).is_dir():
        raise UsageError(
            "there is no such folder to look at", looked=origin, do="give --from DIR or --from postgresql://…"
        )
    return scan_folder(Path(origin), progress)
