"""Orders that are being written, judged beside what is known of their patients: the same model, in milliseconds."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.contract import Prediction
from models.prescription_review.columns import INSTANT, Columns, instants, last_until, picked, texts
from models.prescription_review.config import Config
from models.prescription_review.features import cases_of
from models.prescription_review.known import PERSON, STAY, Feeds, Known, analyte_of, first_results, joined, known
from models.prescription_review.orders import KEY, prepare_orders
from models.prescription_review.predict import ReadyModel
from models.view_store import ViewStore, require_contract, to_frame
from omop.views.contract import view
from passerelle.errors import TransientError

Row = Mapping[str, Any]
NO_ROW = -1
NOBODY = 0  # a person row that there is not


@dataclass(frozen=True)
class Asked:
    """The orders that are being written for one patient, at an instant."""

    person_id: int
    at: datetime
    drafts: Sequence[Row]  # in the words of the view drug_orders; each with an id of its own
    fresh: Mapping[str, Sequence[Row]] = field(default_factory=dict)  # by view: what it may not hold yet


class OrderReview:
    """The trained model beside the newest views. One thread at a time may use it.

    Args:
        open_store: opens the views as they are now.
        site: folder of this hospital's own lines of knowledge.
        patients: how many are kept in memory; those not asked about for longest go first.
        max_age_s: after so long a patient is read again, and a new publication is noticed.
    """

    def __init__(
        self,
        open_store: Callable[[], ViewStore],
        tracking_uri: str,
        *,
        site: Path | None = None,
        patients: int = 5_000,
        max_age_s: float = 600.0,
    ) -> None:
        self.model = ReadyModel.load(tracking_uri, site=site)
        self._open, self._patients, self._max_age_s = open_store, patients, max_age_s
        self._kept: OrderedDict[int, _Kept] = OrderedDict()
        self._opened, self._views = time.monotonic(), _Views.of(open_store(), self.model.artefact.config)
        # The first review loads the learner's library and compiles what is compiled once: nobody should wait for it.
        self.review([Asked(NOBODY, datetime.now(UTC), [{KEY: -1}])])

    @property
    def snapshot_id(self) -> str:
        """Which publication of the views is read."""
        return self._views.store.snapshot_id

    def review(self, asked: Sequence[Asked]) -> list[list[Prediction]]:
        """The alerts about the drafts of each patient; a draft sees the others of its own question only.

        What is known of all patients is read together; a question without drafts only has its patient read.
        """
        self._known_of([one.person_id for one in asked])
        found: list[list[Prediction]] = [[] for _ in asked]
        for positions in _rounds(asked):
            at = {asked[position].person_id: position for position in positions}
            for alert in self._alerts([asked[position] for position in positions]):
                found[at[alert.person_id or 0]].append(alert)
        return found

    def _alerts(self, asked: Sequence[Asked]) -> list[Prediction]:
        """Those of several patients, each asked about once."""
        parts = [*self._known_of([one.person_id for one in asked]), *self._fresh(asked)]
        patients = joined(parts, self._views.feeds)
        drafts = self._drafts(asked, patients.tables["stays"])
        patients = patients.with_orders(drafts)
        positions = np.flatnonzero(np.isin(patients.tables["orders"][KEY], drafts[KEY]))
        config = self.model.artefact.config
        cases = cases_of(patients, positions, config, self.model.knowledge)
        return self.model.predictions(cases, self._views.store)

    def _drafts(self, asked: Sequence[Asked], stays: Columns) -> Columns:
        rows = [
            {**self._coded(draft), PERSON: one.person_id, "started_at": one.at, "available_at": one.at}
            for one in asked
            for draft in one.drafts
        ]
        drafts = prepare_orders(_columns("drug_orders", rows, self._views.columns["drug_orders"]))
        stay = last_until(stays[PERSON], stays["started_at"], drafts[PERSON], drafts["written_at"])
        return drafts | {STAY: picked(stays[STAY], stay, NO_ROW)}

    def _coded(self, draft: Row) -> Row:
        """The draft with what the hospital's own orders say about its code."""
        known = self._views.codes.get(str(draft.get("source_code")))
        return draft if known is None else {**draft, **known}

    def _fresh(self, asked: Sequence[Asked]) -> list[Known]:
        """What the views do not hold yet: later than anything of its kind that they have of the patient."""
        rows: dict[str, list[Row]] = {name: [] for name in self._views.columns}
        for one in asked:
            kept = self._kept[one.person_id]
            for name, some in one.fresh.items():
                rows[name] += [{**row, PERSON: one.person_id} for row in some if kept.lacks(name, row)]
        if not any(rows.values()):
            return []
        frames = {name: _frame(name, some, self._views.columns[name]) for name, some in rows.items()}
        return [known(frames, self.model.artefact.config, of_all=False)]

    def _known_of(self, person_ids: Sequence[int]) -> list[Known]:
        """What is known of each, from memory; the others are read together."""
        now = time.monotonic()
        if now - self._opened > self._max_age_s:
            self._renew()
        lacking = [p for p in person_ids if p not in self._kept or now - self._kept[p].read_at > self._max_age_s]
        if lacking:
            self._keep(lacking, now)
        for person in person_ids:
            self._kept.move_to_end(person)
        found = [self._kept[person].known for person in person_ids]
        while len(self._kept) > max(self._patients, len(person_ids)):
            self._kept.popitem(last=False)
        return found

    def _keep(self, person_ids: Sequence[int], now: float) -> None:
        try:
            rows = self._views.read(person_ids)
        except TransientError:  # published anew in the meantime
            self._renew()
            rows = self._views.read(person_ids)
        here = dict(known(rows, self.model.artefact.config, of_all=False).by_person())
        for person in person_ids:
            self._kept[person] = _Kept.of(here.get(person, self._views.nobody), now)

    def _renew(self) -> None:
        """Read from the views as they are now; what is remembered of others is forgotten."""
        self._opened, store = time.monotonic(), self._open()
        if store.snapshot_id == self.snapshot_id:
            _close(store)
            return
        _close(self._views.store)
        self._views = _Views.of(store, self.model.artefact.config)
        self._kept.clear()


@dataclass(frozen=True)
class _Views:
    """The views of one publication, and what is looked up in them for every draft."""

    store: ViewStore
    columns: Mapping[str, Sequence[str]]
    codes: Mapping[str, Row]  # the hospital's own code → what its orders say about it
    nobody: Known  # of a person whom they do not know
    feeds: Feeds  # analyses of which the laboratory sends results

    @classmethod
    def of(cls, store: ViewStore, config: Config) -> _Views:
        """Raises: ContractError: the store is not what the model needs."""
        require_contract(store, config.contract, config.views, config.model)
        # What is being written was not given yet, and the gifts of a patient are many.
        views = {name: columns for name, columns in config.views.items() if name != "drug_administrations"}
        nothing = {name: _frame(name, [], columns) for name, columns in views.items()}
        return cls(store, views, _codes_of(store), known(nothing, config), _feeds_of(store, config))

    def read(self, person_ids: Sequence[int]) -> dict[str, pd.DataFrame]:
        """The rows of some patients, a view at a time."""
        return {
            name: to_frame(self.store.read(name, columns=list(columns), person_ids=list(person_ids)))
            for name, columns in self.columns.items()
        }


@dataclass(frozen=True)
class _Kept:
    """One patient in memory."""

    known: Known
    read_at: float
    until: Mapping[str, datetime | None]  # by view: its newest fact of the patient

    @classmethod
    def of(cls, known: Known, now: float) -> _Kept:
        """Read just now."""
        until = {view: max(filter(None, map(known.newest, tables)), default=None) for view, tables in _HELD_IN.items()}
        return cls(known, now, until)

    def lacks(self, view: str, row: Row) -> bool:
        """Whether the views cannot hold a fact yet."""
        if view not in self.until:  # a person is there or not
            return not len(self.known.tables["persons"][PERSON])
        until = self.until[view]
        return until is None or row["available_at"] > until


# View → the tables in which its rows are kept.
_HELD_IN = {
    "drug_orders": ("orders",),
    "diagnoses": ("diagnoses",),
    "lab_results": ("lab_results",),
    "observations": ("weights", "observations"),
}


def _close(store: ViewStore) -> None:
    """Give back what a store holds, where it holds something."""
    close = getattr(store, "close", None)
    if close is not None:
        close()


def _rounds(asked: Sequence[Asked]) -> Iterator[list[int]]:
    """Positions of the questions with a draft, no patient twice in a round."""
    waiting = [position for position, one in enumerate(asked) if one.drafts]
    while waiting:
        first = {asked[position].person_id: position for position in reversed(waiting)}
        yield sorted(first.values())
        waiting = [position for position in waiting if first[asked[position].person_id] != position]


def _codes_of(store: ViewStore) -> dict[str, Row]:
    """Source code → concept, name and ATC code, where the hospital has ordered by it and it has one meaning."""
    names = ["source_code", "drug_concept_id", "concept_name", "atc_code"]
    distinct = store.read("drug_orders", columns=names).group_by(names).aggregate([])
    seen: dict[str, list[Row]] = {}
    for row in distinct.to_pylist():
        if row["source_code"]:
            seen.setdefault(row["source_code"], []).append(row)
    return {code: rows[0] for code, rows in seen.items() if len(rows) == 1}


def _feeds_of(store: ViewStore, config: Config) -> Feeds:
    """Analysis → when its first result was known; one row a code is read out, not one a result."""
    names = ["measurement_concept_id", "concept_name"]
    read = store.read("lab_results", columns=[*names, "available_at"])
    first = read.group_by(names).aggregate([("available_at", "min")]).to_pandas()
    first = first.dropna(subset=["available_at_min"])
    concepts = first["measurement_concept_id"].fillna(0).to_numpy(np.int64)
    analyte = analyte_of(concepts, texts(first["concept_name"]), config.analytes)
    seen = instants(first["available_at_min"].dt.tz_convert("UTC").dt.tz_localize(None))
    return first_results(analyte[analyte >= 0], seen[analyte >= 0], [*config.analytes])


def _frame(name: str, rows: Sequence[Row], columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(_columns(name, rows, columns))


def _columns(name: str, rows: Sequence[Row], columns: Sequence[str]) -> Columns:
    """Rows as the store gives those of a view, without the way through Arrow: this is done for every draft."""
    kinds = _kinds(name)
    return {column: _cells([row.get(column) for row in rows], column, kinds[column]) for column in columns}


@cache
def _kinds(name: str) -> dict[str, str]:
    return {field.name: str(field.type) for field in view(name).schema}


def _cells(values: list[Any], column: str, kind: str) -> NDArray[Any]:
    """As ``to_frame`` gives them: a null id is -1, a time naive UTC."""
    if kind.startswith(("timestamp", "date")):
        return np.array([_naive(value) for value in values], dtype=INSTANT)
    if kind.startswith("int") and column.endswith("_id"):
        return np.array([NO_ROW if value is None else value for value in values], dtype=np.int64)
    return np.array(values, dtype=object if kind == "string" else np.float64)


def _naive(value: date | None) -> date | None:
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value
