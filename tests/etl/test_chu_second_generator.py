"""The second generated hospital: reproducible, written as a French dump is, and really another hospital."""

import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from etl.concept_maps import read_concept_maps
from etl.declaration import SOURCES, load_source
from etl.demo import chu_demo, chu_second
from etl.demo.catalogue import load_catalogue
from etl.demo.draws import BLOCK
from etl.demo.record import TRUTH
from etl.demo.second_products import UNKNOWN_CIP13
from passerelle.cli import run as cli
from passerelle.errors import UsageError

PATIENTS = 1_000


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    return chu_second.patient_tables(PATIENTS)


@pytest.fixture(scope="module")
def frames(tables) -> dict[str, pd.DataFrame]:
    return {name: table.to_pandas() for name, table in tables.items()}


@pytest.fixture(scope="module")
def dump(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("chu_second")
    chu_second.generate(folder / "dump", patients=40, truth=folder / "truth")
    return folder / "dump"


def number(texts: pd.Series) -> pd.Series:
    return pd.to_numeric(texts.str.replace(",", "."), errors="coerce")


# --- reproducible ---------------------------------------------------------------------------------------------------


def test_the_same_seed_writes_the_same_bytes(dump, tmp_path):
    chu_second.generate(tmp_path, patients=40)
    files = {path.name: zlib.crc32(path.read_bytes()) for path in dump.iterdir()}
    assert files == {path.name: zlib.crc32(path.read_bytes()) for path in tmp_path.iterdir()}


def test_another_seed_gives_another_hospital():
    one, other = (chu_second.patient_tables(20, seed=seed)["sejours"] for seed in (1, 2))
    assert not one.equals(other)


@pytest.mark.parametrize("few", [1, 37, BLOCK + 3])
def test_a_patient_is_the_same_whatever_the_total(frames, few):
    small = chu_second.patient_tables(few)["sejours"].to_pandas()
    whole = frames["sejours"][frames["sejours"].nda.isin(small.nda)]
    order = list(small.columns)
    one, other = (frame.astype(str).sort_values(order).reset_index(drop=True) for frame in (small, whole))
    assert one.equals(other)


def test_keys_are_unique_but_for_results_that_are_sent_twice(frames):
    for name, table in load_source(SOURCES / "chu_second").tables.items():
        if name in frames:
            assert not frames[name].drop_duplicates().duplicated(list(table.key)).any(), name
    assert frames["resultats"].duplicated().any()


def test_a_hospital_without_patients_is_refused(tmp_path):
    with pytest.raises(UsageError, match="at least one patient"):
        chu_second.generate(tmp_path, patients=0)


# --- files ----------------------------------------------------------------------------------------------------------


def test_the_declaration_names_every_file_and_column(dump):
    declared = {t.path: list(t.columns) for t in load_source(SOURCES / "chu_second").tables.values()}
    headers = {p.name: p.open("rb").readline().decode().replace('"', "").strip().split(";") for p in dump.iterdir()}
    assert headers == declared


def test_the_dump_is_windows_1252_with_crlf_and_not_utf_8(dump):
    raw = (dump / "COURRIERS.csv").read_bytes()
    for sign in ("’", "œ", "€", "•", "–"):
        assert sign.encode("windows-1252") in raw, sign
    assert raw.count(b"\r\n") == raw.count(b"\n")
    with pytest.raises(UnicodeDecodeError):
        raw.decode()


def test_days_minutes_and_decimals_are_french(dump):
    stays = (dump / "SEJOURS.csv").read_text("windows-1252").splitlines()
    entries = [line.split(";")[3].strip('"') for line in stays[1:]]
    assert pd.to_datetime(entries, format="%d/%m/%Y %H:%M").notna().all()
    results = pd.read_csv(dump / "RESULTATS.csv", sep=";", encoding="windows-1252", dtype=str)
    assert results.valeur_num.str.fullmatch(r"\d+(,\d+)?").loc[results.valeur_num.notna()].all()
    assert results.valeur_texte.str.startswith("inf à ").any() and (results.valeur_texte == "hémolysé").any()
    assert results.normes.str.fullmatch(r"\[[\d,]+ - [\d,]+\]|[<>] [\d,]+").loc[results.normes.notna()].all()


def test_the_check_of_a_source_finds_no_error_in_the_dump(dump, capsys):
    assert cli(["source", "check", "chu_second", "--input", str(dump)]) == 0
    assert "numbers like a NIR" not in capsys.readouterr().out


def test_the_truth_stays_out_of_the_dump(dump):
    assert {path.name for path in (dump.parent / "truth").iterdir()} == {"injected_error.csv", "reading.csv"}
    assert not [path for path in dump.iterdir() if "truth" in path.name.lower()]
    for path in (SOURCES / "chu_second").rglob("*.sql"):
        assert "truth" not in path.read_text(encoding="utf-8")
    assert "mechanism" not in "".join(path.read_text("windows-1252")[:400] for path in dump.iterdir())


# --- another hospital -----------------------------------------------------------------------------------------------


def test_masses_are_the_moles_of_the_other_hospital(frames):
    """Creatinine 113 g/mol, glucose 180 g/mol: medians agree within the difference of the two populations."""
    ours, theirs = frames["resultats"], chu_demo.patient_tables(PATIENTS)["resultat_biologie"].to_pandas()
    for code, unit, other, factor in (
        ("CREAT-S", "mg/L", "CREA", 0.113),
        ("GLUC-S", "g/L", "GLY", 0.180),
        ("GB", "/mm3", "LEUCO", 1000),
    ):
        mass = ours[(ours.code_examen == code) & (ours.unite == unit)]
        moles = theirs[theirs.code_analyse == other]
        ratio = number(mass.valeur_num).median() / number(moles.valeur).median()
        assert ratio == pytest.approx(factor, rel=0.12), code


def test_the_two_hospitals_differ_in_people_orders_and_errors(frames):
    there = chu_demo.patient_tables(PATIENTS)
    ages = [
        (np.datetime64("2022-01-01") - pd.to_datetime(births).to_numpy()).astype("timedelta64[D]").astype(int) / 365.25
        for births in (frames["patients"].ne_le, there["patient"]["date_naissance"].to_pandas())
    ]
    assert (ages[0] > 65).mean() < 0.42 and (ages[1] > 65).mean() > 0.55
    books = [load_catalogue(name) for name in ("chu_demo", "chu_second")]
    first, second = ({drug.atc for drug in book.drugs} for book in books)
    assert len(second - first) >= 15 and len(first - second) >= 15
    rate = len(frames[TRUTH]) / len(frames["lignes"])
    assert rate > 1.1 * there[TRUTH].num_rows / there["prescription"].num_rows
    waits = [
        (pd.Series(letters) - pd.Series(ends).reindex(stays).to_numpy()).dt.total_seconds().median() / 86_400
        for letters, stays, ends in (
            _letters(frames["courriers"], "date_courrier", "nda", frames["sejours"], "sortie"),
            _letters(
                there["document"].to_pandas(), "date_document", "numero_sejour", there["sejour"].to_pandas(), "sortie"
            ),
        )
    ]
    assert waits[0] > 2 * waits[1]


def _letters(letters: pd.DataFrame, day: str, key: str, stays: pd.DataFrame, end: str):
    return letters[day].to_numpy(), letters[key], stays.drop_duplicates(key).set_index(key)[end]


def test_no_number_code_or_ward_is_shared(frames):
    there = chu_demo.patient_tables(PATIENTS)
    assert not set(frames["patients"].ipp) & set(there["patient"]["ipp"].to_pylist())
    assert not set(frames["sejours"].nda) & set(there["sejour"]["numero_sejour"].to_pylist())
    codes = [{row["code"] for row in load_catalogue(name).analyses} for name in ("chu_demo", "chu_second")]
    assert codes[0] & codes[1] <= {"VGM", "PNN", "TP"}
    wards = [{row["uf"] for row in load_catalogue(name).wards} for name in ("chu_demo", "chu_second")]
    assert not wards[0] & wards[1]


def test_every_package_and_local_code_is_mapped_but_the_deliberate_ones(frames):
    maps = read_concept_maps(SOURCES / "chu_second").to_pandas()
    known = maps.groupby("vocabulary").source_code.agg(set)
    frames = frames | {"lignes_sans_livret": frames["lignes"][frames["lignes"].code_livret.isna()]}
    for name, column, vocabulary, unknown in (
        ("lignes", "code_cip13", "CHU2_CIP13", set(UNKNOWN_CIP13)),
        ("lignes", "code_livret", "CHU2_LIVRET", set()),
        ("lignes_sans_livret", "libelle", "CHU2_LIBELLE", set()),
        ("lignes", "voie", "CHU2_VOIE", set()),
        ("resultats", "code_examen", "CHU2_EXAMEN", {"XQ12", "ANA99"}),
        ("resultats", "unite", "CHU2_UNITE", set()),
        ("sejours", "nature", "CHU2_NATURE", set()),
        ("sejours", "mode_sortie", "CHU2_MODE", set()),
        ("diagnostics", "type_diag", "CHU2_TYPE_DIAG", set()),
        ("prelevements", "nature", "CHU2_PRELEVEMENT", set()),
        ("dispositifs", "famille", "CHU2_DISPOSITIF", set()),
        ("antecedents", "code", "CHU2_OBSERVATION", {"AL99"}),
        ("courriers", "nature", "CHU2_COURRIER", set()),
        ("patients", "sexe", "CHU2_SEXE", set()),
    ):
        assert set(frames[name][column].dropna()) - known[vocabulary] == unknown, (name, column)


def test_a_concept_map_points_to_the_ingredient_of_the_package():
    """Each package is mapped to a concept that the shipped vocabulary has, and that its ATC code maps to as well."""
    import csv

    folder = Path(__file__).resolve().parents[2] / "omop" / "vocabulary" / "demo"
    with (folder / "CONCEPT.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    atc = {row["concept_code"]: row["concept_id"] for row in rows if row["vocabulary_id"] == "ATC"}
    with (folder / "CONCEPT_RELATIONSHIP.csv").open(encoding="utf-8", newline="") as file:
        links = list(csv.DictReader(file, delimiter="\t"))
    target = {row["concept_id_1"]: row["concept_id_2"] for row in links if row["relationship_id"] == "Maps to"}
    maps = read_concept_maps(SOURCES / "chu_second").to_pandas()
    mapped = maps[maps.vocabulary == "CHU2_CIP13"].set_index("source_code").target_concept_id
    with (folder.parents[2] / "etl/demo/catalogue/chu_second/livret.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            assert str(mapped[row["cip13"]]) == target[atc[row["atc"]]], row
    assert set(maps.target_concept_id.astype(str)) <= {row["concept_id"] for row in rows}


# --- double records -------------------------------------------------------------------------------------------------


def test_an_absorbed_number_is_a_patient_of_the_same_name_and_holds_stays(frames):
    fusions, patients = frames["fusions"], frames["patients"].set_index("ipp")
    assert len(fusions) >= 10
    for old, new in zip(fusions.ipp_absorbe, fusions.ipp_survivant, strict=True):
        assert (patients.loc[old, ["nom_usuel", "ne_le"]] == patients.loc[new, ["nom_usuel", "ne_le"]]).all()
    assert frames["sejours"].ipp.isin(fusions.ipp_absorbe).any()
    assert set(fusions.ipp_survivant) & set(fusions.ipp_absorbe), "some number was absorbed twice"


def test_some_double_records_are_found_in_the_nights_that_follow():
    first, later = (chu_second.patient_tables(PATIENTS, day=day, share=0)["fusions"] for day in (0, 9))
    assert later.num_rows > first.num_rows
    assert pc.all(pc.is_in(first["ipp_absorbe"], later["ipp_absorbe"].combine_chunks())).as_py()


# --- the command ----------------------------------------------------------------------------------------------------


def test_the_command_writes_a_dump_and_refuses_another_hospital(tmp_path, capsys):
    assert cli(["generate", "chu_second", "--out", str(tmp_path / "d"), "--patients", "5", "--json"]) == 0
    assert '"patients": 5' in capsys.readouterr().out and (tmp_path / "d" / "LIGNES.csv").is_file()
    assert cli(["generate", "chu_third", "--out", str(tmp_path)]) == 2
