"""Views of a PostgreSQL database: Arrow batches by ADBC, from one publication."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from omop.lake import CONTRACT
from omop.views.store import Request, ViewStore
from passerelle.errors import ContractError, SourceUnreachable, TransientError

SCHEMA = f"views_{CONTRACT}"
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
        for batch in self._batches(_select(request)):
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


def _select(request: Request) -> str:
    cells = ", ".join(f"{_cell(request, name)} AS {_quote(name)}" for name in request.columns)
    conditions = []
    if request.as_of is not None and request.view.available_at is not None:
        conditions.append(_by(request, request.view.available_at))
    if (superseded_at := request.view.superseded_at) is not None:
        later = f" OR NOT {_by(request, superseded_at)}" if request.as_of is not None else ""
        conditions.append(f"({_quote(superseded_at)} IS NULL{later})")
    if request.person_ids is not None:
        ids = ",".join(str(person) for person in request.person_ids)
        conditions.append(f"person_id = ANY('{{{ids}}}'::bigint[])")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {cells} FROM {SCHEMA}.{_quote(request.view.name)}{where}"


def _cell(request: Request, name: str) -> str:
    known_at = request.known_at(name)
    return _quote(name) if known_at is None else f"CASE WHEN {_by(request, known_at)} THEN {_quote(name)} END"


def _by(request: Request, column: str) -> str:
    assert request.as_of is not None
    return f"{_quote(column)} <= TIMESTAMPTZ '{request.as_of.isoformat()}'"


def _quote(name: str) -> str:
    return f'"{name}"'
