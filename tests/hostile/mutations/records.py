"""Records that are sent twice, or not at all."""

import copy

from tests.hostile.mutations.mutation import (
    EITHER,
    FILES,
    RECORDS,
    SAME,
    At,
    Record,
    mutation,
)


@mutation("every record is sent twice", RECORDS, SAME)
def records_twice(records: list[Record], at: At) -> list[Record]:
    return [*records, *copy.deepcopy(records)]


@mutation("the records come in another order", RECORDS, SAME)
def another_order(records: list[Record], at: At) -> list[Record]:
    return at.rng.sample(records, len(records))


@mutation("the same key with another content", RECORDS)
def key_with_two_contents(records: list[Record], at: At) -> list[Record]:
    return [*records, *(_otherwise(record) for record in copy.deepcopy(records[:5]))]


def _otherwise(record: Record) -> Record:
    """The last value that is a text, changed: identifiers come first in every source."""
    if isinstance(record, list):
        record[-1] = f"{record[-1]}1"
    else:
        record["language"] = "fr-FR"
        record["status"] = "unknown"
    return record


@mutation("a record is gone, and others still name it", RECORDS, EITHER)
def orphans(records: list[Record], at: At) -> list[Record]:
    del records[at.rng.randrange(len(records))]
    return records


@mutation("only one record is left", RECORDS, EITHER)
def one_record(records: list[Record], at: At) -> list[Record]:
    return records[:1]


@mutation("no record at all, the header is there", RECORDS, fhir=EITHER)
def no_record(records: list[Record], at: At) -> list[Record]:
    return []


@mutation("a million times the same record", RECORDS, formats=FILES, slow=True)
def a_million_times(records: list[Record], at: At) -> list[Record]:
    return [*records, *[records[0]] * 1_000_000]
