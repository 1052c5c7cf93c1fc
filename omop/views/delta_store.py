"""Views of a workspace: Delta tables at the versions of its last complete run."""

import operator
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from operator import and_
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from omop.lake import CONTRACT, Lake
from omop.snapshot import dataset_of, last_snapshot
from omop.views.contract import ARROW_TYPES
from omop.views.request import Condition, Request
from omop.views.store import ViewStore


class DeltaViewStore(ViewStore):
    """Reads ``W/lake/views_v1/<view>``; a run that ends meanwhile changes nothing here."""

    def __init__(self, workspace: Path) -> None:
        self._lake = Lake(workspace)
        self._snapshot = last_snapshot(self._lake)

    @property
    def snapshot_id(self) -> str:
        return self._snapshot.run_id

    @property
    def versions(self) -> Mapping[str, str]:
        rooms = (name.partition(".") for name in self._snapshot.versions)
        return {name: CONTRACT for room, _, name in rooms if room == f"views_{CONTRACT}"}

    def _scan(self, request: Request) -> Iterator[pa.RecordBatch]:
        dataset = dataset_of(self._lake, self._snapshot, f"views_{CONTRACT}.{request.view.name}")
        columns = {name: _cell(request, name) for name in request.columns}
        scanner = dataset.scanner(columns=columns, filter=_filter(request))
        for batch in scanner.to_batches():
            if batch.num_rows:
                yield batch.cast(request.schema)


def _cell(request: Request, name: str) -> pc.Expression:
    value = pc.field(name)
    known_at = request.known_at(name)
    if known_at is None:
        return value
    kind = ARROW_TYPES[request.view.columns[name].type]
    return pc.if_else(_by(request, known_at), value, pa.scalar(None, kind))


def _filter(request: Request) -> pc.Expression | None:
    conditions = []
    if request.as_of is not None and request.view.available_at is not None:
        conditions.append(_by(request, request.view.available_at))
    if (superseded_at := request.view.superseded_at) is not None and not request.every_state:
        later = ~_by(request, superseded_at) if request.as_of is not None else pc.scalar(False)
        conditions.append(pc.field(superseded_at).is_null() | later)
    conditions += [_compared(request, condition) for condition in request.where]
    return reduce(and_, conditions) if conditions else None


_COMPARE: dict[str, Callable[[pc.Expression, pc.Expression], pc.Expression]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _compared(request: Request, condition: Condition) -> pc.Expression:
    kind = ARROW_TYPES[request.view.columns[condition.column].type]
    cell = _cell(request, condition.column)
    if condition.operator == "in":
        return cell.isin(pa.array(condition.value, kind))
    return _COMPARE[condition.operator](cell, pa.scalar(condition.value, kind))


def _by(request: Request, column: str) -> pc.Expression:
    return pc.field(column) <= pa.scalar(request.as_of, ARROW_TYPES["timestamp"])
