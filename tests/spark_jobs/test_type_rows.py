"""Text as typed values: what no reader of the lake could hold is not a value of its type."""

from collections.abc import Iterator

import pytest

from etl.declaration import SourceColumn
from etl.sql_text import literal
from spark_jobs.engine import Engine, open_engine
from spark_jobs.type_rows import cast_text


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_engine() as opened:
        yield opened


@pytest.mark.parametrize(
    ("kind", "zone", "text", "read"),
    [
        ("date", "UTC", "0001-01-01", "0001-01-01"),
        ("date", "UTC", "9999-12-31", "9999-12-31"),
        ("date", "UTC", "-0044-03-15", None),
        ("date", "UTC", "12345-01-01", None),
        ("date", "UTC", "2021-02-30", None),
        ("timestamp", "UTC", "0001-01-01 00:00:00", "0001-01-01 00:00:00"),
        ("timestamp", "UTC", "9999-12-31 23:59:59", "9999-12-31 23:59:59"),
        ("timestamp", "UTC", "12345-01-01 00:00:00", None),
        ("timestamp", "Europe/Paris", "9999-12-31 23:59:59", "9999-12-31 22:59:59"),
        ("timestamp", "Europe/Paris", "9999-12-31T23:59:59Z", None),  # there it is the year 10000
        ("timestamp", "Europe/Paris", "0001-01-01 00:00:00", None),  # in UTC that was the year before
        ("timestamp", "America/New_York", "9999-12-31 23:59:59", None),
        ("timestamp", "America/New_York", "0001-01-01T00:00:00Z", None),
        ("timestamp", "America/New_York", "0002-01-01T00:00:00Z", "0002-01-01 00:00:00"),
        ("double", "UTC", "NaN", None),
        ("double", "UTC", "-inf", None),
        ("double", "UTC", "1e400", None),
        ("double", "UTC", "1.5e3", "1500.0"),
        ("double", "UTC", " 4.20 ", "4.2"),
        ("bigint", "UTC", "9223372036854775807", "9223372036854775807"),
        ("bigint", "UTC", "9223372036854775808", None),
    ],
)
def test_a_text_is_a_value_that_every_reader_can_hold_or_none(engine, kind, zone, text, read):
    query = cast_text(literal(text), SourceColumn(type=kind), zone)
    (row,) = engine.rows(f"SELECT CAST(({query}) AS string) AS value")
    assert row["value"] == read
