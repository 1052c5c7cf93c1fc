"""Concept maps of a source: ``concept_maps/*.csv`` with the columns that Usagi exports."""

import csv
from pathlib import Path

import pyarrow as pa

from passerelle.errors import MappingError

SCHEMA = pa.schema(
    [
        ("vocabulary", pa.string()),
        ("source_code", pa.string()),
        ("source_concept_id", pa.int64()),
        ("target_concept_id", pa.int64()),
    ]
)
ACCEPTED = ("APPROVED", "")  # Usagi writes UNCHECKED, FLAGGED… for what nobody has signed
FIRST_LOCAL_CONCEPT = 2_000_000_000  # below it every id belongs to OHDSI, today or after the next release


def read_concept_maps(folder: Path) -> pa.Table:
    """Every approved row of a source's maps; the file's name is the source vocabulary.

    Columns: ``sourceCode``, ``conceptId``; ``mappingStatus`` when present (only APPROVED rows are used);
    ``sourceConceptId`` when present: a local concept of the code itself.

    Raises: MappingError: a column is missing, an id is not a number, or a local concept has an id of OHDSI's range;
        it names file and line.
    """
    rows: list[dict[str, object]] = []
    for path in sorted((folder / "concept_maps").glob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            for line, row in enumerate(csv.DictReader(file), start=2):
                if (row.get("mappingStatus") or "").strip() in ACCEPTED:
                    rows += _approved(path.stem, row, f"concept_maps/{path.name} line {line}")
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _approved(vocabulary: str, row: dict[str, str], where: str) -> list[dict[str, object]]:
    try:
        target, code = int(row["conceptId"]), row["sourceCode"].strip()
        own = int(row.get("sourceConceptId") or 0)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MappingError(f"{where}: {error!r}", do="export it again from Usagi") from error
    if 0 < own < FIRST_LOCAL_CONCEPT:
        raise MappingError(
            f"{where}: the local concept {own} has an id of the range that belongs to OHDSI",
            do=f"number local concepts from {FIRST_LOCAL_CONCEPT} on",
        )
    if target <= 0:
        return []
    return [
        {"vocabulary": vocabulary, "source_code": code, "source_concept_id": own, "target_concept_id": target},
    ]
