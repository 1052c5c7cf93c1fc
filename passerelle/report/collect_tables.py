"""What stands in the CDM tables, read from Delta: rows, persons, concepts, completeness over time and by care site.

Tables are read a few buckets at a time and a few columns at a time, so a table may be larger than memory.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from omop.cdm import EVENT_TABLES, event_roles
from omop.cdm import table as cdm_table
from omop.lake import Lake
from passerelle.report.delta_tables import cdm_dataset
from passerelle.report.facts import CareSite, CdmFacts, CodedField, TableFacts
from passerelle.report.timeline import timeline_of

BUCKET = "person_bucket"
SCANS = 8  # passes over a table: a person is in one bucket, so distinct persons of the passes add up
LARGEST = 50_000_000  # rows; beyond, only rows and persons are read
SITES = 12
SMALLEST_SITE = 5  # stays; smaller sites are shown together
DATES = {"visit_occurrence": "visit_start_date", "note": "note_date"} | {
    name: event_roles(name).start_date for name in EVENT_TABLES
}
NO_CODE = ("_type_concept_id", "_source_concept_id", "event_field_concept_id")  # not resolved from a code of the source
Months = Counter[int]  # year * 12 + month - 1 → rows


@dataclass
class Tally:
    """Counts of one CDM table."""

    rows: int = 0
    persons: int = 0
    months: Months = field(default_factory=Counter)
    coded: Counter[str] = field(default_factory=Counter)
    mapped: Counter[str] = field(default_factory=Counter)
    large: bool = False


def collect_tables(lake: Lake, names: Sequence[str], buckets: tuple[int, int], versions: Mapping[str, int]) -> CdmFacts:
    """Facts of the CDM tables of one source.

    Args:
        buckets: its person buckets: the first, and the one after the last.
        versions: of the tables, as their readers see them.
    """
    tables = {name: cdm_dataset(lake, name, versions) for name in names}
    present = {name: dataset for name, dataset in tables.items() if dataset is not None}
    tallies = {name: Tally() for name in present}
    sites: Counter[int | None] = Counter()
    with_rows: dict[str, Counter[int | None]] = {name: Counter() for name in present if name in DATES}
    for chosen in _passes(*buckets):
        visits = {name: _scan(name, dataset, chosen, tallies[name]) for name, dataset in present.items()}
        _count_sites(present, chosen, visits, sites, with_rows)
    facts = [
        TableFacts(name, tally.rows, _persons(name, tally), _fields(name, tally)) for name, tally in tallies.items()
    ]
    site_tables = [name for name in with_rows if name != "visit_occurrence" and with_rows[name]]
    return CdmFacts(
        tables=facts,
        timeline=timeline_of({name: tallies[name].months for name in DATES if name in tallies}),
        care_sites=_sites(lake, versions, sites, with_rows, site_tables),
        site_tables=site_tables,
        skipped=[*(set(names) - set(present)), *(name for name, tally in tallies.items() if tally.large)],
    )


def cdm_source_row(lake: Lake, buckets: tuple[int, int], versions: Mapping[str, int]) -> dict[str, Any]:
    """What the source says of itself; empty when it was never mapped."""
    dataset = cdm_dataset(lake, "cdm_source", versions)
    if dataset is None:
        return {}
    rows: list[dict[str, Any]] = dataset.to_table(filter=_within(*buckets)).to_pylist()
    return rows[0] if rows else {}


def _passes(first: int, end: int) -> Iterator[tuple[int, int]]:
    step = -(-(end - first) // SCANS)
    return ((start, min(start + step, end)) for start in range(first, end, step))


def _within(first: int, end: int) -> Any:
    return (pc.field(BUCKET) >= first) & (pc.field(BUCKET) < end)


def _scan(name: str, dataset: Any, buckets: tuple[int, int], tally: Tally) -> pa.Array:
    """Add some buckets of a table to its counts; returns the stays that have a row there."""
    tally.large = tally.large or dataset.count_rows() > LARGEST
    visits, persons = [pa.array([], pa.int64())], [pa.array([], pa.int64())]
    for batch in dataset.to_batches(columns=_columns(name, dataset.schema.names, tally), filter=_within(*buckets)):
        tally.rows += batch.num_rows
        for column, distinct in (("person_id", persons), ("visit_occurrence_id", visits)):
            if column in batch.schema.names:
                distinct.append(pc.unique(batch[column]).cast(pa.int64()))
        if DATES.get(name) in batch.schema.names:
            _count_months(batch[DATES[name]], tally.months)
        for column in batch.schema.names:
            if column.endswith("_concept_id"):
                tally.coded[column] += len(batch[column]) - batch[column].null_count
                tally.mapped[column] += pc.sum(pc.not_equal(batch[column], 0)).as_py() or 0
    tally.persons += pc.count_distinct(pa.chunked_array(persons)).as_py()
    return pc.unique(pa.chunked_array(visits))


def _columns(name: str, present: list[str], tally: Tally) -> list[str]:
    if tally.large:
        return [column for column in present if column == "person_id"] or [BUCKET]
    wanted = {"person_id", "visit_occurrence_id", DATES.get(name), BUCKET}
    coded = [column.name for column in cdm_table(name).columns if _is_coded(column.name)]
    return [column for column in present if column in wanted or column in coded]


def _is_coded(column: str) -> bool:
    return column.endswith("_concept_id") and not column.endswith(NO_CODE)


def _count_months(days: pa.Array, months: Months) -> None:
    numbers = pc.add(pc.multiply(pc.year(days), 12), pc.subtract(pc.month(days), 1))
    for pair in pc.value_counts(numbers).to_pylist():
        if pair["values"] is not None:
            months[pair["values"]] += pair["counts"]


def _persons(name: str, tally: Tally) -> int | None:
    return tally.persons if "person_id" in cdm_table(name).column_names else None


def _fields(name: str, tally: Tally) -> list[CodedField]:
    coded = {} if name == "cdm_source" else tally.coded  # its concept is ours, not resolved from a code
    return [CodedField(name, column, rows, tally.mapped[column]) for column, rows in coded.items() if rows]


# --- Care sites ----------------------------------------------------------------------------------------------------


def _count_sites(
    present: dict[str, Any],
    buckets: tuple[int, int],
    visits: dict[str, pa.Array],
    sites: Counter[int | None],
    with_rows: dict[str, Counter[int | None]],
) -> None:
    """Stays of each care site, and those of them that have a row in each event table."""
    if "visit_occurrence" not in present:
        return
    stays = present["visit_occurrence"].to_table(
        columns=["visit_occurrence_id", "care_site_id"], filter=_within(*buckets)
    )
    _add(sites, stays["care_site_id"])
    for name, counted in with_rows.items():
        here = pc.is_in(stays["visit_occurrence_id"], value_set=visits[name])
        _add(counted, stays["care_site_id"].filter(here))


def _add(counter: Counter[int | None], values: pa.ChunkedArray) -> None:
    for pair in pc.value_counts(values).to_pylist():
        counter[pair["values"]] += pair["counts"]


def _sites(
    lake: Lake,
    versions: Mapping[str, int],
    sites: Counter[int | None],
    with_rows: dict[str, Counter[int | None]],
    site_tables: list[str],
) -> list[CareSite]:
    names = _site_names(lake, versions)
    large = [site for site, stays in sites.most_common(SITES) if stays >= SMALLEST_SITE]
    shown = [(names.get(site, "no care site given" if site is None else "without a name"), [site]) for site in large]
    if rest := [site for site in sites if site not in large]:
        shown.append((f"{len(rest)} smaller care site{'s' if len(rest) > 1 else ''}", rest))
    return [
        CareSite(
            name,
            sum(sites[site] for site in members),
            {table: sum(with_rows[table][site] for site in members) for table in site_tables},
        )
        for name, members in shown
    ]


def _site_names(lake: Lake, versions: Mapping[str, int]) -> dict[int | None, str]:
    dataset = cdm_dataset(lake, "care_site", versions)
    if dataset is None:
        return {}
    rows = dataset.to_table(columns=["care_site_id", "care_site_name"]).to_pylist()
    return {row["care_site_id"]: row["care_site_name"] for row in rows if row["care_site_name"]}
