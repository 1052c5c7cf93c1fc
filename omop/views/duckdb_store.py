"""Views of a DuckDB file: what a researcher takes away."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from omop.lake import CONTRACT
from omop.lake import VIEWS as SCHEMA
from omop.views.contract import views
from omop.views.duckdb_open import CATALOG, open_file
from omop.views.request import Request
from omop.views.store import ViewStore
from passerelle.errors import ContractError

BATCH = 65_536


class DuckDBViewStore(ViewStore):
    """Reads the schema ``views_v1`` of a file; a publication that replaces the file changes nothing here."""

    def __init__(self, file: Path) -> None:
        import duckdb

        if not file.is_file():
            raise ContractError(
                "there is no such DuckDB file", looked=str(file), do=f"passerelle publish SOURCE --to {file}"
            )
        try:
            self._connection = open_file(file, read_only=True)
            rows = self._connection.sql(f"SELECT contract, snapshot_id FROM {SCHEMA}.contract").fetchall()
        except duckdb.Error as error:
            raise ContractError(
                "the file does not have the views",
                looked=f"{file}: {str(error).splitlines()[0]}",
                do=f"passerelle views install --on {file}",
            ) from error
        if not rows or rows[0][0] != CONTRACT:
            raise ContractError(
                f"the views are not of contract {CONTRACT}",
                looked=f"{file}: {rows}",
                do=f"passerelle views install --on {file}",
            )
        self._snapshot_id = str(rows[0][1])

    @property
    def snapshot_id(self) -> str:
        return self._snapshot_id

    @property
    def versions(self) -> Mapping[str, str]:
        query = f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{SCHEMA}'"
        return {name: CONTRACT for (name,) in self._connection.sql(query).fetchall() if name in views()}

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()

    def _scan(self, request: Request) -> Iterator[pa.RecordBatch]:
        if request.view.name not in self.versions:
            raise ContractError(f"the file has no view {request.view.name}", looked=", ".join(self.versions))
        # A cursor is a connection of its own: two reads may go on at once.
        query = request.sql(f"{CATALOG}.{SCHEMA}.{request.view.name}", "duckdb")
        cursor = self._connection.cursor()
        cursor.execute("SET TimeZone = 'UTC'")
        for batch in cursor.sql(query).to_arrow_reader(BATCH):
            if batch.num_rows:
                yield batch.cast(request.schema)
