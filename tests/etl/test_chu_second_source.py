# ruff: noqa: E501
"""The second hospital through the engine: a dump written by hand, that a clinician can read, then a generated one.

Mme Lœillet (A) has two records, found to be hers: her stay of October is under the old number. M. N’Guessan (B) dies in
hospital, and only the discharge says so. Times are those of Paris, as the dump writes them.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from etl.compiler import compile_source
from etl.declaration import SOURCES, load_source
from etl.demo import chu_second
from omop.delta_read import dataset
from omop.lake import Lake
from omop.views.store import ViewStore
from passerelle.cli import run as cli
from tests.passerelle.states import one_engine

# fmt: off
DUMP: dict[str, list[str]] = {
    "STRUCTURE": ["um;libelle;pole;activite;cp", "M201;Cardiologie;Cœur;03;96910", "R301;Réanimation;Urgences;18;96910"],
    "PROFESSIONNELS": ["rpps;nom;prenom;discipline;um", "10999;VŒLCKEL;Éloi;CARDIOLOGIE;M201", "10888;ŒUVRARD;Zélie;PHARMACIE;"],
    "LIVRET": ["code_livret;cip13;libelle;dosage;unite_dosage", "L024A;3400921922974;XARELTO 20 mg, comprimé pelliculé;20;mg"],
    "RYTHMES": ["rythme;libelle;prises_jour", "1J;une fois par jour;1", "HEBDO;une fois par semaine;0,143"],
    "PATIENTS": [
        "ipp;nom_usuel;nom_naissance;prenoms;sexe;ne_le;adresse;cp;ville;telephone;matricule_ins;decede_le;date_maj",
        "C100;LŒILLET;L’HOSTIS;Héloïse;2;11/02/1943;3 rue du Bœuf-Couronné;96910;Port-Cendré;06 39 98 11 22;;;01/03/2024 10:00",
        "A100;LŒILLET;L’HOSTIS;Héloïse;2;11/02/1943;3 rue du Bœuf-Couronné;96910;Port-Cendré;06 39 98 11 22;;;01/03/2020 10:00",
        "C200;N’GUESSAN;N’GUESSAN;Noé;1;30/07/1960;;96930;Cœur-de-Lande;;;;01/03/2024 10:00",
    ],
    "FUSIONS": ["ipp_absorbe;ipp_survivant;date_fusion", "A100;C100;15/01/2024 09:00"],
    "SEJOURS": [
        "nda;ipp;nature;entree;sortie;mode_entree;provenance;mode_sortie;um_entree;rpps_responsable;supprime;date_maj",
        "H2301;A100;HOSPIT;28/10/2023 22:00;30/10/2023 11:00;DOM;URG;DOM;M201;10999;;30/10/2023 11:00",
        "H2401;C100;HOSPIT;31/03/2024 00:30;;DOM;;;M201;10999;;31/03/2024 00:30",
        "H2402;C200;HOSPIT;01/04/2024 08:00;02/04/2024 23:40;TRF;;DCD;M201;10999;;02/04/2024 23:40",
        "T2402;C200;HOSPIT;01/04/2024 08:05;;DOM;;;M201;10999;O;01/04/2024 08:10",
    ],
    "EVENEMENTS": [
        "evt_id;nda;type_evt;date_evt;um",
        "1;H2402;E;01/04/2024 08:00;M201", "2;H2402;M;01/04/2024 20:00;R301", "3;H2402;S;02/04/2024 23:40;R301",
    ],
    "DIAGNOSTICS": ["nda;rang;code;type_diag", "H2301;1;I500+0;1", "H2402;1;I214;1", "H9999;1;I10;1"],
    "ACTES": [
        "acte_id;nda;code_ccam;activite;realise_le;rpps_executant",
        "10;H2402;DDAF006;1;01/04/2024 09:30;10999", "11;H2402;DDAF006;4;01/04/2024 09:30;10999",
    ],
    "DISPOSITIFS": ["dispositif_id;nda;famille;libelle;pose_le;lot", "5;H2402;STENT;Endoprothèse;01/04/2024 09:40;LOT1"],
    "ORDONNANCES": ["ordonnance_id;ipp;nda;rpps_prescripteur", "70;A100;H2301;10999", "71;C200;H2402;10999"],
    "LIGNES": [
        "ligne_id;ordonnance_id;code_cip13;code_livret;libelle;dose;unite;rythme;voie;debut;fin;etat;supprime;date_maj",
        "700;70;3400921922974;L024A;XARELTO 20 mg;0,5;cp;1J;ORALE;29/10/2023 02:30;30/10/2023 11:00;AR;;30/10/2023 11:00",
        "701;71;;L024A;XARELTO 20 mg;1 ou 2;cp;HEBDO;ORALE;01/04/2024 10:00;01/04/2024 09:00;EC;;01/04/2024 10:00",
        "702;71;;L024A;XARELTO 20 mg;1;cp;1J;ORALE;01/04/2024 10:00;;EC;O;01/04/2024 10:00",
        "703;71;3400999990011;;INCONNU;1;g;1J;ORALE;01/04/2024 10:00;;AN;;01/04/2024 10:00",
        "704;71;;;PANTOPRAZOLE 40 mg cp (pantoprazole);40;mg;1J;ORALE;01/04/2024 10:00;02/04/2024 20:00;EC;;01/04/2024 10:00",
    ],
    "ADMINISTRATIONS": [
        "administration_id;ligne_id;ipp;nda;code_livret;prevue_le;realisee_le;etat;quantite;unite;voie;date_maj",
        "9000;700;A100;H2301;L024A;29/10/2023 08:00;29/10/2023 08:10;R;0,5;cp;ORALE;29/10/2023 08:10",
        "9001;700;A100;H2301;L024A;30/10/2023 08:00;;F;0,5;cp;ORALE;30/10/2023 08:00",
        "9002;704;C200;H2402;;02/04/2024 08:00;02/04/2024 08:05;R;40;mg;ORALE;02/04/2024 08:05",
    ],
    "AVIS_PHARMA": [
        "avis_id;ligne_id;redige_le;rpps_pharmacien;conclusion;motif_ip;issue",
        "1400;700;29/10/2023 10:00;10888;IP;PB04;A", "1401;701;01/04/2024 11:00;10888;VALIDE;;",
    ],
    "PRELEVEMENTS": [
        "prelevement_id;ipp;nda;preleve_le;nature",
        "50;C100;;15/01/2024 08:00;SGV", "51;C200;H2402;01/04/2024 08:30;SGA",
    ],
    "RESULTATS": [
        "resultat_id;prelevement_id;code_examen;valeur_num;valeur_texte;unite;normes;valide_le;statut;supprime;date_maj",
        "3200;50;CREAT-S;23,5;;mg/L;[5 - 12];15/01/2024 10:00;V;;15/01/2024 10:00",
        "3201;50;TNT-HS;;inf à 5;pg/mL;< 14;15/01/2024 10:00;V;;15/01/2024 10:00",
        "3202;51;GLUC-S;1,80;;g/L;[0,74 - 1,1];01/04/2024 10:00;C;;01/04/2024 12:00",
        "3203;51;K-S;;hémolysé;mEq/L;[3,5 - 5,1];01/04/2024 10:00;V;;01/04/2024 10:00",
        "3204;51;K-S;9,9;;mEq/L;[3,5 - 5,1];01/04/2024 10:00;V;O;01/04/2024 10:30",
        "3205;99;K-S;4,0;;mEq/L;[3,5 - 5,1];01/04/2024 10:00;V;;01/04/2024 10:00",
    ],
    "CONSTANTES": [
        "constante_id;ipp;nda;releve_le;poids;taille;pa;temperature;pouls;sao2",
        "20;C200;H2402;01/04/2024 08:10;81,5;1,74;9,5/6,0;36,9;112;93", "21;C200;H2402;02/04/2024 08:10;;;;;;",
    ],
    "ANTECEDENTS": ["antecedent_id;ipp;rubrique;code;libelle;precision;saisi_le", "64;A100;TABAC;TB2;Ancien fumeur;35;29/10/2023 09:00"],
    "PROBLEMES": [
        "probleme_id;ipp;cim;intitule;constate_le;resolu_le;date_maj",
        "0;A100;I482;FA PERMANENTE;29/10/2023 09:00;;29/10/2023 09:00",
        "64;C200;I214;SCA ST-;01/04/2024 10:00;02/04/2024 23:40;02/04/2024 23:40",
        "65;C200;U8499;HTA;01/04/2024 10:00;;01/04/2024 10:00", "66;C999;I10;HTA;01/04/2024 10:00;;01/04/2024 10:00",
    ],
    "COURRIERS": [
        "courrier_id;ipp;nda;nature;objet;date_courrier;rpps_auteur;texte;date_maj",
        '80;A100;H2301;LETTRE_SORTIE;Lettre de sortie;02/11/2023 18:00;10999;"Mme LŒILLET, née L’HOSTIS, dossier A100,\n'
        'reste à charge 20 €. Dr Éloi Vœlckel – cœur décompensé.";02/11/2023 18:00',
    ],
    "NUMERISATIONS": [
        "numerisation_id;ipp;nda;nature;fichier;uid_etude;uid_serie;modalite;numerise_le",
        "90;C200;H2402;CERTIF_DC;numerisation/2024/04/1.png;2.25.1;2.25.1.1;OT;02/04/2024 23:55",
    ],
}
# fmt: on


def write_dump(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in DUMP.items():
        text = "\n".join(lines) + "\n"
        (folder / f"{name}.csv").write_bytes(text.replace("\n", "\r\n").encode("windows-1252"))
    return folder


@pytest.fixture(scope="module")
def engine() -> Iterator[None]:
    with one_engine():
        yield


@pytest.fixture(scope="module")
def workspace(engine, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("port_cendre")
    dump = write_dump(folder / "dump")
    assert cli(["run", "chu_second", "--input", str(dump), "--workspace", str(folder / "W")]) == 0
    return folder / "W"


def table(workspace: Path, name: str) -> list[dict[str, Any]]:
    return dataset(Lake(workspace).omop(name)).to_table().to_pylist()


def ledger(workspace: Path, capsys) -> dict[str, dict[str, Any]]:
    capsys.readouterr()
    assert cli(["ledger", "--workspace", str(workspace), "--json"]) == 0
    return {entry["source_table"]: entry for entry in json.loads(capsys.readouterr().out)}


@pytest.fixture(scope="module")
def woman(workspace) -> int:
    return next(row["person_id"] for row in table(workspace, "person") if row["year_of_birth"] == 1943)


def test_two_records_are_one_person(workspace, woman, capsys):
    assert len(table(workspace, "person")) == 2
    assert ledger(workspace, capsys)["patients"]["rules"]["merged"] == {"absorbed_by_another_record": 1}


def test_what_the_old_record_holds_belongs_to_the_survivor(workspace, woman):
    for name, rows in (
        ("visit_occurrence", 2),
        ("drug_exposure", 2),  # her line, and its one administration
        ("observation", 2),  # smoking, and the review of her line
        ("note", 1),
        ("condition_occurrence", 2),  # coded at discharge, and a problem under the old number
        ("measurement", 2),
    ):
        assert sum(row["person_id"] == woman for row in table(workspace, name)) == rows, name


def test_a_stay_follows_the_one_that_was_entered_under_the_old_number(workspace, woman):
    first, second = sorted(
        (row for row in table(workspace, "visit_occurrence") if row["person_id"] == woman),
        key=lambda row: row["visit_start_datetime"],
    )
    assert second["preceding_visit_occurrence_id"] == first["visit_occurrence_id"]


def test_a_gift_without_a_number_is_of_the_drug_of_its_line(workspace):
    pantoprazole = 2060020002
    given = [row for row in table(workspace, "drug_exposure") if row["drug_concept_id"] == pantoprazole]
    assert sorted(row["drug_type_concept_id"] for row in given) == [32818, 32838]  # administered, ordered


def test_creatinine_stays_a_mass(workspace):
    row = next(row for row in table(workspace, "measurement") if row["measurement_source_value"] == "CREAT-S")
    assert (row["measurement_concept_id"], row["value_as_number"], row["unit_source_value"]) == (3016723, 23.5, "mg/L")
    assert (row["unit_concept_id"], row["range_low"], row["range_high"]) == (8751, 5.0, 12.0)


def test_below_the_limit_is_a_sign_and_a_number_and_a_word_is_no_number(workspace):
    rows = {row["measurement_source_value"]: row for row in table(workspace, "measurement")}
    troponin, potassium = rows["TNT-HS"], rows["K-S"]
    assert troponin["value_as_number"] == 5 and troponin["operator_concept_id"] > 0
    assert troponin["value_source_value"] == "inf à 5" and troponin["range_high"] == 14
    assert potassium["value_as_number"] is None and potassium["value_source_value"] == "hémolysé"


def test_a_pressure_is_two_measures_in_centimetres_of_mercury(workspace):
    rows = {row["measurement_source_value"]: row for row in table(workspace, "measurement")}
    assert (rows["PA_SYS"]["value_as_number"], rows["PA_DIA"]["value_as_number"]) == (9.5, 6.0)
    assert rows["PA_SYS"]["unit_source_value"] == "cmHg" and rows["PA_SYS"]["unit_concept_id"] >= 2_000_000_000
    assert rows["TAILLE"]["value_as_number"] == 1.74 and rows["POIDS"]["value_as_number"] == 81.5


def test_times_are_read_in_paris_at_both_changes_of_the_clocks(workspace, woman):
    stays = {str(r["visit_start_datetime"]): r for r in table(workspace, "visit_occurrence")}
    assert "2023-10-28 20:00:00+00:00" in stays  # summer time
    assert str(stays["2024-03-30 23:30:00+00:00"]["visit_start_date"]) == "2024-03-31"  # the night it begins again
    line = next(r for r in table(workspace, "drug_exposure") if r["person_id"] == woman and r["sig"])
    # 02:30 happened twice that night; either is right, and landing says which one, once.
    assert str(line["drug_exposure_start_datetime"])[:16] in ("2023-10-29 00:30", "2023-10-29 01:30")


def test_orders_are_packages_with_the_substance_behind_them(workspace, woman):
    lines = [row for row in table(workspace, "drug_exposure") if row["drug_type_concept_id"] == 32838]
    hers = next(row for row in lines if row["person_id"] == woman)
    his = next(row for row in lines if row["person_id"] != woman and row["drug_source_value"] == "L024A")
    assert (hers["drug_source_value"], his["drug_source_value"]) == ("3400921922974", "L024A")
    assert hers["drug_concept_id"] == his["drug_concept_id"] > 0
    # Half a tablet of 20 mg.
    assert (hers["quantity"], hers["dose_unit_source_value"], hers["stop_reason"]) == (10.0, "mg", "AR")
    assert hers["sig"].startswith("1/24h 0,5 cp") and his["sig"].startswith("0.143/24h 1 ou 2 cp")
    # It ended before it began: the end goes, the day that was written stays.
    assert (
        his["quantity"] is None and his["drug_exposure_end_datetime"] is None and his["verbatim_end_date"] is not None
    )


def test_a_review_points_to_its_line(workspace, woman):
    lines = {row["drug_exposure_id"]: row for row in table(workspace, "drug_exposure")}
    reviews = {r["value_as_string"]: r for r in table(workspace, "observation") if r["value_as_string"]}
    assert set(reviews) == {"intervention:4", "conforme"}
    assert lines[reviews["intervention:4"]["observation_event_id"]]["person_id"] == woman
    assert reviews["intervention:4"]["qualifier_source_value"] == "acceptee"


def test_moves_last_until_the_next_event(workspace):
    first, second = sorted(table(workspace, "visit_detail"), key=lambda row: row["visit_detail_start_datetime"])
    assert first["visit_detail_end_datetime"] == second["visit_detail_start_datetime"]
    assert str(second["visit_detail_end_datetime"]) == "2024-04-02 21:40:00+00:00"


def test_a_death_that_only_the_discharge_tells_is_a_death(workspace, woman):
    (death,) = table(workspace, "death")
    assert death["person_id"] != woman and str(death["death_date"]) == "2024-04-02"


def test_a_stent_is_a_device_and_its_act_took_place_once(workspace):
    (device,) = table(workspace, "device_exposure")
    assert (device["device_source_value"], device["production_id"]) == ("STENT", "LOT1")
    assert len(table(workspace, "procedure_occurrence")) == 1 and len(table(workspace, "specimen")) == 2


def test_an_extension_of_the_french_coding_falls_back_on_its_parent(workspace, woman):
    rows = table(workspace, "condition_occurrence")
    row = next(row for row in rows if row["condition_source_value"] == "I500+0")
    assert row["person_id"] == woman and row["condition_concept_id"] == 2060030005


def test_a_problem_is_known_while_the_stay_goes_on_and_a_code_of_the_discharge_is_not(workspace, woman):
    """M. N’Guessan is there from 1 April 08:00 to 2 April 23:40, Paris time: an infarction, as a problem and as a code."""
    store = ViewStore.open(workspace)

    def known(*instant: int) -> list[tuple[str, Any]]:
        rows = store.read("diagnoses", as_of=datetime(2024, 4, *instant, tzinfo=UTC)).to_pylist()
        return sorted((row["source_code"], row["ended_on"]) for row in rows if row["person_id"] != woman)

    last_day = date(2024, 4, 2)
    assert known(1, 7) == []
    assert known(1, 12) == known(2, 21, 39) == [("I214", None), ("U8499", None)]
    assert known(2, 21, 40) == [("I214", last_day), ("I214", last_day), ("U8499", None)]


def test_the_problem_list_says_what_it_is(workspace):
    rows = [row for row in table(workspace, "condition_occurrence") if row["condition_type_concept_id"] == 32840]
    assert {row["condition_source_value"]: row["condition_concept_id"] > 0 for row in rows} == {
        "I482": True, "I214": True, "U8499": False,
    }  # fmt: skip
    assert {row["visit_occurrence_id"] for row in rows} == {None}


def test_a_letter_keeps_its_french_signs_and_loses_its_people(workspace):
    (note,) = table(workspace, "note")
    text = note["note_text"]
    assert "20 €" in text and "–" in text and "cœur décompensé" in text and "\r" not in text and "\n" in text
    assert not [name for name in ("LŒILLET", "HOSTIS", "A100", "Vœlckel", "Éloi") if name.lower() in text.lower()]


def test_every_row_is_accounted_for_with_its_reason(workspace, capsys):
    accounts = ledger(workspace, capsys)
    assert {name: entry["read"] for name, entry in accounts.items()} == {
        name.lower(): len(lines) - 1 for name, lines in DUMP.items()
    }
    rules = {name: entry["rules"] for name, entry in accounts.items()}
    assert rules["sejours"]["excluded"] == {"deleted_in_source": 1}
    assert rules["lignes"]["excluded"] == {"deleted_in_source": 1, "cancelled_order": 1}
    assert rules["resultats"]["excluded"] == {"deleted_in_source": 1}
    assert rules["resultats"]["quarantined"] == {"no such sample, so neither person nor date": 1}
    assert rules["diagnostics"]["quarantined"] == {"no such stay, so neither person nor date": 1}
    assert rules["problemes"]["quarantined"] == {"no such person": 1}
    assert rules["evenements"]["merged"] == {"end_of_the_event_before": 1}
    assert rules["actes"]["merged"] == {"anaesthesia_of_the_same_act": 1}
    assert rules["constantes"]["excluded"] == {"sign_not_taken": 1}


# --- a generated dump -----------------------------------------------------------------------------------------------


PATIENTS, DAY, SHARE = 200, 1, 0.05


@pytest.fixture(scope="module")
def drawn() -> dict[str, Any]:
    return {name: t.to_pandas() for name, t in chu_second.patient_tables(PATIENTS, day=DAY, share=SHARE).items()}


@pytest.fixture(scope="module")
def generated(engine, tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("generated")
    chu_second.generate(folder / "dump", patients=PATIENTS, day=DAY, share=SHARE)
    assert cli(["run", "chu_second", "--input", str(folder / "dump"), "--workspace", str(folder / "W")]) == 0
    return folder / "dump", folder / "W"


def test_the_ledger_of_a_generated_dump_is_exact(generated, capsys):
    dump, workspace = generated
    lines = {p.stem.lower(): p.read_bytes().count(b"\r\n") - 1 for p in dump.iterdir() if p.stem != "COURRIERS"}
    for name, entry in ledger(workspace, capsys).items():
        assert entry["read"] == sum(entry[o] for o in ("mapped", "routed", "merged", "excluded", "quarantined")), name
        assert entry["read"] == lines.get(name, entry["read"]), name
        assert set(entry["rules"].get("quarantined", {})) <= {
            "no such person",
            "no such stay, so neither person nor date",
        }


def test_every_death_is_captured(generated, drawn):
    _, workspace = generated
    fusions = dict(zip(drawn["fusions"].ipp_absorbe, drawn["fusions"].ipp_survivant, strict=True))
    alive = set(drawn["patients"].ipp)
    told = drawn["patients"].dropna(subset="decede_le").ipp
    stays = drawn["sejours"]
    left = stays[(stays.mode_sortie == "DCD") & stays.supprime.isna() & stays.sortie.notna()].ipp
    dead = {fusions.get(fusions.get(ipp, ipp), fusions.get(ipp, ipp)) for ipp in (*told, *left) if ipp in alive}
    assert len(table(workspace, "death")) == len(dead) > 3 and len(left) > 0


def test_every_death_leads_back_to_its_row(generated):
    _, workspace = generated
    traced = dataset(Lake(workspace).ops("provenance")).to_table().to_pylist()
    deaths = [row["target_id"] for row in traced if row["target_table"] == "death"]
    assert sorted(deaths) == sorted(row["person_id"] for row in table(workspace, "death"))


def test_the_same_tables_are_filled_as_for_the_first_hospital_and_two_more(generated):
    first, second = ({m.table.name for m in compile_source(SOURCES / n).mappings} for n in ("chu_demo", "chu_second"))
    assert first < second and second - first == {"device_exposure", "specimen"}
    assert all(table(generated[1], name) for name in second)


def test_no_identifier_passes_the_door():
    for declared in load_source(SOURCES / "chu_second").tables.values():
        direct = {
            "nom",
            "nom_usuel",
            "nom_naissance",
            "prenom",
            "prenoms",
            "adresse",
            "ville",
            "telephone",
            "matricule_ins",
        }
        assert not direct & set(declared.bronze_columns)
        for column in ("ipp", "nda", "rpps", "ipp_absorbe", "ipp_survivant"):
            assert declared.bronze_columns.get(column, "bigint") == "bigint"


def test_no_identifier_lies_in_any_file_of_the_workspace(generated, drawn):
    from tests.passerelle.identity_search import Needles, fold, search_folder

    _, workspace = generated
    patients = drawn["patients"]
    names = {fold(name) for column in ("nom_usuel", "nom_naissance") for name in patients[column]}
    distinctive = {name for name in names if len(name) >= 7 and "œ" in name}
    assert len(distinctive) >= 8
    needles = Needles.of([*distinctive, *patients.adresse], [*patients.telephone, *patients.matricule_ins.dropna()])
    assert search_folder(workspace, needles) == {}
