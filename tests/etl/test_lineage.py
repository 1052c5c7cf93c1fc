"""Lineage says of each column of the CDM which columns of the source it is made of, through steps, joins and unions."""

from pathlib import Path

import pytest

from etl.compiler import compile_mapping, compile_source
from etl.declaration import list_sources, load_source, source_folder
from etl.lineage import MappingLineage, lineage_of, mapping_lineage
from tests.hospital import write_source


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("lineage") / "tiny")


def traced(folder: Path, name: str, sql: str) -> MappingLineage:
    source = load_source(folder)
    return mapping_lineage(source, compile_mapping(source, name, sql))


def test_a_result_comes_from_the_laboratory(folder):
    (found,) = [found for found in lineage_of(compile_source(folder)) if found.mapping.name == "measurement"]
    fields = {field.given: field for field in found.fields}
    assert fields["measurement_code"].fills == (
        "measurement_concept_id",
        "measurement_source_value",
        "measurement_source_concept_id",
    )
    assert fields["measurement_code"].looked_up == "LOCAL" and fields["measurement_code"].expression == ""
    assert fields["measurement_datetime"].fills == ("measurement_date", "measurement_datetime")
    assert fields["value_as_number"].origins == (("analyse", "valeur"),)
    assert fields["value_as_number"].expression == "TRY_CAST(REPLACE(analyse.valeur, ',', '.') AS DOUBLE)"
    assert fields["person_key"].fills == ("person_id",)
    assert found.rules == {"_exclude": ("cancelled_by_laboratory",)}


def test_a_diagnosis_takes_its_person_from_the_stay(folder):
    (found,) = [found for found in lineage_of(compile_source(folder)) if found.mapping.name == "condition_occurrence"]
    origins = found.origins_of()
    assert origins["person_id"] == (("sejour", "ipp"),)
    assert origins["condition_concept_id"] == (("diagnostic", "code"),)
    assert found.rules == {"_quarantine": ("no such stay",)}


def test_both_sides_of_a_union_count_by_their_place(folder):
    found = traced(
        folder,
        "observation",
        """
        WITH patient AS (SELECT ipp, sexe, naissance FROM bronze.patient),
        fact AS (
            SELECT ipp AS who, naissance AS day, sexe AS said FROM patient
            UNION ALL SELECT ipp, entree, 'stay' FROM bronze.sejour
        )
        SELECT who AS person_key, day AS observation_date, upper(said) AS value_as_string FROM fact
        """,
    )
    assert found.origins_of() == {
        "person_id": (("patient", "ipp"), ("sejour", "ipp")),
        "observation_date": (("patient", "naissance"), ("sejour", "entree")),
        "value_as_string": (("patient", "sexe"),),
    }


def test_a_window_and_a_sum_lead_to_all_that_they_read(folder):
    found = traced(
        folder,
        "person",
        """
        WITH stay AS (
            SELECT ipp, iep, max(entree) OVER (PARTITION BY ipp ORDER BY sortie) AS last_stay FROM bronze.sejour
        )
        SELECT stay.ipp AS _key, year(stay.last_stay) AS year_of_birth FROM stay
        """,
    )
    assert found.origins_of()["year_of_birth"] == (("sejour", "entree"), ("sejour", "ipp"), ("sejour", "sortie"))


def test_a_rule_that_is_the_value_of_a_column_is_known_by_name(folder):
    """What a condition refuses, or only compares with, is no rule."""
    found = traced(
        folder,
        "measurement",
        """
        WITH step AS (
            SELECT ipp, CASE WHEN valeur = 'x' THEN 'not_done' WHEN unite = '' THEN 'refused' ELSE 'done' END AS class
            FROM bronze.analyse
        )
        SELECT ipp AS person_key, CASE WHEN class NOT IN ('done') THEN class END AS _exclude FROM step
        """,
    )
    assert found.rules == {"_exclude": ("not_done", "refused")}


@pytest.mark.parametrize("name", list_sources())
def test_every_origin_is_declared_and_every_column_has_one_or_is_made_of_none(name: str):
    compiled = compile_source(source_folder(name))
    for found in lineage_of(compiled):
        assert all(rules for rules in found.rules.values()), f"{found.mapping.name}: a rule without a name"
        for field in found.fields:
            where = f"{found.mapping.name}.{field.given}"
            assert field.origins or field.expression, where
            for table, column in field.origins:
                assert column in {*compiled.source.tables[table].bronze_columns, "_row"}, where
