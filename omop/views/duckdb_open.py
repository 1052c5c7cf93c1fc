"""Open a DuckDB file under a name of ours: a file called ``views_v1`` would make the schema of that name ambiguous."""

from pathlib import Path
from typing import Any

CATALOG = "place"


def open_file(file: Path, *, read_only: bool) -> Any:
    """A connection whose current catalog is the file; times are in UTC.

    Raises: duckdb.Error: it is no DuckDB file, or another process writes it.
    """
    import duckdb

    connection = duckdb.connect()
    try:
        path = str(file).replace("'", "''")
        connection.execute(f"ATTACH '{path}' AS {CATALOG}{' (READ_ONLY)' if read_only else ''}")
        connection.execute(f"USE {CATALOG}")
        connection.execute("SET TimeZone = 'UTC'")
    except duckdb.Error:
        connection.close()
        raise
    return connection
