"""The only way of a model to data: the views of one snapshot, as Arrow, from a lake, a database, a file or Spark."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from omop.lake import CONTRACT
from omop.views.request import Request, request

POSTGRES = ("postgresql://", "postgres://")
CONNECT = "sc://"
DUCKDB = ".duckdb"
Filters = Sequence[tuple[str, str, Any]]


class ViewStore(ABC):
    """Views of one snapshot. The same request gives equal tables from every store."""

    @staticmethod
    def open(location: Path | str) -> "ViewStore":
        """Open the store at a location.

        Args:
            location: a workspace; the URL of a PostgreSQL database that has the views (``postgresql://…``); a DuckDB
                file (``….duckdb``); or a Spark Connect server with the workspace as the server sees it
                (``sc://host:15002/;workspace=/data/W``).

        Raises:
            ContractError: there are no views, or those of another contract.
            SourceUnreachable: the database does not answer.
        """
        if str(location).startswith(POSTGRES):
            from omop.views.postgres_store import PostgresViewStore

            return PostgresViewStore(str(location))
        if str(location).startswith(CONNECT):
            from omop.views.spark_store import SparkViewStore

            return SparkViewStore(str(location))
        if str(location).endswith(DUCKDB):
            from omop.views.duckdb_store import DuckDBViewStore

            return DuckDBViewStore(Path(location))
        from omop.views.delta_store import DeltaViewStore

        return DeltaViewStore(Path(location))

    @property
    def contract(self) -> str:
        """Version of the contract of the views, e.g. ``v1``."""
        return CONTRACT

    @property
    @abstractmethod
    def versions(self) -> Mapping[str, str]:
        """The views that are there, and the version of each."""

    @property
    @abstractmethod
    def snapshot_id(self) -> str:
        """Which complete state is read: the id of its run."""

    def read(
        self,
        view: str,
        columns: Sequence[str] | None = None,
        as_of: datetime | None = None,
        person_ids: Sequence[int] | None = None,
        where: Filters = (),
    ) -> pa.Table:
        """Rows of a view, in the order of its key; the metadata of the schema name contract and snapshot.

        Args:
            view: name of the view.
            columns: names, in the order wanted; None: all, in contract order.
            as_of: an instant with its zone. Only rows available by then; later-known values are null.
            person_ids: only these persons; None: all.
            where: conditions that all hold: (column, operator, value), with = != < <= > >= in.

        Raises:
            ContractError: the view, a column or an operator does not exist, ``as_of`` has no zone, or the view is
                not of persons.
            TransientError: the views were published anew during the read.
        """
        asked = request(view, columns, as_of, where, person_ids)
        return self._in_order(asked).replace_schema_metadata(self._origin)

    def batches(
        self,
        view: str,
        columns: Sequence[str] | None = None,
        as_of: datetime | None = None,
        person_ids: Sequence[int] | None = None,
        where: Filters = (),
    ) -> Iterator[pa.RecordBatch]:
        """The same rows as `read`, in any order, without holding them all. Arguments and errors as `read`."""
        for batch in self._scan(request(view, columns, as_of, where, person_ids)):
            yield batch.replace_schema_metadata(self._origin)

    @property
    def _origin(self) -> dict[str, str]:
        """Written in the schema of every answer."""
        return {"contract": self.contract, "snapshot_id": self.snapshot_id}

    def every_state(self, view: str) -> pa.Table:
        """All rows of a view, those that others have superseded too, in the order of its key. For comparing stores."""
        return self._in_order(replace(request(view), every_state=True))

    def _in_order(self, asked: Request) -> pa.Table:
        order = tuple(name for name in asked.view.key if name not in asked.columns)
        whole = replace(asked, columns=asked.columns + order)
        table = pa.Table.from_batches(self._scan(whole), schema=whole.schema)
        in_order = table.sort_by([(name, "ascending") for name in asked.view.key])
        return in_order.select(list(asked.columns)).combine_chunks()

    @abstractmethod
    def _scan(self, request: Request) -> Iterator[pa.RecordBatch]:
        """Answer a request; every batch has exactly ``request.schema``."""
