"""FHIR R4 as tables: one pass over the files fills every table that is declared; what reaches none is accounted for."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from etl.declaration import Source, SourceTable
from etl.readers.csv import LINE
from etl.readers.fhir_files import ELEMENTS, Found, Resource, fhir_files, read_resources
from etl.readers.fhir_paths import Nodes, Scope, compile_path, text_of
from passerelle.errors import SourceError

BATCH_ROWS = 1 << 16  # of all tables together, held in memory
AI_ASSERTED = "AIAST"  # v3-ObservationValue: a machine wrote this
OWN_OUTPUT, UNUSED, NO_ELEMENT = "own_ai_output", "declared_unused", "no_element"
UNREADABLE = "unreadable"
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


@dataclass(frozen=True)
class SetAside:
    """A resource or an element that cannot be a row."""

    line: int  # file, number and element: see `Found.position`
    reason: str


@dataclass
class Aside:
    """Resources of one type that reached no table, and why."""

    read: int = 0
    excluded: Counter[str] = field(default_factory=Counter)
    bad: list[SetAside] = field(default_factory=list)


class FhirTable:
    """One declared table: which resources it takes, and the cells of their rows."""

    def __init__(self, name: str, table: SourceTable) -> None:
        self.name = name
        self.resource = table.resource
        self.free_text = bool(table.free_text)
        self.optional = table.optional
        self.where = [compile_path(path) for path in table.where]
        each = table.for_each or table.for_each_or_null
        self.each = compile_path(each) if each else None
        self.or_null = table.for_each_or_null is not None
        self.columns = {column: compile_path(spec.path or column) for column, spec in table.columns.items()}
        self.read = 0
        self.bad: list[SetAside] = []
        self._rows: list[list[str | int | None]] = []

    def takes(self, resource: Resource, scope: Scope) -> bool:
        """Whether the resource meets every criterion."""
        return all(criterion([resource], scope) == [True] for criterion in self.where)

    def has_rows(self, resource: Resource, scope: Scope) -> bool:
        """Whether a resource that the table takes has an element that is a row."""
        return self.each is None or self.or_null or bool(self.each([resource], scope))

    def add(self, found: Found, resource: Resource, scope: Scope) -> int:
        """Make the rows of a resource; returns how many are new."""
        before = len(self._rows)
        elements: Nodes = [resource] if self.each is None else self.each([resource], scope)
        for index, element in enumerate(elements or ([{}] if self.or_null else [])):
            scope.index = index
            self.read += 1
            row, reason = self._cells(element, scope)
            if index >= ELEMENTS:
                reason = f"more than {ELEMENTS} elements in one resource"
            if reason:
                self.bad.append(SetAside(found.position(min(index, ELEMENTS - 1)), f"file {found.file}: {reason}"))
            else:
                row.append(found.position(index))
                self._rows.append(row)
        return len(self._rows) - before

    def _cells(self, element: Any, scope: Scope) -> tuple[list[str | int | None], str]:
        row: list[str | int | None] = []
        nodes = [element]
        for column, path in self.columns.items():
            values = path(nodes, scope)
            if not values:
                row.append(None)
            elif len(values) > 1:
                return row, f"{column} has {len(values)} values: choose with first(), where() or join()"
            elif isinstance(values[0], (dict, list)):
                return row, f"{column} is an object, not a value"
            else:
                row.append(text_of(values[0]))
        return row, ""

    def batch(self) -> pa.RecordBatch | None:
        """The rows since the last batch; None when there is none."""
        if not self._rows:
            return None
        cells = list(zip(*self._rows, strict=True))
        self._rows = []
        arrays = [pa.array(column, pa.string()) for column in cells[:-1]] + [pa.array(cells[-1], pa.int64())]
        return pa.record_batch(arrays, names=[*self.columns, LINE])


class Stager(Protocol):
    """Where the batches of one table go."""

    def write(self, batch: pa.RecordBatch) -> None: ...


class FhirFolder:
    """A folder of FHIR files as the tables of a source."""

    def __init__(self, source: Source, folder: Path, limit: int | None = None) -> None:
        """Args: limit: resources read of each file (to check a declaration); None: all."""
        assert source.fhir is not None
        self.source, self.fhir, self.limit = source, source.fhir, limit
        self.files = fhir_files(source.name, folder)
        self.tables = {name: FhirTable(name, table) for name, table in source.tables.items()}
        self.aside: dict[str, Aside] = {}
        self._of_type: dict[str | None, list[FhirTable]] = {}
        for table in self.tables.values():
            self._of_type.setdefault(table.resource, []).append(table)
        self._staged: set[str] = set()

    def stage(self, name: str, stager: Callable[[str], AbstractContextManager[Stager]]) -> FhirTable:
        """Stage a table, and with it every one that the same pass can fill: free text waits for the names of people.

        Raises: SourceError: no resource is one of the table's, and it is not `optional: true`.
        """
        table = self.tables[name]
        if name not in self._staged:
            wave = {n for n, t in self.tables.items() if t.free_text == table.free_text}
            with ExitStack() as stack:
                open_stagers = {n: stack.enter_context(stager(n)) for n in wave}
                for of, batch in self.batches(wave):
                    open_stagers[of].write(batch)
            self._staged |= wave
        if not table.read and not table.optional:
            raise SourceError(
                f"{self.source.name}.{name}: no {table.resource} that is one of its rows was found",
                looked=f"{len(self.files)} file(s)",
                do="give the folder that holds them, correct `where`, or declare the table `optional: true`: "
                "an empty table would delete what was loaded before",
            )
        return table

    def batches(self, names: set[str]) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Read the files once; give the rows of the named tables, and note what reaches no table at all."""
        held, first = 0, not self._staged
        for found in read_resources(self.source.name, self.files, self.fhir.bundles, self.limit):
            resource = found.resource
            if resource is None:
                if first:
                    self._set_aside(UNREADABLE, found, found.reason)
                continue
            kind = resource["resourceType"]
            if self._is_own(resource):
                if first:
                    self._exclude(kind, OWN_OUTPUT)
                continue
            if reason := _defect(found, resource):
                if first:
                    self._set_aside(kind, found, reason)
                continue
            scope = Scope(resource, found.keys)
            taken = [table for table in self._of_type.get(kind, ()) if table.takes(resource, scope)]
            if first and not taken:
                self._no_table(kind, found)
            elif first and not any(table.has_rows(resource, scope) for table in taken):
                self._exclude(kind, NO_ELEMENT)
            for table in taken:
                if table.name in names:
                    held += table.add(found, resource, scope)
            if held >= BATCH_ROWS:
                yield from self._flush(names)
                held = 0
        yield from self._flush(names)

    def _flush(self, names: set[str]) -> Iterator[tuple[str, pa.RecordBatch]]:
        for name in sorted(names):
            if (batch := self.tables[name].batch()) is not None:
                yield name, batch

    # Accounts of what reaches no table ----------------------------------------------------------------------------

    def _of(self, kind: str) -> Aside:
        aside = self.aside.setdefault(kind, Aside())
        aside.read += 1
        return aside

    def _exclude(self, kind: str, rule: str) -> None:
        self._of(kind).excluded[rule] += 1

    def _set_aside(self, kind: str, found: Found, reason: str) -> None:
        self._of(kind).bad.append(SetAside(found.position(), f"file {found.file}: {reason}"))

    def _no_table(self, kind: str, found: Found) -> None:
        if kind in self.source.unused:
            self._exclude(kind, UNUSED)
        else:
            self._set_aside(kind, found, "no table takes it, and `unused` does not name its type")

    def _is_own(self, resource: Resource) -> bool:
        """Our own output: asserted by a machine, or bearing an identifier or an extension of ours."""
        meta = resource.get("meta")
        marks = [*_list(meta, "security"), *_list(meta, "tag")]
        marks += [coding for reason in _list(resource, "reason") for coding in _list(reason, "coding")]
        if any(_get(mark, "code") == AI_ASSERTED for mark in marks):
            return True
        named = [*_list(resource, "identifier"), *_list(resource, "masterIdentifier"), *_list(resource, "entity")]
        names = [_get(i, "system") or _get(_get(_get(i, "what"), "identifier"), "system") for i in named]
        names += [_get(extension, "url") for extension in _list(resource, "extension")]
        return any(isinstance(n, str) and n.startswith(self.fhir.own_naming) for n in names)


def _get(node: Any, name: str) -> Any:
    return node.get(name) if isinstance(node, dict) else None


def _list(node: Any, name: str) -> list[Any]:
    value = _get(node, name)
    return value if isinstance(value, list) else [value] if isinstance(value, dict) else []


def _defect(found: Found, resource: Resource) -> str:
    """Why a resource cannot be used; empty when it can."""
    own = resource.get("id")
    if own is None:
        return "no id"
    if not isinstance(own, str) or not _ID.fullmatch(own):
        return "its id is not one of FHIR"
    return _suspicion(resource) if found.suspect else ""


def _suspicion(resource: Resource) -> str:
    try:
        if "implicitRules" in resource or _has_modifier(resource):
            return "modifierExtension or implicitRules: it may mean the contrary of what it says"
        json.dumps(resource, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "half a character (a lone surrogate)"
    except RecursionError:
        return "nested too deeply"
    return ""


def _has_modifier(node: Any) -> bool:
    if isinstance(node, dict):
        return "modifierExtension" in node or any(map(_has_modifier, node.values()))
    return isinstance(node, list) and any(map(_has_modifier, node))
