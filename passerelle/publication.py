"""Send what was published to other places: a PostgreSQL warehouse, a DuckDB file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from etl.declaration import load_source, source_folder
from omop.lake import Lake
from omop.views.store import DUCKDB, POSTGRES
from passerelle import runs
from passerelle.errors import UsageError


def is_published(lake: Lake, source: str) -> bool:
    """Whether the newest run of a source (its name or its folder) is one that readers see."""
    newest = runs.load(lake, load_source(source_folder(source)).name)[-1:]
    return bool(newest) and runs.COMPLETE in newest[0].events


def send(
    lake: Lake, place: str, *, whole: bool, with_omop: bool, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Bring a place to the last complete run.

    Args:
        place: ``postgresql://…``, or a file ``….duckdb``.
        whole: a PostgreSQL is loaded anew, whatever it holds.
        with_omop: a DuckDB file holds the CDM tables too.

    Raises: UsageError: the place is neither.
    """
    if place.startswith(POSTGRES):
        from omop.publication import publish

        progress("publishing to PostgreSQL")
        return {"to": "postgresql", **publish(place, lake, whole=whole)}
    if place.endswith(DUCKDB):
        from omop.publication.duckdb_file import publish_to_file

        progress(f"writing {place}")
        return {"to": "duckdb", **publish_to_file(Path(place), lake, with_omop=with_omop)}
    raise UsageError("there is no way to publish there", looked=place, do="give postgresql://… or a file ….duckdb")
