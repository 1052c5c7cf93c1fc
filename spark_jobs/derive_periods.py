"""Derive observation_period (first to last event of a person) and cdm_source from the mapped tables.

spark-submit passerelle/__main__.py map mimic_iv --workspace W --engine submitted
"""

from datetime import date

from etl.cdm_rows import Frame, bucket_of, hashed_key, table_columns
from etl.declaration import Source
from etl.sql_text import literal
from omop.cdm import CDM_VERSION, TYPE_CONCEPTS
from omop.cdm import table as cdm_table
from omop.lake import Lake, is_delta
from spark_jobs.delta import Buckets, Receipt, replace_buckets, table_version
from spark_jobs.engine import Engine

DERIVED = ("observation_period", "cdm_source")
CDM_VERSION_CONCEPT = 756265  # "OMOP CDM Version 5.4.0"
# Events that show a person was observed: (table, first date, last date).
OBSERVED = (
    ("visit_occurrence", "visit_start_date", "visit_end_date"),
    ("condition_occurrence", "condition_start_date", "condition_start_date"),
    ("procedure_occurrence", "procedure_date", "procedure_date"),
    ("drug_exposure", "drug_exposure_start_date", "drug_exposure_start_date"),
    ("measurement", "measurement_date", "measurement_date"),
    ("observation", "observation_date", "observation_date"),
    ("note", "note_date", "note_date"),
)


def derive_observation_periods(engine: Engine, lake: Lake, frame: Frame, buckets: Buckets) -> Receipt:
    """One period a person, from the first event to the last: the policy of this instance, for every source."""
    query = observation_periods_query(engine, lake, frame, buckets)
    rows = engine.rows(f"SELECT count(*) AS n FROM ({query}) AS p")[0]["n"]
    return _replace(engine, lake, "observation_period", query, rows, buckets)


def observation_periods_query(
    engine: Engine, lake: Lake, frame: Frame, buckets: Buckets, touched: str | None = None
) -> str:
    """Query of the periods of some persons.

    Args:
        touched: view with the ``person_id`` of the persons; None: everybody in the buckets.
    """
    persons = f" AND person_id IN (SELECT person_id FROM {touched})" if touched else ""
    branches = []
    for name, first, last in OBSERVED:
        if is_delta(lake.omop(name)):
            engine.view_of_delta(f"observed__{name}", lake.omop(name), table_version(lake.omop(name)))
            branches.append(
                f"SELECT person_id, min({first}) AS first, max({last}) AS last FROM observed__{name} "
                f"WHERE {buckets.predicate}{persons} GROUP BY person_id"
            )
    spans = (
        f"SELECT person_id, min(first) AS first, max(greatest(first, last)) AS last "
        f"FROM ({' UNION ALL '.join(branches)}) AS e GROUP BY person_id"
    )
    return (
        f"SELECT {hashed_key(frame, 'observation_period', 'person_id')} AS observation_period_id, person_id, "
        f"first AS observation_period_start_date, last AS observation_period_end_date, "
        f"CAST({TYPE_CONCEPTS['Standard algorithm from EHR']} AS bigint) AS period_type_concept_id, "
        f"{bucket_of(frame, 'person_id')} AS person_bucket FROM ({spans}) AS s"
    )


def write_cdm_source(
    engine: Engine,
    lake: Lake,
    source: Source,
    frame: Frame,
    buckets: Buckets,
    *,
    on: date,
    vocabulary: str,
    version: str,
) -> Receipt:
    """The row that says what this CDM is, from whom, when and with which releases."""
    declared = source.cdm_source
    cells = {
        "cdm_source_name": literal(declared.cdm_source_name),
        "cdm_source_abbreviation": literal(declared.cdm_source_abbreviation),
        "cdm_holder": literal(declared.cdm_holder),
        "source_description": literal(declared.source_description),
        "source_documentation_reference": literal(declared.source_documentation_reference),
        "cdm_etl_reference": literal(f"Passerelle {version}"),
        "source_release_date": f"CAST({literal(declared.source_release_date.isoformat())} AS date)",
        "cdm_release_date": f"CAST({literal(on.isoformat())} AS date)",
        "cdm_version": literal(CDM_VERSION),
        "cdm_version_concept_id": f"CAST({CDM_VERSION_CONCEPT} AS bigint)",
        "vocabulary_version": literal(vocabulary),
        "person_bucket": f"CAST({frame.first_bucket} AS int)",
    }
    query = "SELECT " + ", ".join(f"{value} AS {name}" for name, value in cells.items())
    return _replace(engine, lake, "cdm_source", query, 1, buckets)


def _replace(engine: Engine, lake: Lake, name: str, query: str, rows: int, buckets: Buckets) -> Receipt:
    return replace_buckets(engine.sql(query), lake.omop(name), table_columns(cdm_table(name)), rows, buckets)
