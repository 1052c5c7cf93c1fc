"""Load a vocabulary release (Athena CSV or Parquet, any subset) into a workspace.

spark-submit passerelle/__main__.py vocabulary load DIR --workspace W --engine submitted
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

from etl.concept_maps import FIRST_LOCAL_CONCEPT
from omop.cdm import table as cdm_table
from omop.lake import Lake
from passerelle.errors import SourceError, UsageError
from spark_jobs.delta import overwrite
from spark_jobs.engine import Engine

LOADED = (
    "concept", "concept_relationship", "concept_ancestor", "drug_strength", "vocabulary", "source_to_concept_map",
)  # fmt: skip
SHIPPED = Path(__file__).parent.parent / "omop" / "vocabulary" / "demo"
EMPTY_WORDS = ("", "NA")
DERIVED_COLUMNS = {"domain", "source_code", "source_concept_id", "target_concept_id"}
BATCH_ROWS = 500_000


@dataclass(frozen=True)
class StagedVocabulary:
    """A release that was read to its end and typed; the workspace does not hold it yet."""

    folder: Path
    release: str
    digest: str  # of the files: two exports of one release may hold different vocabularies
    rows: dict[str, int]


def stage_vocabulary(folder: Path, staging: Path) -> StagedVocabulary:
    """Read a release.

    Args:
        folder: files named after the CDM tables (any case), ``.csv`` (tab or comma) or ``.parquet``. A file with the
            columns ``domain, source_code, source_concept_id, target_concept_id`` becomes source-to-concept maps named
            ``<file>.<domain>``.

    Raises: UsageError: the folder holds no concept file; SourceError: a value is not what its column holds, or a local
        vocabulary numbers its concepts in OHDSI's range.
    """
    files = {
        path.stem.lower(): path for path in sorted(folder.glob("*")) if path.suffix.lower() in (".csv", ".parquet")
    }
    if "concept" not in files:
        raise UsageError(
            "the folder holds no concept file", looked=str(folder), do="give a folder of Athena CSV or Parquet files"
        )
    digest = hashlib.sha256()
    rows: dict[str, int] = {}
    for name in LOADED:
        paths: list[tuple[str | None, Path]] = [(None, files[name])] if name in files else []
        if name == "source_to_concept_map":
            paths += [(stem, path) for stem, path in files.items() if _is_derived_map(path)]
        rows[name] = _stage(name, paths, staging / f"{name}.parquet", digest)
    _refuse_local_concepts_of_ohdsi(staging)
    return StagedVocabulary(staging, _release(staging / "vocabulary.parquet", digest), digest.hexdigest(), rows)


def load_vocabulary(engine: Engine, lake: Lake, staged: StagedVocabulary) -> None:
    """Replace the vocabulary of a workspace by a release that was read."""
    for name in LOADED:
        view = f"vocabulary__{name}"
        engine.view_of_parquet(view, staged.folder / f"{name}.parquet")
        overwrite(engine.sql(f"SELECT * FROM {view}"), lake.omop(name), _columns(name), staged.rows[name])


def _refuse_local_concepts_of_ohdsi(staging: Path) -> None:
    """A vocabulary whose own concept is local is local: the next release may give its low ids to something else."""
    table = pq.read_table(staging / "vocabulary.parquet", columns=["vocabulary_id", "vocabulary_concept_id"])
    local = table.filter(pc.greater_equal(table["vocabulary_concept_id"], FIRST_LOCAL_CONCEPT))["vocabulary_id"]
    own = pc.field("vocabulary_id").isin(local.combine_chunks()) & (pc.field("concept_id") < FIRST_LOCAL_CONCEPT)
    wrong = pq.read_table(staging / "concept.parquet", columns=["concept_id", "vocabulary_id"], filters=own)
    if wrong.num_rows:
        raise SourceError(
            f"{wrong.num_rows} local concept(s) have an id of the range that belongs to OHDSI",
            looked=f"vocabularies {', '.join(sorted(set(wrong['vocabulary_id'].to_pylist())))}",
            do=f"number local concepts from {FIRST_LOCAL_CONCEPT} on",
        )


def _columns(name: str) -> dict[str, str]:
    return {column.name: column.type for column in cdm_table(name).columns}


def _schema(name: str) -> pa.Schema:
    types = {"bigint": pa.int64(), "int": pa.int32(), "double": pa.float64(), "date": pa.date32()}
    return pa.schema([(column, types.get(kind, pa.string())) for column, kind in _columns(name).items()])


def _is_derived_map(path: Path) -> bool:
    return path.suffix.lower() == ".parquet" and set(pq.read_schema(path).names) >= DERIVED_COLUMNS


def _stage(name: str, paths: list[tuple[str | None, Path]], target: Path, digest: "hashlib._Hash") -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    schema, rows = _schema(name), 0
    with pq.ParquetWriter(target, schema) as writer:
        for stem, path in paths:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
            for batch in _batches(path):
                clean = _derived(stem, batch) if stem else batch
                table = _typed(clean, schema, path)
                writer.write_table(table)
                rows += table.num_rows
    return rows


def _batches(path: Path) -> Iterator[pa.Table]:
    if path.suffix.lower() == ".parquet":
        for batch in pq.ParquetFile(path).iter_batches(BATCH_ROWS):
            yield pa.Table.from_batches([batch])
        return
    with path.open("rb") as file:
        header = file.readline().decode("utf-8-sig")
    names = [name.strip() for name in header.split("\t" if "\t" in header else ",")]
    reader = pv.open_csv(
        path,
        read_options=pv.ReadOptions(block_size=32 << 20),
        # Athena files are tab-separated and unquoted: a quote inside a name is a letter.
        parse_options=pv.ParseOptions(delimiter="\t", quote_char=False) if "\t" in header else pv.ParseOptions(),
        convert_options=pv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
    )
    for batch in reader:
        yield pa.Table.from_batches([batch])


def _typed(table: pa.Table, schema: pa.Schema, path: Path) -> pa.Table:
    """The columns of the CDM, missing ones null; ``NA`` and empty are null; dates may be written 20250101."""
    table = table.rename_columns([name.lower() for name in table.column_names])
    columns = []
    for wanted in schema:
        if wanted.name not in table.column_names:
            columns.append(pa.nulls(table.num_rows, wanted.type))
            continue
        column = table[wanted.name]
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = pc.if_else(pc.is_in(column, pa.array(EMPTY_WORDS)), None, column)
            if pa.types.is_date(wanted.type):
                column = pc.replace_substring_regex(column, r"^(\d{4})(\d{2})(\d{2})$", r"\1-\2-\3")
        try:
            columns.append(column.cast(wanted.type))
        except pa.ArrowInvalid as error:
            raise SourceError(
                f"{path.name}: {wanted.name} holds values that are not {wanted.type}", do="export the vocabulary again"
            ) from error
    return pa.table(columns, schema=schema)


def _derived(stem: str, table: pa.Table) -> pa.Table:
    """A map by domain as rows of ``source_to_concept_map``; a code listed twice with one target counts once."""
    named = pa.table(
        {
            "source_code": pc.utf8_trim_whitespace(table["source_code"]),
            "source_concept_id": table["source_concept_id"],
            "source_vocabulary_id": pc.binary_join_element_wise(stem, table["domain"], "."),
            "target_concept_id": table["target_concept_id"],
        }
    )
    grouped = named.group_by(["source_code", "source_vocabulary_id", "target_concept_id"], use_threads=False)
    return grouped.aggregate([("source_concept_id", "min")]).rename_columns(
        ["source_code", "source_vocabulary_id", "target_concept_id", "source_concept_id"]
    )


def _release(path: Path, digest: "hashlib._Hash") -> str:
    """The release that the vocabulary names (row ``None``), else a hash of what was loaded."""
    table = pq.read_table(path, columns=["vocabulary_id", "vocabulary_version"])
    named = table.filter(pc.equal(table["vocabulary_id"], "None"))["vocabulary_version"].to_pylist()
    return next((version for version in named if version), None) or f"unnamed subset {digest.hexdigest()[:12]}"
