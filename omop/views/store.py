"""The only way of a model to data: the views of one snapshot, as Arrow, from the lake or from PostgreSQL."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from omop.lake import CONTRACT
from omop.views.contract import View, view
from passerelle.errors import ContractError

POSTGRES = ("postgresql://", "postgres://")


@dataclass(frozen=True)
class Request:
    """What to read of one view; a store answers it with rows in any order."""

    view: View
    columns: tuple[str, ...]
    as_of: datetime | None  # UTC
    person_ids: tuple[int, ...] | None

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of the answer."""
        return pa.schema([self.view.schema.field(name) for name in self.columns])

    def known_at(self, column: str) -> str | None:
        """The column that says when this one was known; None: with the row, or no instant is asked for."""
        return self.view.columns[column].known_at if self.as_of is not None else None


class ViewStore(ABC):
    """Views of one snapshot. The same request gives equal tables from every store."""

    @staticmethod
    def open(location: Path | str) -> "ViewStore":
        """Open the store at a location.

        Args:
            location: a workspace, or the URL of a PostgreSQL database that has the views (``postgresql://…``).

        Raises:
            ContractError: there are no views, or those of another contract.
            SourceUnreachable: the database does not answer.
        """
        if str(location).startswith(POSTGRES):
            from omop.views.postgres_store import PostgresViewStore

            return PostgresViewStore(str(location))
        from omop.views.delta_store import DeltaViewStore

        return DeltaViewStore(Path(location))

    @property
    def contract(self) -> str:
        """Version of the contract of the views, e.g. ``v1``."""
        return CONTRACT

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
    ) -> pa.Table:
        """Rows of a view, in the order of its key.

        Args:
            view: name of the view.
            columns: names, in the order wanted; None: all, in contract order.
            as_of: an instant with its zone. Only rows available by then; later-known values are null.
            person_ids: only these persons; None: all.

        Raises:
            ContractError: the view or a column does not exist, ``as_of`` has no zone, or the view is not of persons.
            TransientError: the views were published anew during the read.
        """
        request = _request(view, columns, as_of, person_ids)
        order = tuple(name for name in request.view.key if name not in request.columns)
        asked = Request(request.view, request.columns + order, request.as_of, request.person_ids)
        table = pa.Table.from_batches(self._scan(asked), schema=asked.schema)
        in_order = table.sort_by([(name, "ascending") for name in request.view.key])
        return in_order.select(list(request.columns)).combine_chunks()

    def batches(
        self,
        view: str,
        columns: Sequence[str] | None = None,
        as_of: datetime | None = None,
        person_ids: Sequence[int] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """The same rows as `read`, in any order, without holding them all. Arguments and errors as `read`."""
        yield from self._scan(_request(view, columns, as_of, person_ids))

    @abstractmethod
    def _scan(self, request: Request) -> Iterator[pa.RecordBatch]:
        """Answer a request; every batch has exactly ``request.schema``."""


def _request(
    name: str, columns: Sequence[str] | None, as_of: datetime | None, person_ids: Sequence[int] | None
) -> Request:
    declared = view(name)
    wanted = tuple(columns) if columns is not None else tuple(declared.columns)
    declared.check_columns(wanted)
    if as_of is not None and as_of.tzinfo is None:
        raise ContractError("as_of has no time zone, so it is no instant", do="give one, e.g. datetime(…, tzinfo=UTC)")
    if person_ids is not None and "person_id" not in declared.columns:
        raise ContractError(
            f"the view {name} is not of persons", looked=f"grain: {declared.grain}", do="read it without person_ids"
        )
    persons = None if person_ids is None else tuple(int(person) for person in person_ids)
    return Request(declared, wanted, as_of.astimezone(UTC) if as_of else None, persons)
