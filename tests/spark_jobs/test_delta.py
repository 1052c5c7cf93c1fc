"""The receipt: a write is compared with what was meant; on a difference the version before is back."""

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from omop.delta_read import dataset
from passerelle.errors import ReceiptError
from spark_jobs import delta
from spark_jobs.delta import NEW, Buckets, columns_of, holds_rows, overwrite, replace_buckets, restore, row_count
from spark_jobs.engine import Engine, no_row, open_engine

SCHEMA = {"person_id": "bigint", "value": "string", "person_bucket": "int"}
MINE, THEIRS = Buckets(0, 8), Buckets(8, 16)


@pytest.fixture(scope="module")
def engine():
    with open_engine() as opened:
        yield opened


def frame(engine: Engine, *rows: tuple[int, str, int]):
    values = ", ".join(f"(CAST({p} AS bigint), '{v}', CAST({b} AS int))" for p, v, b in rows)
    names = ", ".join(SCHEMA)
    return engine.sql(f"SELECT {names} FROM (VALUES {values}) AS t({names})")


def content(path: Path) -> list[tuple]:
    return sorted(tuple(row[name] for name in SCHEMA) for row in dataset(path).to_table().to_pylist())


@pytest.fixture
def person(engine, tmp_path):
    """Two rows of ours, one of another source."""
    path = tmp_path / "person"
    replace_buckets(frame(engine, (1, "a", 0), (2, "b", 7)), path, SCHEMA, 2, MINE)
    replace_buckets(frame(engine, (9, "z", 8)), path, SCHEMA, 1, THEIRS)
    return path


def test_a_write_gives_a_receipt_of_version_and_rows(engine, tmp_path):
    receipt = overwrite(frame(engine, (1, "a", 0), (2, "b", 1)), tmp_path / "t", SCHEMA, 2)
    assert (receipt.version, receipt.rows) == (0, 2)
    assert overwrite(frame(engine, (3, "c", 0)), tmp_path / "t", SCHEMA, 1).version == 1
    assert content(tmp_path / "t") == [(3, "c", 0)]
    assert columns_of(tmp_path / "t") == {"person_id": "long", "value": "string", "person_bucket": "integer"}


def test_buckets_of_others_are_untouched(engine, person):
    receipt = replace_buckets(frame(engine, (3, "c", 5)), person, SCHEMA, 1, MINE)
    assert content(person) == [(3, "c", 5), (9, "z", 8)] and receipt.rows == 1
    assert not holds_rows(person, Buckets(6, 8)) and holds_rows(person, THEIRS)


def test_no_row_empties_our_buckets_only(engine, person):
    replace_buckets(engine.sql(no_row(SCHEMA)), person, SCHEMA, 0, MINE)
    assert content(person) == [(9, "z", 8)]


def test_nothing_in_place_of_nothing_is_no_version(engine, person):
    """A table that stays empty for a source, run after run: one engine makes no commit of it, and none is needed."""
    version = delta.table_version(person)
    receipt = replace_buckets(engine.sql(no_row(SCHEMA)), person, SCHEMA, 0, Buckets(16, 24))
    assert (receipt.version, receipt.rows) == (version, 0) and content(person) == [
        (1, "a", 0),
        (2, "b", 7),
        (9, "z", 8),
    ]


@pytest.mark.parametrize("meant", [0, 1, 3])
def test_a_wrong_count_brings_the_version_before_back(engine, person, meant):
    before = content(person)
    with pytest.raises(ReceiptError, match=r"person does not hold what was meant") as refused:
        replace_buckets(frame(engine, (3, "c", 5), (4, "d", 6)), person, SCHEMA, meant, MINE)
    assert f"3 rows, {meant + 1} meant" in refused.value.what and "previous version" in refused.value.do
    assert content(person) == before


def test_a_wrong_count_of_a_new_table_leaves_no_table(engine, tmp_path):
    with pytest.raises(ReceiptError):
        overwrite(frame(engine, (1, "a", 0)), tmp_path / "t", SCHEMA, 2)
    assert not (tmp_path / "t").exists()


def test_rows_outside_the_buckets_that_are_replaced_are_refused(engine, person):
    """A row in another source's bucket is no row of this run: the engine writes it, the receipt sees it."""
    before = content(person)
    with pytest.raises(ReceiptError, match="rows in buckets that are not those of this write"):
        replace_buckets(frame(engine, (3, "c", 9)), person, SCHEMA, 1, MINE)
    assert content(person) == before


@pytest.mark.parametrize(
    "schema",
    [
        {"person_id": "bigint", "person_bucket": "int"},
        {"person_id": "bigint", "value": "string", "more": "string", "person_bucket": "int"},
        {"person_id": "bigint", "value": "bigint", "person_bucket": "int"},
    ],
    ids=["a column less", "a column more", "another type"],
)
def test_another_schema_is_refused_before_anything_is_written(engine, person, schema):
    version = delta.table_version(person)
    with pytest.raises(ReceiptError, match=r"another schema than this run writes: (value|more)"):
        replace_buckets(engine.sql(no_row(schema)), person, schema, 0, MINE)
    assert delta.table_version(person) == version


def test_a_table_without_buckets_is_not_replaced_by_bucket(engine, tmp_path):
    with pytest.raises(ReceiptError, match="no person_bucket"):
        replace_buckets(engine.sql("SELECT 1 AS a"), tmp_path / "t", {"a": "int"}, 1, MINE)


def test_a_commit_of_somebody_else_is_noticed(engine, person, monkeypatch):
    """Two versions where one was meant: the workspace has another writer."""
    before, original = content(person), delta._receipt

    def disturbed(path: Path, *rest):
        DeltaTable(str(path)).delete("person_bucket = 8")
        return original(path, *rest)

    monkeypatch.setattr(delta, "_receipt", disturbed)
    with pytest.raises(ReceiptError, match="version 3 after 1"):
        replace_buckets(frame(engine, (3, "c", 5)), person, SCHEMA, 1, MINE)
    assert content(person) == before


def test_a_lost_race_is_tried_again_and_other_errors_are_not(engine, tmp_path):
    said = ["Failed to commit transaction: 3", "Failed to commit transaction: 4"]

    def write() -> None:
        if said:
            raise RuntimeError(said.pop())
        frame(engine, (1, "a", 0)).write.format("delta").save(str(tmp_path / "t"))

    assert delta._write(write, tmp_path / "t", SCHEMA, 1, None).version == 0
    tries = []

    def refuse() -> None:
        tries.append(1)
        raise RuntimeError("no such function")

    with pytest.raises(RuntimeError):
        delta._write(refuse, tmp_path / "t", SCHEMA, 1, None)
    assert len(tries) == 1


def test_restore_gives_back_a_version_and_does_nothing_when_it_stands(engine, person):
    first = content(person)
    replace_buckets(frame(engine, (3, "c", 5)), person, SCHEMA, 1, MINE)
    restore(person, 1)
    assert content(person) == first and delta.table_version(person) == 3
    restore(person, 1)
    assert delta.table_version(person) == 3


def test_a_table_that_is_not_there_has_no_version_and_no_rows(tmp_path):
    assert (delta.table_version(tmp_path / "t"), row_count(tmp_path / "t")) == (NEW, 0)
    assert not holds_rows(tmp_path / "t", MINE)


def test_counts_come_from_the_log(engine, person):
    assert row_count(person) == dataset(person).count_rows() == 3
    assert pa.table(DeltaTable(str(person)).get_add_actions(flatten=True)).num_rows == 3
