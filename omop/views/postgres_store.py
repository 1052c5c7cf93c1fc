"""Views of a PostgreSQL database: Arrow batches by ADBC, from one publication."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from omop.lake import CONTRACT
from omop.lake import VIEWS as SCHEMA
from omop.views.contract import views
from omop.views.request import Request
from omop.views.store import ViewStore
from passerelle.errors import ContractError, SourceUnreachable, TransientError

UNDEFINED = ("3F000", "42P01", "42501")  # no such schema, no such table, not allowed


class PostgresViewStore(ViewStore):
    """Reads the schema ``views_v1``; needs no right on anything else.

    Each read is one statement, so it sees one publication whole; it is then checked to be the one that was opened.
    (A long transaction would not do: PostgreSQL finds renamed schemas at once, and old snapshots see them empty.)
    """

    def __init__(self, dsn: str) -> None:
        self._connection = _connect(dsn)
        self._snapshot_id = self._published()

    @property
    def snapshot_id(self) -> str:
        return self._snapshot_id

    @property
    def versions(self) -> Mapping[str, str]:
        tables = self._fetch(f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{SCHEMA}'")
        return {name: CONTRACT for name in tables["table_name"].to_pylist() if name in views()}

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def _published(self) -> str:
        table = self._fetch(f"SELECT contract, snapshot_id FROM {SCHEMA}.contract")
        versions = table.to_pylist()
        if not versions or versions[0]["contract"] != CONTRACT:
            raise ContractError(
                f"the views are not of contract {CONTRACT}",
                looked=f"{SCHEMA}.contract: {versions}",
                do="passerelle views install --on URL",
            )
        return str(versions[0]["snapshot_id"])

    def _scan(self, request: Request) -> Iterator[pa.RecordBatch]:
        for batch in self._batches(request.sql(f"{SCHEMA}.{request.view.name}", "postgres")):
            if batch.num_rows:
                yield batch.cast(request.schema)
        if (now := self._published()) != self._snapshot_id:
            raise TransientError(
                "the views were published anew while they were read",
                looked=f"snapshot {self._snapshot_id} when opened, {now} now",
                do="open the store again and repeat the work",
            )

    def _fetch(self, query: str) -> pa.Table:
        batches = list(self._batches(query))
        return pa.Table.from_batches(batches) if batches else pa.table({})

    def _batches(self, query: str) -> Iterator[pa.RecordBatch]:
        import adbc_driver_manager

        with self._connection.cursor() as cursor:
            try:
                cursor.execute(query)
                yield from cursor.fetch_record_batch()
            except adbc_driver_manager.Error as error:
                if (error.sqlstate or "") in UNDEFINED:
                    raise ContractError(
                        "the database does not have the views, or does not let this user read them",
                        looked=f"schema {SCHEMA}: {str(error).splitlines()[0]}",
                        do="passerelle views install --on URL, then: GRANT views_reader TO the user",
                    ) from error
                raise


def _connect(dsn: str) -> Any:
    import adbc_driver_manager
    from adbc_driver_postgresql import dbapi

    try:
        # Autocommit: a transaction left open would hold locks that the next publication waits for.
        return dbapi.connect(dsn, autocommit=True)
    except adbc_driver_manager.Error as error:
        raise SourceUnreachable("the database of the views does not answer", do="check host, port and user") from error
