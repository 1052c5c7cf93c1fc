"""Views of a workspace: Delta tables at the versions of its last complete run."""

from collections.abc import Iterator
from functools import reduce
from operator import and_
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from omop.lake import CONTRACT, Lake
from omop.snapshot import dataset_of, last_snapshot
from omop.views.contract import ARROW_TYPES
from omop.views.store import Request, ViewStore


class DeltaViewStore(ViewStore):
    """Reads ``W/lake/views_v1/<view>``; a run that ends meanwhile changes nothing here."""

    def __init__(self, workspace: Path) -> None:
        self._lake = Lake(workspace)
        self._snapshot = last_snapshot(self._lake)

    @property
    def snapshot_id(self) -> str:
        return self._snapshot.run_id

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
    if (superseded_at := request.view.superseded_at) is not None:
        later = ~_by(request, superseded_at) if request.as_of is not None else pc.scalar(False)
        conditions.append(pc.field(superseded_at).is_null() | later)
    if request.person_ids is not None:
        conditions.append(pc.field("person_id").isin(pa.array(request.person_ids, pa.int64())))
    return reduce(and_, conditions) if conditions else None


def _by(request: Request, column: str) -> pc.Expression:
    return pc.field(column) <= pa.scalar(request.as_of, ARROW_TYPES["timestamp"])
