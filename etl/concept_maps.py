"""Concept maps of a source: ``concept_maps/*.csv`` with the columns that Usagi exports."""

import csv
from pathlib import Path

import pyarrow as pa

from passerelle.errors import MappingError

SCHEMA = pa.schema([("vocabulary", pa.string()), ("source_code", pa.string()), ("target_concept_id", pa.int64())])
ACCEPTED = ("APPROVED", "")  # Usagi writes UNCHECKED, FLAGGED… for what nobody has signed


def read_concept_maps(folder: Path) -> pa.Table:
    """Every approved row of a source's maps; the file's name is the source vocabulary.

    Columns: ``sourceCode``, ``conceptId``; ``mappingStatus`` when present (only APPROVED rows are used).

    Raises: MappingError: a column is missing or a concept id is not a number; it names file and line.
    """
    rows: list[dict[str, object]] = []
    for path in sorted((folder / "concept_maps").glob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            for line, row in enumerate(csv.DictReader(file), start=2):
                if row.get("mappingStatus", "").strip() not in ACCEPTED:
                    continue
                try:
                    concept, code = int(row["conceptId"]), row["sourceCode"].strip()
                except (KeyError, TypeError, ValueError) as error:
                    raise MappingError(
                        f"concept_maps/{path.name} line {line}: {error!r}", do="export it again from Usagi"
                    ) from error
                if concept > 0:
                    rows.append({"vocabulary": path.stem, "source_code": code, "target_concept_id": concept})
    return pa.Table.from_pylist(rows, schema=SCHEMA)
