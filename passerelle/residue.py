"""Search the CDM of a source for the identifiers of its own crosswalk: a check, of each column that holds text."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from etl.find_residue import NUMBER, Hits, Residue, told
from omop.cdm import cdm_tables
from omop.delta_read import dataset
from omop.lake import is_delta
from omop.quality.checks import CONVENTION, FATAL, Check
from omop.quality.results import Tally, judged
from spark_jobs.delta import BUCKET, Buckets

if TYPE_CHECKING:
    from etl.crosswalk import Crosswalk
    from omop.lake import Lake

CHECKS = ("identifierNumberRemains", "identifierNameRemains")
ENOUGH_BYTES = 32_000_000  # of text, before it is looked through
WHY = "search the CDM for identifiers that remain"
# Not of people: where they are treated bears the names of saints and of the dead; the rest is about the CDM itself.
NOT_SEARCHED = ("care_site", "location", "cdm_source", "metadata", "cohort", "cohort_definition")


def remaining(lake: "Lake", crosswalk: "Crosswalk", source: str, buckets: Buckets) -> list[dict[str, Any]]:
    """Results of the search, two a column: numbers (fatal where there is no doubt) and names (by convention).

    Every row is read, by Arrow, some files at a time: the cost is that of reading the text columns once.
    """
    residue = Residue(crosswalk.open(source, why=WHY))
    for name, table in cdm_tables().items():
        if table.schema != "VOCAB" and name not in NOT_SEARCHED and is_delta(lake.omop(name)):
            _search(residue, lake, name, buckets)
    return [_result(table, column, hits) for table, column, hits in residue.hits()]


def _result(table: str, column: str, hits: Hits) -> dict[str, Any]:
    name = CHECKS[0] if hits.kind == NUMBER else CHECKS[1]
    check = Check(name, table, column, 0.0, FATAL if hits.sure else CONVENTION)
    result = judged(Tally(check, hits.rows, hits.of))
    return asdict(replace(result, reason=told(hits.attributes.most_common()) or result.reason))


def _search(residue: Residue, lake: "Lake", name: str, buckets: Buckets) -> None:
    rows = dataset(lake.omop(name))
    texts = [field.name for field in rows.schema if str(field.type) in ("string", "large_string")]
    mine = None
    if BUCKET in rows.schema.names:
        mine = (pc.field(BUCKET) >= buckets.first) & (pc.field(BUCKET) < buckets.end)
    for part in _together(rows.to_batches(columns=texts, filter=mine)) if texts else ():
        for column in texts:
            residue.search(name, column, part[column])


def _together(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches of many files as few tables: a text that stands in several of them is looked through once."""
    some: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        some.append(batch)
        size += batch.nbytes
        if size > ENOUGH_BYTES:
            yield pa.Table.from_batches(some)
            some, size = [], 0
    if some:
        yield pa.Table.from_batches(some)
