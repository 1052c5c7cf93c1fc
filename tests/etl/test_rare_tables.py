# ruff: noqa: E501
"""The rarer tables of the CDM, each from a mapping file: a chemotherapy that a clinician can follow, on the embedded engine.

Mrs 8001 has a breast cancer, a first course of chemotherapy with one infusion, a biopsy whose result names its specimen,
a mammography with a mass of 14 mm, a port, a health insurance that pays the stay and the drug, a letter in which a
program found the word "métastase", denied, and a home under polluted air. An infusion that was not given costs nothing.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from etl.compiler import compile_mapping, compile_source
from etl.declaration import Source
from omop.cdm import EVENT_LINKS, EVENT_TARGETS, cdm_tables
from omop.delta_read import dataset
from omop.lake import Lake
from passerelle.cli import run as cli
from passerelle.errors import MappingError
from tests.hospital import MAPPINGS, ROWS, SOURCE, write_feed, write_source

FACTS = """
  fait:
    path: fait.csv
    key: [id]
    delete_rule: {kind: absence}
    identity_columns: {ipp: person, iep: stay}
    columns: {id: string, quoi: string, ipp: string, iep: string, jour: date, code: string, valeur: string, de: string}
"""
POLICIES = """
  drug_exposure: {type: EHR administration record}
  procedure_occurrence: {type: EHR}
  measurement.biopsie: {type: Lab, one_to_many: pick_one}
  cost.sejour: {type: Cost record, event: visit_occurrence}
  cost.perfusion: {type: Cost record, event: drug_exposure}
  episode_event: {event: drug_exposure}
  image_occurrence: {event: procedure_occurrence}
  image_feature: {type: EHR, event: measurement.biopsie}
  fact_relationship: {event: [specimen, measurement.biopsie]}
  note_nlp: {type: NLP}
  external_exposure: {type: EHR}
"""
DECLARATION = SOURCE.replace("vocabularies:", f"{FACTS.strip(chr(10))}\nvocabularies:", 1) + POLICIES.lstrip("\n")
FACT = "WITH f AS (SELECT id, quoi, ipp, iep, jour, code, valeur, de FROM bronze.fait) SELECT f.id AS _key, f.ipp AS person_key"


def _of(kind: str, columns: str) -> str:
    return f"{FACT}, {columns} FROM f WHERE f.quoi = '{kind}'"


def _own(prefix: str) -> str:
    return f"f.code AS {prefix}_code, 'LOCAL' AS {prefix}_vocabulary"


NOTE = """
    WITH lettre AS (SELECT id, ipp, ecrite, texte FROM bronze.lettre)
    SELECT lettre.id AS _key, lettre.ipp AS person_key, lettre.ecrite AS note_datetime, lettre.texte AS note_text FROM lettre
"""
RARE = MAPPINGS | {
    "location": "SELECT f.code AS _key, f.code AS zip FROM bronze.fait AS f WHERE f.quoi = 'air'",
    "note": NOTE,
    "drug_exposure": _of("perfusion", f"f.iep AS visit_key, f.jour AS drug_exposure_start_date, {_own('drug')}, "
        "CASE WHEN f.valeur = '0' THEN 'not_given' END AS _exclude"),
    "procedure_occurrence": _of("acte", f"f.jour AS procedure_date, {_own('procedure')}"),
    "measurement.biopsie": _of("resultat", f"f.jour AS measurement_date, {_own('measurement')}, "
        "try_cast(f.valeur AS double) AS value_as_number"),
    "specimen": _of("prelevement", f"f.jour AS specimen_date, {_own('specimen')}"),
    "device_exposure": _of("dispositif", f"f.jour AS device_exposure_start_date, {_own('device')}, 1 AS quantity"),
    "payer_plan_period": _of("couverture", f"f.jour AS payer_plan_period_start_date, {_own('payer')}, "
        "CAST(f.valeur AS date) AS payer_plan_period_end_date"),
    "cost.sejour": _of("cout du sejour", "f.iep AS _event_key, f.de AS payer_plan_period_key, "
        "try_cast(f.valeur AS double) AS total_charge, 'EUR' AS currency_code, 'Currency' AS currency_vocabulary"),
    "cost.perfusion": _of("cout", "f.de AS _event_key, try_cast(f.valeur AS double) AS total_charge"),
    "episode": _of("cure", f"f.jour AS episode_start_date, {_own('episode_object')}, f.de AS parent_episode_key, "
        "try_cast(f.valeur AS int) AS episode_number"),
    "episode_event": _of("perfusion", "'cure 1' AS episode_key, f.id AS _event_key"),
    "image_occurrence": _of("image", "f.de AS _event_key, f.jour AS image_occurrence_date, f.code AS image_study_uid, "
        "f.valeur AS image_series_uid, 'MG' AS modality_code, 'LOCAL' AS modality_vocabulary"),
    "image_feature": _of("mesure", f"f.de AS image_occurrence_key, 'taille' AS _event_key, {_own('image_feature')}, "
        "'lecteur' AS alg_system"),
    "fact_relationship": _of("resultat", "f.de AS _event_key_1, f.id AS _event_key_2, 'issu' AS relationship_code, "
        "'LOCAL' AS relationship_vocabulary"),
    "note_nlp": _of("mot", "f.de AS note_key, f.code AS lexical_variant, f.jour AS nlp_date, "
        "'12' AS `offset`, 'N' AS term_exists, 'negated' AS term_modifiers"),
    "external_exposure": _of("air", f"f.code AS location_key, f.jour AS exposure_start_date, {_own('exposure')}, "
        "'domicile' AS exposure_relationship_code, 'LOCAL' AS exposure_relationship_vocabulary, "
        "try_cast(f.valeur AS double) AS value_as_number"),
}  # fmt: skip
STAY, WOMAN = "77001", "8001"
FAITS = [
    ["id", "quoi", "ipp", "iep", "jour", "code", "valeur", "de"],
    ["traitement", "cure", WOMAN, STAY, "2024-03-01", "chimiotherapie", "", ""],
    ["cure 1", "cure", WOMAN, STAY, "2024-04-01", "paclitaxel", "1", "traitement"],
    ["perfusion 1", "perfusion", WOMAN, STAY, "2024-04-01", "paclitaxel", "1", ""],
    ["perfusion 2", "perfusion", WOMAN, STAY, "2024-04-08", "paclitaxel", "0", ""],
    ["mammographie", "acte", WOMAN, STAY, "2024-03-31", "QEQK001", "", ""],
    ["serie", "image", WOMAN, STAY, "2024-03-31", "uid-etude", "uid-serie", "mammographie"],
    ["taille", "resultat", WOMAN, STAY, "2024-03-31", "diametre", "14", "biopsie"],
    ["masse", "mesure", WOMAN, STAY, "2024-03-31", "masse", "", "serie"],
    ["biopsie", "prelevement", WOMAN, STAY, "2024-03-31", "sein", "", ""],
    ["chambre", "dispositif", WOMAN, STAY, "2024-03-31", "chambre implantable", "1", ""],
    ["amo", "couverture", WOMAN, "", "2024-01-01", "CPAM", "2024-12-31", ""],
    ["facture", "cout du sejour", WOMAN, STAY, "2024-04-02", "", "2500.50", "amo"],
    ["flacon 1", "cout", WOMAN, STAY, "2024-04-01", "", "310", "perfusion 1"],
    ["flacon 2", "cout", WOMAN, STAY, "2024-04-08", "", "310", "perfusion 2"],
    ["mot", "mot", WOMAN, STAY, "2024-04-03", "métastase", "", "L1"],
    ["pm10", "air", WOMAN, "", "2024-03-01", "75013", "41", ""],
]  # fmt: skip


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rare")
    source = write_source(folder / "tiny", RARE, DECLARATION)
    feed = write_feed(folder / "feed", {**ROWS, "fait.csv": FAITS})
    assert cli(["run", str(source), "--input", str(feed), "--workspace", str(folder / "W")]) == 0
    return folder / "W"


@pytest.fixture(scope="module")
def cdm(workspace: Path) -> dict[str, list[dict[str, Any]]]:
    names = {name.split(".")[0] for name in RARE}
    return {name: dataset(Lake(workspace).omop(name)).to_table().to_pylist() for name in names}


def only(cdm: dict[str, list[dict[str, Any]]], table: str, **where: Any) -> dict[str, Any]:
    """The one row that a condition leaves."""
    (row,) = [row for row in cdm[table] if all(row[name] == value for name, value in where.items())]
    return row


def test_a_specimen_is_tied_to_the_result_that_was_read_on_it(cdm):
    relation = only(cdm, "fact_relationship")
    specimen, result = only(cdm, "specimen"), only(cdm, "measurement", measurement_source_value="diametre")
    assert (relation["domain_concept_id_1"], relation["fact_id_1"]) == (36, specimen["specimen_id"])
    assert (relation["domain_concept_id_2"], relation["fact_id_2"]) == (21, result["measurement_id"])


def test_a_stay_and_a_drug_cost_what_was_paid_and_by_whom(cdm):
    stay = only(cdm, "cost", cost_domain_id="Visit")
    assert stay["total_charge"] == 2500.5 and stay["cost_event_id"] in {
        row["visit_occurrence_id"] for row in cdm["visit_occurrence"]
    }
    payer = only(cdm, "payer_plan_period")
    assert stay["payer_plan_period_id"] == payer["payer_plan_period_id"] and payer["payer_source_value"] == "CPAM"
    assert str(payer["payer_plan_period_end_date"]) == "2024-12-31"
    drug = only(cdm, "cost", cost_domain_id="Drug")
    assert drug["cost_event_id"] == only(cdm, "drug_exposure")["drug_exposure_id"]
    assert stay["cost_type_concept_id"] == 32814


def test_what_was_not_given_costs_nothing_and_the_ledger_says_so(cdm, workspace, capsys):
    assert len(cdm["cost"]) == 2 and len(cdm["episode_event"]) == 1
    capsys.readouterr()
    assert cli(["ledger", "--workspace", str(workspace), "--json"]) == 0
    assert '"cost_event_id is empty": 1' in capsys.readouterr().out


def test_an_episode_holds_its_events_and_knows_the_one_above(cdm):
    course = only(cdm, "episode", episode_number=1)
    above = only(cdm, "episode", episode_number=None)
    assert course["episode_parent_id"] == above["episode_id"] and above["episode_parent_id"] is None
    event = only(cdm, "episode_event")
    assert event["episode_id"] == course["episode_id"]
    assert event["event_id"] == only(cdm, "drug_exposure")["drug_exposure_id"]
    assert event["episode_event_field_concept_id"] == 1147094


def test_an_image_knows_its_act_and_what_was_read_on_it(cdm):
    image, feature = only(cdm, "image_occurrence"), only(cdm, "image_feature")
    assert image["procedure_occurrence_id"] == only(cdm, "procedure_occurrence")["procedure_occurrence_id"]
    assert feature["image_occurrence_id"] == image["image_occurrence_id"]
    size = only(cdm, "measurement", measurement_source_value="diametre")
    assert (feature["image_feature_event_id"], size["value_as_number"]) == (size["measurement_id"], 14)
    assert feature["image_feature_event_field_concept_id"] == 1147138


def test_a_word_found_in_a_letter_points_to_the_letter(cdm):
    word = only(cdm, "note_nlp")
    assert word["note_id"] == only(cdm, "note")["note_id"]
    assert (word["lexical_variant"], word["term_exists"], word["offset"]) == ("métastase", "N", "12")


def test_a_device_and_the_air_of_a_home_are_kept(cdm):
    assert only(cdm, "device_exposure")["device_source_value"] == "chambre implantable"
    air = only(cdm, "external_exposure")
    assert air["value_as_number"] == 41 and air["location_id"] == only(cdm, "location")["location_id"]
    assert air["exposure_end_date"] == air["exposure_start_date"]  # declared imputation: one day


def test_rows_without_person_id_lie_in_the_bucket_of_their_person(cdm):
    (person,) = {row["person_bucket"] for row in cdm["device_exposure"]}
    for table in ("cost", "note_nlp", "episode_event", "fact_relationship"):
        assert {row["person_bucket"] for row in cdm[table]} == {person}, table


def test_every_pair_of_columns_that_points_anywhere_is_declared():
    """A later version of the CDM with another such column must not be met by silence."""
    found = {c.name for table in cdm_tables().values() for c in table.columns if c.name.endswith("_event_id")}
    found |= {"event_id", "fact_id_1", "fact_id_2"}
    declared = {link.column for links in EVENT_LINKS.values() for link in links}
    assert declared - {"procedure_occurrence_id"} == found
    words = {link.words for links in EVENT_LINKS.values() for link in links if link.says}
    assert all(getattr(target, word) for target in EVENT_TARGETS.values() for word in words)


CONFUSED = {
    "an event key that no policy explains": (
        "cost", _of("cout", "f.de AS _event_key"), {}, "none would point",
    ),
    "a policy without its key": (
        "cost", _of("cout", "1 AS total_cost"), {"cost": {"event": "drug_exposure"}}, "gives no event key",
    ),
    "one event for a relation": (
        "fact_relationship", _of("cout", "f.de AS _event_key_1"), {"fact_relationship": {"event": "specimen"}},
        "gives _event_key_1",
    ),
    "a table that points to nothing": (
        "specimen", _of("cout", "f.de AS _event_key"), {"specimen": {"event": "drug_exposure"}},
        "gives _event_key, which specimen does not take",
    ),
    "a cost of nobody": (
        "cost", "SELECT id AS _event_key FROM bronze.fait", {"cost": {"event": "drug_exposure"}}, "no person_key",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CONFUSED)
def test_a_link_that_cannot_be_followed_is_refused(case):
    name, text, policies, says = CONFUSED[case]
    source = Source.model_validate(yaml.safe_load(DECLARATION) | {"mappings": policies})
    with pytest.raises(MappingError) as refused:
        compile_mapping(source, name, text)
    assert says in refused.value.what


def test_mappings_that_point_to_each_other_are_refused(tmp_path):
    circle = {"measurement.biopsie": "observation", "observation": "measurement.biopsie"}
    mappings = {name: _of("resultat", f"f.de AS _event_key, f.jour AS {name.split('.')[0]}_date") for name in circle}
    declared = DECLARATION.split("mappings:")[0] + "mappings:\n"
    declared += "".join(f"  {name}: {{event: {other}}}\n" for name, other in circle.items())
    with pytest.raises(MappingError, match="point to each other"):
        compile_source(write_source(tmp_path / "tiny", MAPPINGS | mappings, declared))


def test_two_parts_of_an_addressed_table_that_share_a_key_are_refused(tmp_path, capsys):
    source = write_source(tmp_path / "tiny", MAPPINGS | {"note": NOTE, "note.again": NOTE})
    feed, workspace = write_feed(tmp_path / "feed"), tmp_path / "W"
    assert cli(["run", str(source), "--input", str(feed), "--workspace", str(workspace)]) == 1
    assert "note.sql and note.again.sql give 1 key(s) twice" in " ".join(capsys.readouterr().err.split())


def test_an_event_of_a_mapping_that_is_not_there_is_refused(tmp_path):
    declared = DECLARATION.replace("event: drug_exposure}", "event: drug_exposure.elsewhere}", 1)
    with pytest.raises(MappingError, match=r"have no file: drug_exposure\.elsewhere"):
        compile_source(write_source(tmp_path / "tiny", RARE, declared))
