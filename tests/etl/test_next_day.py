"""The next day of a generated hospital: only the touched patients move, by the rules that the declaration signs."""

from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from etl.declaration import SOURCES, load_source
from etl.demo import chu_demo, chu_second, feeds
from etl.demo.people import EXTRACTION
from etl.demo.record import TRUTH
from passerelle.errors import UsageError

PATIENTS, SHARE = 100, 0.3
HOSPITALS = {"chu_demo": chu_demo, "chu_second": chu_second}


@pytest.fixture(scope="module", params=sorted(HOSPITALS))
def days(request) -> tuple[ModuleType, dict[str, pa.Table], dict[str, pa.Table]]:
    hospital = HOSPITALS[request.param]
    return hospital, hospital.patient_tables(PATIENTS), hospital.patient_tables(PATIENTS, day=1, share=SHARE)


def rows(table: pa.Table) -> set[str]:
    return set(map(str, table.to_pylist()))


def changed(before: pa.Table, after: pa.Table) -> list[dict[str, Any]]:
    known = rows(before)
    return [row for row in after.to_pylist() if str(row) not in known]


def test_the_same_day_is_the_same_twice(days):
    hospital, _, after = days
    again = hospital.patient_tables(PATIENTS, day=1, share=SHARE)
    assert all(again[name].equals(after[name]) for name in after)


def test_a_share_of_the_patients_is_touched_and_nobody_else(days):
    _, before, after = days
    touched = {
        row["ipp"]
        for name, table in after.items()
        if "ipp" in table.column_names
        for row in [*changed(before[name], table), *changed(table, before[name])]
    }
    assert 0.5 * SHARE < len(touched) / PATIENTS < 1.5 * SHARE


def test_there_are_new_stays_late_results_and_corrections(days):
    hospital, before, after = days
    stay, number = ("sejour", "numero_sejour") if hospital is chu_demo else ("sejours", "nda")
    new = [row for row in changed(before[stay], after[stay]) if row[number] not in before[stay][number].to_pylist()]
    assert new and all(row["entree"] > EXTRACTION.item() for row in new)
    results, drawn = ("resultat_biologie", "preleve_le") if hospital is chu_demo else ("prelevements", "preleve_le")
    key = "result_id" if hospital is chu_demo else "prelevement_id"
    fresh = [r for r in changed(before[results], after[results]) if r[key] not in set(before[results][key].to_pylist())]
    assert min(row[drawn] for row in fresh) < EXTRACTION.item() < max(row[drawn] for row in fresh)


def test_every_row_that_changed_carries_a_later_change_column(days):
    hospital, before, after = days
    for name, table in load_source(SOURCES / hospital.HOSPITAL).tables.items():
        if table.change_column and name in after:
            moved = [row[table.change_column] for row in changed(before[name], after[name])]
            assert all(moment >= EXTRACTION.item() for moment in moved), name


def test_rows_leave_by_the_rule_of_their_table(days):
    hospital, before, after = days
    deleted = 0
    for name, table in load_source(SOURCES / hospital.HOSPITAL).tables.items():
        if name not in after:
            continue
        key = list(table.key)
        left = rows(before[name].select(key)) - rows(after[name].select(key))
        column = table.delete_rule.column
        if column is None:
            deleted += len(left)
        else:
            assert not left, f"a row of {name} vanished although its deletions arrive as tombstones"
            deleted += after[name].num_rows - after[name][column].null_count > (
                before[name].num_rows - before[name][column].null_count
            )
    assert deleted > 5


def test_what_belongs_to_a_new_row_points_to_it(days):
    hospital, _, after = days
    lines, gifts, reviews = (
        ("prescription", "administration", "avis_pharmaceutique")
        if hospital is chu_demo
        else ("lignes", "administrations", "avis_pharma")
    )
    known = after[lines]["ligne_id"].combine_chunks()
    for name in (gifts, reviews):
        pointing = after[name]["ligne_id"].drop_null()
        assert pc.all(pc.is_in(pointing, known)).as_py(), name
    if hospital is chu_second:
        heads = after["ordonnances"]["ordonnance_id"].combine_chunks()
        lines = after["lignes"].filter(pc.is_null(after["lignes"]["supprime"]))
        assert pc.all(pc.is_in(lines["ordonnance_id"], heads)).as_py()
        samples = after["prelevements"]["prelevement_id"].combine_chunks()
        kept = after["resultats"].filter(pc.is_null(after["resultats"]["supprime"]))
        assert pc.all(pc.is_in(kept["prelevement_id"], samples)).as_py()


def test_nothing_is_known_of_the_future(days):
    _, _, after = days
    now = EXTRACTION.item().replace(day=2)
    for name, table in after.items():
        for field in table.schema:
            if pa.types.is_timestamp(field.type) and name not in (TRUTH, "fusions"):
                assert (pc.max(table[field.name]).as_py() or now) <= now, (name, field.name)


def test_keys_stay_unique_day_after_day(days):
    hospital = days[0]
    tables = hospital.patient_tables(PATIENTS, day=3, share=0.1)
    for name, table in load_source(SOURCES / hospital.HOSPITAL).tables.items():
        if name in tables:
            frame = tables[name].to_pandas().drop_duplicates()
            assert not frame.duplicated(list(table.key)).any(), name


@pytest.mark.parametrize(
    ("table", "link"),
    [("evenements", "nda"), ("lignes", "ordonnance_id"), ("avis_pharma", "ligne_id"), ("resultats", "prelevement_id"),
     ("patients", None), ("antecedents", None), ("problemes", None)],
)  # fmt: skip
def test_a_row_follows_the_stay_or_the_row_that_it_names(table, link):
    assert feeds.chu_second().link(table, chu_second.patient_tables(1)[table]) == link


def test_days_beyond_the_last_are_refused():
    with pytest.raises(UsageError, match="9 days"):
        chu_second.patient_tables(1, day=10)
