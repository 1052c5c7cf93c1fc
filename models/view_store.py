"""How a model meets data: a store of views, and the refusal when it is not the store the model needs."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from passerelle.errors import ContractError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class ViewStore(Protocol):
    """The only way of a model to data; ``omop.views.store`` has the real ones."""

    @property
    def contract(self) -> str:
        """Version of the view contract, e.g. ``v1``."""

    @property
    def versions(self) -> Mapping[str, str]:
        """The views that are there, and the version of each."""

    @property
    def snapshot_id(self) -> str:
        """Which complete state of the warehouse is read."""

    def read(
        self,
        view: str,
        columns: Sequence[str] | None = None,
        as_of: datetime | None = None,
        person_ids: Sequence[int] | None = None,
    ) -> "pa.Table":
        """Rows of a view; with ``as_of`` only what was known at that instant."""


def require_contract(store: ViewStore, needed: str, views: Iterable[str], model: str) -> None:
    """Refuse a store of another contract, or without a view: a column may keep its name and change its meaning.

    Args:
        needed: version of the contract that the model was written for.
        views: names of the views that it reads.

    Raises:
        ContractError: the store's contract is another one, or it lacks a view of it.
    """
    if store.contract != needed:
        raise ContractError(
            what=f"{model} needs the view contract {needed}, this store has {store.contract}",
            looked=f"snapshot {store.snapshot_id}",
            do=f"install the views of contract {needed}: passerelle views install",
        )
    if lacking := sorted(name for name in views if store.versions.get(name) != needed):
        raise ContractError(
            what=f"{model} reads views that this store does not have in version {needed}: {', '.join(lacking)}",
            looked=f"snapshot {store.snapshot_id}: {', '.join(sorted(store.versions))}",
            do="publish again with this release, or install the views: passerelle views install",
        )


def read_views(
    store: ViewStore,
    views: Mapping[str, Sequence[str]],
    *,
    model: str,
    as_of: datetime | None = None,
) -> "dict[str, pd.DataFrame]":
    """The declared columns of each view, as frames whose times are naive UTC and whose ids stay whole numbers.

    Raises:
        ContractError: a view or a declared column is absent.
    """
    return {name: to_frame(_read(store, name, columns, model, as_of)) for name, columns in views.items()}


def _read(store: ViewStore, view: str, columns: Sequence[str], model: str, as_of: datetime | None) -> "pa.Table":
    wanted = list(columns)
    try:
        table = store.read(view, columns=wanted, as_of=as_of)
    except (LookupError, FileNotFoundError) as problem:
        raise _missing(model, view, str(problem), store) from problem
    absent = [name for name in wanted if name not in table.column_names]
    if absent:
        raise _missing(model, view, f"columns absent: {', '.join(absent)}", store)
    return table.select(wanted)


def _missing(model: str, view: str, why: str, store: ViewStore) -> ContractError:
    return ContractError(
        what=f"{model} reads the view {view}, which this store does not give as declared",
        looked=f"contract {store.contract}, snapshot {store.snapshot_id}: {why}",
        do="publish the views again (passerelle publish), then: passerelle views check",
    )


def to_frame(table: "pa.Table") -> "pd.DataFrame":
    """Arrow to pandas without its two silent losses.

    An id column with nulls would become a float and lose its last digits: a null id becomes -1.
    Instants become naive UTC microseconds, the form that every comparison in a model uses.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    columns: dict[str, Any] = {}
    for field in table.schema:
        column = table.column(field.name)
        if pa.types.is_timestamp(field.type):
            column = column.cast(pa.timestamp("us"))
        elif pa.types.is_integer(field.type) and field.name.endswith("_id"):
            column = pc.fill_null(column.cast(pa.int64()), -1)
        elif pa.types.is_date(field.type):
            column = column.cast(pa.timestamp("us"))
        columns[field.name] = column.to_pandas()
    return pd.DataFrame(columns)
