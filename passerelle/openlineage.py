"""OpenLineage events of a run, one JSON object a line, in ``W/lineage/<run_id>.ndjson``; nothing is sent anywhere.

Each step is a run of its own (START, then COMPLETE or FAIL) whose parent is the run of Passerelle. A dataset is named
by its source or its workspace, never by a host or a path. Specification 2-0-2: https://openlineage.io/spec
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from etl.cdm_rows import table_columns
from etl.compiler import CompiledSource
from etl.lineage import Field, lineage_of
from omop.cdm import cdm_tables
from omop.views.contract import views
from passerelle import __version__
from passerelle.errors import PasserelleError
from passerelle.workspace import Workspace

SPEC = "https://openlineage.io/spec"
PRODUCER = f"urn:passerelle:{__version__}"
NAMESPACE = "passerelle"
STEPS = {"extracted": "extract", "mapped": "map", "checked": "check", "published": "publish"}
FACETS = {
    "schema": "1-1-1/SchemaDatasetFacet",
    "columnLineage": "1-2-0/ColumnLineageDatasetFacet",
    "version": "1-0-1/DatasetVersionDatasetFacet",
    "outputStatistics": "1-0-2/OutputStatisticsOutputDatasetFacet",
    "parent": "1-1-0/ParentRunFacet",
    "errorMessage": "1-0-1/ErrorMessageRunFacet",
}
Json = dict[str, Any]


@dataclass
class Log:
    """The events of one run of one source."""

    workspace: Workspace
    run_id: str
    compiled: CompiledSource
    source: str = field(init=False)
    here: str = field(init=False)
    there: str = field(init=False)

    def __post_init__(self) -> None:
        self.source = self.compiled.source.name
        self.here = f"{NAMESPACE}:workspace:{self.workspace.root.resolve().name}"
        self.there = f"{NAMESPACE}:source:{self.source}"

    @property
    def path(self) -> Path:
        return self.workspace.root / "lineage" / f"{self.run_id}.ndjson"

    @contextmanager
    def step(self, event: str) -> Iterator[Json]:
        """Tell that a step starts, and how it ended. The facts of the step are put into what is yielded."""
        run, facts = str(uuid4()), dict[str, Any]()
        self._tell("START", run, event)
        try:
            yield facts
        except BaseException as error:
            with suppress(OSError):  # the error of the step is the one to show
                self._tell("FAIL", run, event, errorMessage=_said(error))
            raise
        inputs, outputs = getattr(self, f"_{event}")(facts)
        self._tell("COMPLETE", run, event, inputs, outputs)

    def _tell(self, kind: str, run: str, event: str, inputs: Any = (), outputs: Any = (), **facets: Json) -> None:
        parent = {
            "run": {"runId": str(uuid5(NAMESPACE_URL, f"{PRODUCER}:{self.run_id}"))},
            "job": {"namespace": NAMESPACE, "name": self.source},
        }
        line = {
            "eventType": kind,
            "eventTime": datetime.now(UTC).isoformat(),
            "producer": PRODUCER,
            "schemaURL": f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent",
            "run": {"runId": run, "facets": _facets(parent=parent, **facets)},
            "job": {"namespace": NAMESPACE, "name": f"{self.source}.{STEPS[event]}"},
            "inputs": list(inputs),
            "outputs": list(outputs),
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")

    # What each step reads and writes ------------------------------------------------------------------------------

    def _extracted(self, facts: Json) -> tuple[list[Json], list[Json]]:
        inputs, outputs = [], []
        for name, landed in facts["tables"].items():
            table = self.compiled.source.tables.get(name)
            if table is None or landed["bronze"] is None:
                continue
            inputs.append(_dataset(self.there, name, {c: column.type for c, column in table.columns.items()}))
            hidden = {*table.identity_columns, *table.free_text}
            origins = {
                column: [_input(self.there, name, column, column not in hidden, column in hidden)]
                for column in table.bronze_columns
            }
            outputs.append(
                self._output(f"bronze.{self.source}.{name}", table.bronze_columns, landed["bronze"], origins)
            )
        return inputs, outputs

    def _mapped(self, facts: Json) -> tuple[list[Json], list[Json]]:
        reads = sorted(set().union(*(mapping.reads for mapping in self.compiled.mappings)))
        tables = self.compiled.source.tables
        inputs = [_dataset(self.here, f"bronze.{self.source}.{name}", tables[name].bronze_columns) for name in reads]
        if facts["unchanged"]:
            return inputs, []
        origins = self._origins()
        known = {name: table_columns(cdm_tables()[name]) for name in facts["tables"]}
        return inputs, [
            self._output(f"omop.{name}", known[name], written, origins.get(name, {}))
            for name, written in facts["tables"].items()
        ]

    def _origins(self) -> dict[str, dict[str, list[Json]]]:
        """CDM table → column → the columns of bronze that the mappings of that table make it of.

        Rows that another table's mapping sends there by the domain of their concept are not told apart.
        """
        found: dict[str, dict[str, list[Json]]] = {}
        for mapped in lineage_of(self.compiled):
            columns = found.setdefault(mapped.mapping.table.name, {})
            for given in mapped.fields:
                for column in given.fills:
                    kept = columns.setdefault(column, [])
                    kept += [source for source in self._sources(given) if source not in kept]
        return found

    def _sources(self, given: Field) -> Iterator[Json]:
        key = given.given.endswith("_key")
        as_it_stands = not (given.expression or given.looked_up or key)
        for table, column in given.origins:
            yield _input(self.here, f"bronze.{self.source}.{table}", column, as_it_stands, key)

    def _checked(self, _: Json) -> tuple[list[Json], list[Json]]:
        return self._omop(), [_dataset(self.here, "ops.quality", {})]

    def _published(self, facts: Json) -> tuple[list[Json], list[Json]]:
        if facts["unchanged"]:
            return self._omop(), []
        known: dict[str, dict[str, str]] = {
            name: {c: column.type for c, column in view.columns.items()} for name, view in views().items()
        }
        return self._omop(), [
            self._output(f"views_v1.{name}", known.get(name, {}), written, {})
            for name, written in facts["views"].items()
        ]

    def _omop(self) -> list[Json]:
        tables = {mapping.table.name: mapping.table for mapping in self.compiled.mappings}
        return [_dataset(self.here, f"omop.{name}", table_columns(tables[name])) for name in sorted(tables)]

    def _output(self, name: str, columns: dict[str, str], written: Json, origins: dict[str, list[Json]]) -> Json:
        facets: Json = {}
        if written["version"] >= 0:  # a table that no source has ever filled has none
            facets["version"] = {"datasetVersion": str(written["version"])}
        if fields := {column: {"inputFields": inputs} for column, inputs in origins.items() if inputs}:
            facets["columnLineage"] = {"fields": fields}
        dataset = _dataset(self.here, name, columns, **facets)
        if "rows" in written:
            dataset["outputFacets"] = _facets(outputStatistics={"rowCount": written["rows"]})
        return dataset


def _dataset(namespace: str, name: str, columns: dict[str, str], **facets: Json) -> Json:
    if columns:
        facets["schema"] = {"fields": [{"name": column, "type": kind} for column, kind in columns.items()]}
    return {"namespace": namespace, "name": name, "facets": _facets(**facets)}


def _input(namespace: str, name: str, column: str, as_it_stands: bool, masking: bool) -> Json:
    how = {"type": "DIRECT", "subtype": "IDENTITY" if as_it_stands else "TRANSFORMATION", "masking": masking}
    return {"namespace": namespace, "name": name, "field": column, "transformations": [how]}


def _facets(**facets: Json) -> Json:
    return {name: {"_producer": PRODUCER, "_schemaURL": _url(FACETS[name]), **facet} for name, facet in facets.items()}


def _url(facet: str) -> str:
    return f"{SPEC}/facets/{facet}.json#/$defs/{facet.split('/')[1]}"


def _said(error: BaseException) -> Json:
    """Our own errors never hold patient data; of any other only the kind is told."""
    said = error.what if isinstance(error, PasserelleError) else type(error).__name__
    return {"message": said, "programmingLanguage": "Python"}
