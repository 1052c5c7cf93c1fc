"""The CDM as declared."""

import pytest

from omop.cdm import DOMAIN_TABLE, ENTITY_TABLES, EVENT_TABLES, TYPE_CONCEPTS, cdm_tables, event_roles, table
from passerelle.errors import ContractError


def specified():
    return [declared for declared in cdm_tables().values() if not declared.extension]


def test_cdm_has_its_39_tables_432_fields_and_180_required_ones():
    fields = [column for declared in specified() for column in declared.columns]
    assert len(specified()) == 39
    assert len(fields) == 432
    assert sum(column.required for column in fields) == 180
    assert sum(column.primary_key for column in fields) == 28


def test_every_integer_id_is_64_bits_and_every_count_is_not():
    kinds = {(t.name, c.name): c.type for t in cdm_tables().values() for c in t.columns}
    assert kinds["measurement", "measurement_id"] == "bigint"
    assert kinds["fact_relationship", "fact_id_1"] == "bigint"
    assert kinds["concept_relationship", "concept_id_2"] == "bigint"
    assert kinds["device_exposure", "unique_device_id"] == "string"
    assert kinds["person", "year_of_birth"] == "int"
    assert kinds["drug_era", "gap_days"] == "int"
    assert kinds["episode", "episode_object_concept_id"] == "bigint"  # the specification writes its type "Integer" once
    assert set(kinds.values()) == {"bigint", "int", "double", "string", "date", "timestamp"}


def test_names_are_plain_words():
    names = {c.name for t in cdm_tables().values() for c in t.columns} | set(cdm_tables())
    assert all(name.isidentifier() and name == name.lower() for name in names)


def test_keys_references_and_domains_are_read():
    person_of_measurement = table("measurement").column("person_id")
    assert person_of_measurement.references == ("person", "person_id")
    assert person_of_measurement.required
    assert table("person").column("gender_concept_id").domain == "Gender"
    assert table("measurement").primary_key == "measurement_id"
    assert table("death").primary_key is None
    assert table("measurement").column("measurement_source_value").max_length == 50
    assert table("note").column("note_text").max_length is None


def test_references_point_to_columns_that_exist():
    for declared in cdm_tables().values():
        for column in declared.columns:
            if column.references:
                other, name = column.references
                assert name in table(other).column_names, (declared.name, column.name)


def test_a_person_table_is_one_that_has_person_id():
    assert table("drug_era").person_column
    assert not table("note_nlp").person_column
    assert not table("concept").person_column


@pytest.mark.parametrize("name", EVENT_TABLES)
def test_the_roles_of_an_event_table_are_columns_it_has(name):
    roles = vars(event_roles(name)).copy()
    assert roles.pop("table") == name
    assert {column for column in roles.values() if column} <= set(table(name).column_names)
    assert roles["start_date"] and roles["concept"] and roles["type_concept"]


def test_roles_follow_the_irregular_names_of_the_cdm():
    assert event_roles("drug_exposure").start_date == "drug_exposure_start_date"
    assert event_roles("drug_exposure").concept == "drug_concept_id"
    assert event_roles("procedure_occurrence").start_date == "procedure_date"
    assert event_roles("procedure_occurrence").end_date == "procedure_end_date"
    assert event_roles("measurement").end_date is None
    assert event_roles("specimen").source_concept is None


def test_extensions_are_declared_beside_the_cdm():
    assert [t.name for t in cdm_tables().values() if t.extension] == [
        "image_occurrence",
        "image_feature",
        "external_exposure",
    ]
    assert table("image_occurrence").column("image_study_uid").required


def test_domains_and_entities_name_tables():
    assert set(DOMAIN_TABLE.values()) == set(EVENT_TABLES)
    assert {*ENTITY_TABLES, *EVENT_TABLES} <= set(cdm_tables())
    assert TYPE_CONCEPTS["EHR prescription"] == 32838


def test_a_wrong_name_is_answered_with_the_right_ones():
    with pytest.raises(ContractError, match="person, observation_period"):
        table("patient")
    with pytest.raises(ContractError, match="drug_type_concept_id"):
        table("drug_exposure").column("drug_class")
    with pytest.raises(ContractError):
        event_roles("note")
