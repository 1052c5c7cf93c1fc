"""Controls of a source: the same question put to the source and to the CDM."""

import pytest

from etl.reconciliation import Control, controls_query, difference, load_controls, tables_of
from passerelle.errors import UsageError

DEATHS = Control(
    name="deaths", table="death",
    source="SELECT count(*) AS value FROM bronze.patient WHERE deces IS NOT NULL",
    cdm="SELECT count(*) AS value FROM omop.death",
)  # fmt: skip


@pytest.mark.parametrize(
    ("source", "cdm", "expected"),
    [
        ("55", "55", (0, 55)),
        ("55", "50", (5, 55)),  # 9 % of the deaths are lost
        ("0", "3", (3, 1)),
        ("2691913.4000000004", "2691913.4", (0, 1)),  # a sum of doubles depends on its order
        ("2691913.4", "2691923.4", (1, 1)),
        ("2022-01-01 15:17:07", "2022-01-01 15:17:07", (0, 1)),
        ("2022-01-01 15:17:07", "2022-01-01 14:17:07", (1, 1)),
        (None, None, (0, 1)),
        ("3", None, (1, 1)),
    ],
)
def test_numbers_differ_by_their_size_and_all_else_is_equal_or_not(source, cdm, expected):
    assert difference(source, cdm) == expected


def test_a_control_reads_bronze_on_one_side_and_the_cdm_on_the_other():
    assert (tables_of([DEATHS], "bronze"), tables_of([DEATHS], "omop")) == ({"patient"}, {"death"})
    query = controls_query([DEATHS], {"bronze": "b__{}".format, "omop": "o__{}".format})
    assert "FROM b__patient WHERE" in query and "FROM o__death" in query


def test_a_difference_that_is_allowed_has_a_reason(tmp_path):
    text = "- {name: x, table: person, source: SELECT 1 AS value, cdm: SELECT 1 AS value, allowed_percent: 2}\n"
    (tmp_path / "reconcile.yaml").write_text(text)
    with pytest.raises(UsageError, match="say why"):
        load_controls(tmp_path)
    assert load_controls(tmp_path / "none") == []
