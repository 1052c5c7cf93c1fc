"""Coverage by month and care site: the socle commun, and when a service began to send."""

from typing import Any

import pytest

from omop.cdm import cdm_tables
from omop.quality.coverage import Course, course_of
from omop.quality.socle import attributes_of, codes_of, items
from passerelle.errors import UsageError
from spark_jobs.measure_coverage import measure_coverage
from tests.omop.omop_case import arrow, on_engine
from tests.omop.test_quality_violations import COLUMNS, WARD

MARCH = 2025 * 12 + 2


class Ward:
    """The rows of the small ward, under the names that the engine knows."""

    def __init__(self, given: dict[str, list[dict[str, Any]]]) -> None:
        self.tables = {name: COLUMNS[name] for name in given}

    def __call__(self, table: str) -> str:
        return f"covered__{table}"


def measured(engine, given) -> dict[tuple, int]:
    for name, rows in given.items():
        on_engine(engine, f"covered__{name}", arrow(name, rows))
    found = measure_coverage(engine, Ward(given), codes_of())
    return {(row["key"], row["month"], row["care_site_id"]): row["stays"] for row in found}


def test_the_socle_has_51_items_in_the_official_order():
    numbers = list(items())
    assert len(numbers) == 51
    assert numbers[:9] == ["1.a.1", "1.a.2", "1.a.3", "1.a.4", "1.a.5", "1.b.1", "1.b.2", "2.1", "2.2"]
    assert [n for n in numbers if n.startswith("4")] == ["4.1", "4.2", "4.3", "4.4"]  # dates in the official sheet
    assert sum(item.lot == "1" for item in items().values()) == 47
    assert {item.table for item in items().values()} - {"crosswalk"} <= set(cdm_tables())
    assert items()["4.3"].label == "Médicament administré"


def test_each_stay_counts_once_for_each_table_and_item(sail):
    given = {**WARD, "measurement": WARD["measurement"] + [WARD["measurement"][0] | {"measurement_id": 9}]}
    given["concept"] = [
        row | ({"vocabulary_id": "LOINC", "concept_code": "2160-0"} if row["concept_id"] == 3016723 else {})
        for row in WARD["concept"]
    ]
    found = measured(sail, given)
    assert found["visit_occurrence", MARCH, 7] == 2
    assert found["measurement", MARCH, 7] == 2  # the first stay has two results
    assert found["3.a.2", MARCH, 7] == 2  # creatinine, by its LOINC code
    assert found["2.4", MARCH, 7] == 2
    assert found["2.2", MARCH, 7] == 2
    assert found["4.1", MARCH, 7] == found["4.2", MARCH, 7] == 2
    assert found["1.a.4", MARCH, 7] == 1  # one of the two has died
    assert ("4.3", MARCH, 7) not in found  # nothing was given: an order is not an administration
    assert ("2.7", MARCH, 7) not in found  # a day of departure, but no time


def test_a_habit_is_said_once_of_a_person_and_true_of_all_the_stays(sail):
    smoker = {"observation_id": 1, "person_id": 1, "observation_concept_id": 0, "observation_source_concept_id": 4_000,
              "observation_date": WARD["death"][0]["death_date"], "observation_type_concept_id": 32817}  # fmt: skip
    tobacco = {"concept_id": 4_000, "concept_name": "x", "domain_id": "Observation", "vocabulary_id": "LOINC",
               "concept_class_id": "x", "concept_code": "72166-2"}  # fmt: skip
    given = {**WARD, "observation": [smoker], "concept": WARD["concept"] + [tobacco]}
    assert measured(sail, given)["5.b.1", MARCH, 7] == 1


def test_a_source_names_its_own_codes(tmp_path):
    (tmp_path / "socle.csv").write_text("item,vocabulary,code\n5.b.1,LOCAL,TABAC\n")
    assert codes_of(tmp_path)["LOCAL", "TABAC"] == "5.b.1"
    (tmp_path / "socle.csv").write_text("item,vocabulary,code\n9.9,LOCAL,TABAC\n")
    with pytest.raises(UsageError, match="socle commun"):
        codes_of(tmp_path)


def test_identity_is_counted_by_the_name_of_its_attribute():
    counts = {"NIR": 3, "ins": 9, "nom": 10}
    assert [attributes_of(items()[number], counts) for number in ("1.a.1", "1.a.2", "1.a.5")] == [3, 9, 0]


def test_a_service_began_where_nothing_turns_into_a_constant_share():
    months = dict.fromkeys(range(6), (100, 0)) | {6: (100, 40)} | dict.fromkeys(range(7, 24), (100, 80))
    assert course_of(months) == Course(began=6, usual=(40 + 17 * 80) / 1800, holes=())


def test_a_few_early_rows_are_not_the_beginning():
    months = {0: (100, 2)} | dict.fromkeys(range(1, 12), (100, 0)) | dict.fromkeys(range(12, 24), (100, 90))
    assert course_of(months).began == 12


def test_a_month_in_which_next_to_nothing_came_is_a_hole_and_a_quiet_one_is_not():
    months = dict.fromkeys(range(12), (100, 80)) | {4: (100, 3), 8: (2, 0)}  # two stays without a row: chance
    assert course_of(months).holes == (4,)


def test_what_never_came_never_began():
    assert course_of(dict.fromkeys(range(6), (50, 0))) == Course(None, 0.0, ())
    assert course_of({}) == Course(None, 0.0, ())
