"""Install, check and compare the views: in a workspace, a database, a file, a folder of OMOP tables."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from omop.publication.views import Origin, install_views
from omop.views.store import DUCKDB, POSTGRES
from passerelle.errors import ContractError, SourceUnreachable, UsageError


def install(place: str, schema: str | None = None, out: Path | None = None) -> dict[str, int]:
    """Install the views; returns view → rows.

    Args:
        place: PostgreSQL URL, ``….duckdb`` file, or a folder with one Parquet or CSV file a CDM table.
        schema: PostgreSQL: where the CDM tables are; None: the schema that holds ``person``.
        out: folder: the DuckDB file to write; None: ``views_v1.duckdb`` in it.

    Raises: UsageError: a workspace, whose runs write the views themselves.
    """
    if place.startswith(POSTGRES):
        return _in_postgres(place, schema)
    if place.endswith(DUCKDB):
        from omop.publication.duckdb_file import install_in_file

        return install_in_file(Path(place))
    folder = Path(place)
    if (folder / "lake").is_dir():
        raise UsageError(
            "the runs of a workspace write its views", looked=place, do=f"passerelle views check --on {place}"
        )
    from omop.publication.duckdb_file import install_over_folder

    return install_over_folder(folder, out)


def _in_postgres(url: str, schema: str | None) -> dict[str, int]:
    import psycopg

    now = datetime.now(UTC)
    try:
        connection = psycopg.connect(url)
    except psycopg.OperationalError as error:
        raise SourceUnreachable("the database does not answer", do="check host, port and user") from error
    with connection:  # one transaction: the views change all at once
        return install_views(
            connection, schema or _schema_of_person(connection), Origin(f"installed {now:%Y-%m-%dT%H:%M:%SZ}", now)
        )


def _schema_of_person(connection: Any) -> str:
    rows = connection.execute(
        "SELECT table_schema FROM information_schema.tables WHERE table_name = 'person' ORDER BY table_schema"
    ).fetchall()
    if len(rows) != 1:
        found = ", ".join(schema for (schema,) in rows) or "none"
        raise ContractError(
            "it cannot be told where the CDM tables are",
            looked=f"schemas with a table person: {found}",
            do="give --schema",
        )
    return str(rows[0][0])


def check(place: str) -> list[dict[str, Any]]:
    """One entry a view: rows, status, findings."""
    from omop.views.check import check_views
    from omop.views.places import open_place

    with open_place(place) as opened:
        return [found.as_json() for found in check_views(opened)]


def compare(a: str, b: str) -> list[dict[str, Any]]:
    """One entry a view: rows on either side, and rows that only one side has."""
    from omop.views.compare import compare_views
    from omop.views.store import ViewStore

    return [found.as_json() for found in compare_views(ViewStore.open(a), ViewStore.open(b))]
