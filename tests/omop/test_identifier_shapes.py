"""Values shaped like an identifier, in what the source wrote."""

import pytest

from omop.quality.identifier_shapes import identifiers_query, read_identifiers
from tests.omop.omop_case import arrow, on_engine
from tests.omop.test_quality_violations import COLUMNS, WARD

TABLES = {"condition_occurrence": COLUMNS["condition_occurrence"]}


@pytest.mark.parametrize(
    ("value", "is_identifier"),
    [
        ("185057800608491", True),  # a NIR and its key, all of it invented
        ("185057800608436", False),  # the key is wrong: some other code
        ("1850578006084", True),
        ("185052A00608418", True),
        ("124171000119105", False),  # SNOMED
        ("06 12 34 56 78", True),
        ("a.martin@chu.example", True),
        ("3400930000014", False),  # CIP13
        ("N179", False),
        ("2024-03-05 06:00", False),
    ],
)
def test_an_identifier_is_known_by_its_shape(sail, value, is_identifier):
    row = WARD["condition_occurrence"][0] | {"condition_source_value": value}
    on_engine(sail, "shape__condition_occurrence", arrow("condition_occurrence", [row]))
    found = read_identifiers(sail.rows(identifiers_query(TABLES, "shape__{}".format)), TABLES)
    assert found == {
        "condition_occurrence.condition_source_value": int(is_identifier),
        "condition_occurrence.condition_status_source_value": 0,
    }
