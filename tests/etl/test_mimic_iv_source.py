"""The MIMIC-IV declaration against itself, and against the real files.

The second half reads the files as the declaration says, runs every mapping on the embedded engine, and counts what
became of each row. Figures were counted in the files beforehand; none of their rows stands here.
"""

import csv
import gzip
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq
import pytest

from etl.compiler import CompiledMapping, CompiledSource, bronze_view, compile_source
from etl.concept_maps import read_concept_maps
from etl.declaration import SourceTable, mapping_files, source_folder
from spark_jobs.engine import Engine, open_engine

TYPES = {
    "string": pa.string(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
}
OUTCOMES = ("excluded", "merged", "quarantined")

# Rows of each file, and what becomes of them before any code is looked up. Rows not named under a rule are mapped.
ROWS = {
    "patients": 100, "admissions": 275, "transfers": 1_190, "icustays": 140, "services": 319, "provider": 40_508,
    "caregiver": 15_468, "diagnoses_icd": 4_506, "procedures_icd": 722, "hcpcsevents": 61, "drgcodes": 454,
    "prescriptions": 18_087, "pharmacy": 15_306, "emar": 35_835, "emar_detail": 72_018, "inputevents": 20_404,
    "outputevents": 9_362, "procedureevents": 1_468, "datetimeevents": 15_280, "labevents": 107_727,
    "microbiologyevents": 2_899, "omr": 2_964,
}  # fmt: skip
RULES = {
    "transfers": {"excluded: end_of_stay_is_no_place": 275, "excluded: emergency_visit_without_stay": 54},
    "pharmacy": {"merged: into_its_prescription": 15_225},
    "emar": {
        "merged: end_of_its_start": 618,
        "excluded: end_without_start": 86,
        "excluded: not_given": 3_725,
        "excluded: not_given_per_sliding_scale": 908,
        "excluded: dose_held": 187,
        "excluded: dose_delayed": 19,
        "excluded: running_infusion_checked": 2_229,
        "excluded: patient_or_patch_assessed": 458,
        "excluded: check_not_done": 75,
        "quarantined: no event and no dose": 16,
        "quarantined: the event does not say what was done": 51,
    },
    "emar_detail": {
        "merged: into_its_administration": 60_435,
        "excluded: of_an_event_without_administration": 11_583,
    },
    "inputevents": {"excluded: no_amount_given": 31},
    "datetimeevents": {
        "merged: same_date_charted_again": 12_725,
        "quarantined: dated more than a day after it was charted": 5,
    },
}
TARGET_ROWS = {
    "location": 1, "care_site": 31, "care_site.hospital": 1, "person": 100, "death": 31, "visit_occurrence": 275,
    "visit_detail": 861, "visit_detail.icu": 140, "drug_exposure.prescription": 18_087, "drug_exposure.pharmacy": 81,
    "drug_exposure.administration": 27_463, "drug_exposure.administration_detail": 0, "drug_exposure.infusion": 20_373,
    "procedure_occurrence.charted_date": 2_550, "measurement.lab": 107_727, "measurement.microbiology": 1_989,
    "measurement.susceptibility": 1_036, "specimen.microbiology": 1_336, "specimen.lab": 11_122,
    "fact_relationship.lab_specimen": 107_727, "fact_relationship.lab_result": 107_727,
    "fact_relationship.culture_specimen": 1_989, "fact_relationship.culture": 1_989, "measurement.omr": 2_964,
    "measurement.omr_diastolic": 872, "observation.marital_status": 263, "observation.insurance": 275,
    "observation.language": 255,
}  # fmt: skip


@pytest.fixture(scope="module")
def compiled() -> CompiledSource:
    return compile_source(source_folder("mimic_iv"))


# --- The declaration alone -----------------------------------------------------------------------------------------


def test_every_mapping_has_its_policies_written_down(compiled: CompiledSource) -> None:
    assert set(compiled.source.mappings) == set(mapping_files(compiled.folder))


def test_a_person_is_never_a_plain_column(compiled: CompiledSource) -> None:
    """subject_id, and every identifier that begins with it, is hashed wherever it stands."""
    for name, table in compiled.source.tables.items():
        for column in ("subject_id", "hadm_id", "stay_id", "transfer_id", "poe_id", "emar_id", "caregiver_id"):
            assert (column in table.columns) == (column in table.identity_columns), f"{name}.{column}"
        providers = {column for column in table.columns if column.endswith("provider_id")}
        assert providers <= set(table.identity_columns), name


def test_both_files_on_administrations_name_the_same_events_as_given(compiled: CompiledSource) -> None:
    """The rows of the record and their details must share one fate; SQL has no list that both could read."""
    heads = mapping_files(compiled.folder)["drug_exposure.administration"].read_text()
    details = mapping_files(compiled.folder)["drug_exposure.administration_detail"].read_text()
    given = re.search(r"event_txt IN \(([^)]*)\) THEN 'given'", heads)
    same = re.search(r"event_txt IN \(([^)]*)\) END AS was_given", details)
    assert given is not None and same is not None
    assert re.findall("'[^']+'", given[1]) == re.findall("'[^']+'", same[1])


def test_every_concept_map_belongs_to_a_vocabulary_of_the_mappings(compiled: CompiledSource) -> None:
    maps = read_concept_maps(compiled.folder)
    texts = " ".join(path.read_text() for path in mapping_files(compiled.folder).values())
    for path in (compiled.folder / "concept_maps").glob("*.csv"):
        assert f"'{path.stem}'" in texts, path.name
    pairs = list(zip(maps["vocabulary"].to_pylist(), maps["source_code"].to_pylist(), strict=True))
    assert len(pairs) == len(set(pairs)) > 190


def test_names_in_a_map_of_upper_case_codes_are_upper_case(compiled: CompiledSource) -> None:
    """Codes are normalised before they are looked up; a map is not, so it must be written that way."""
    with (compiled.folder / "concept_maps" / "MIMIC_DRUG_NAME.csv").open(newline="") as file:
        assert all(row["sourceCode"] == row["sourceCode"].upper() for row in csv.DictReader(file))


# --- The real files ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(shared_data: Path) -> Path:
    folder = shared_data / "mimic-iv-demo" / "csv"
    if not folder.is_dir():
        pytest.skip("the MIMIC-IV demo is not here: ../shared/data/mimic-iv-demo/csv")
    return folder


def test_every_file_is_read_or_declared_unused(compiled: CompiledSource, files: Path) -> None:
    found = {path.relative_to(files).as_posix(): path.name.split(".")[0] for path in files.rglob("*.csv*")}
    read = {table.path for table in compiled.source.tables.values()}
    assert read <= set(found)
    assert {name for path, name in found.items() if path not in read} == set(compiled.source.unused)
    assert len([path for path in found if "/" in path]) == 30


def test_every_column_of_a_file_is_declared_in_its_order(compiled: CompiledSource, files: Path) -> None:
    for name, table in compiled.source.tables.items():
        with gzip.open(files / str(table.path), "rt", encoding="utf-8", newline="") as file:
            assert next(csv.reader(file)) == list(table.columns), name


@pytest.fixture(scope="module")
def tables(compiled: CompiledSource, files: Path) -> dict[str, pa.Table]:
    """Every table as declared. A value that is not of its declared type stops the reading."""
    return {name: _read(files, table) for name, table in compiled.source.tables.items()}


def _read(files: Path, table: SourceTable) -> pa.Table:
    convert = pv.ConvertOptions(
        column_types={name: TYPES[column.type] for name, column in table.columns.items()},
        null_values=[""],
        strings_can_be_null=True,
    )
    with gzip.open(files / str(table.path)) as file:
        return pv.read_csv(file, convert_options=convert, parse_options=pv.ParseOptions(newlines_in_values=True))


def test_rows_are_as_many_as_counted(compiled: CompiledSource, tables: dict[str, pa.Table]) -> None:
    events = {name for name, table in compiled.source.tables.items() if table.role == "events"}
    assert {name: tables[name].num_rows for name in events} == ROWS


def test_declared_keys_make_each_row_itself(compiled: CompiledSource, tables: dict[str, pa.Table]) -> None:
    for name, table in compiled.source.tables.items():
        keys = tables[name].select(list(table.key)).group_by(list(table.key)).aggregate([])
        assert keys.num_rows == tables[name].num_rows, name


def test_required_columns_are_filled(compiled: CompiledSource, tables: dict[str, pa.Table]) -> None:
    for name, table in compiled.source.tables.items():
        for column in table.required:
            assert tables[name][column].null_count == 0, f"{name}.{column}"


@dataclass(frozen=True)
class Mapped:
    """The real tables on the embedded engine, under the names that compiled mappings read."""

    engine: Engine
    compiled: CompiledSource

    def mapping(self, name: str) -> CompiledMapping:
        return next(mapping for mapping in self.compiled.mappings if mapping.name == name)

    def view(self, name: str) -> str:
        return f"m__{name.replace('.', '__')}"

    def count(self, name: str, condition: str) -> int:
        return int(self.engine.rows(f"SELECT count(*) AS n FROM {self.view(name)} WHERE {condition}")[0]["n"])

    def fates(self, table: str) -> Counter[str]:
        """Best outcome of each row of a source table: 'mapped' or 'excluded: rule'; 'lost' where no mapping has it."""
        drivers = [m for m in self.compiled.mappings if table in m.drives]
        fates = " UNION ALL ".join(f"SELECT _row, {_fate(m)} AS fate FROM {self.view(m.name)}" for m in drivers)
        best = f"SELECT _row, max(fate) AS fate FROM ({fates}) AS f GROUP BY _row"  # '~ mapped' sorts last
        rows = self.engine.rows(
            f"SELECT coalesce(best.fate, 'lost') AS fate, count(*) AS n FROM {bronze_view(table)} AS b "
            f"LEFT JOIN ({best}) AS best ON best._row = b._row GROUP BY coalesce(best.fate, 'lost')"
        )
        return Counter({row["fate"].removeprefix("~ "): row["n"] for row in rows})


def _fate(mapping: CompiledMapping) -> str:
    given = dict(zip(OUTCOMES, ("_exclude", "_merge", "_quarantine"), strict=True))
    cases = [
        f"WHEN {column} IS NOT NULL THEN concat('{outcome}: ', {column})"
        for outcome, column in given.items()
        if column in mapping.columns
    ]
    return f"CASE {' '.join(cases)} ELSE '~ mapped' END" if cases else "'~ mapped'"


@pytest.fixture(scope="module")
def mapped(
    compiled: CompiledSource, tables: dict[str, pa.Table], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapped]:
    folder = tmp_path_factory.mktemp("mimic_iv")
    with open_engine() as engine:
        for name, table in tables.items():
            pq.write_table(_bronze(table), folder / f"{name}.parquet")
            engine.view_of_parquet(bronze_view(name), folder / f"{name}.parquet")
        result = Mapped(engine, compiled)
        for mapping in compiled.mappings:
            engine.stage(result.view(mapping.name), mapping.sql, folder / mapping.name)
        yield result


def _bronze(table: pa.Table) -> pa.Table:
    """Times become instants (the source's zone is UTC), and each row gets the number that mappings carry."""
    columns = {
        name: pc.assume_timezone(table[name], "UTC") if pa.types.is_timestamp(table[name].type) else table[name]
        for name in table.column_names
    }
    return pa.table({**columns, "_row": pa.array(range(table.num_rows), pa.int64())})


def test_every_row_is_accounted_for(mapped: Mapped) -> None:
    for table, rows in ROWS.items():
        expected = Counter(RULES.get(table, {}))
        if left := rows - expected.total():
            expected["mapped"] = left
        assert mapped.fates(table) == expected, table


def test_each_mapping_gives_the_rows_that_its_grain_promises(mapped: Mapped) -> None:
    for name, rows in TARGET_ROWS.items():
        assert mapped.count(name, f"{_fate(mapped.mapping(name))} = '~ mapped'") == rows, name


def test_natural_keys_are_unique_in_every_mapping(mapped: Mapped) -> None:
    for mapping in mapped.compiled.mappings:
        if "_key" in mapping.columns:
            counted = mapped.engine.rows(
                f"SELECT count(*) AS n, count(DISTINCT _key) AS keys FROM {mapped.view(mapping.name)}"
            )[0]
            assert counted["n"] == counted["keys"], mapping.name


def test_diagnoses_are_split_by_what_they_say(mapped: Mapped) -> None:
    """History and circumstances are observations by default, not diseases."""
    diseases, circumstances = "condition_occurrence", "observation.circumstance"
    assert mapped.count(diseases, "TRUE") + mapped.count(circumstances, "TRUE") == 4_506
    assert mapped.count(diseases, "condition_code LIKE 'Z%' OR condition_code LIKE 'V%'") == 0
    assert mapped.count(diseases, "condition_vocabulary IS NULL OR condition_start_datetime IS NULL") == 0


def test_deaths_come_from_both_sources(mapped: Mapped) -> None:
    assert mapped.count("death", "death_date IS NOT NULL") == 31
    assert mapped.count("death", "death_datetime IS NOT NULL") == 15


def test_an_order_with_a_dose_range_keeps_its_text_and_no_number(mapped: Mapped) -> None:
    orders = "drug_exposure.prescription"
    assert mapped.count(orders, "sig RLIKE '^[0-9]+/24h '") == 10_163
    assert mapped.count(orders, "quantity IS NULL AND dose_unit_source_value IS NOT NULL") == 891
    assert mapped.count(orders, "sig RLIKE '(^| )[0-9.]+-[0-9.]+ ' AND quantity IS NOT NULL") == 0
    assert mapped.count(orders, "drug_exposure_end_datetime < drug_exposure_start_datetime") == 753
    assert mapped.count(orders, "drug_code IS NULL") == 0


def test_an_infusion_ends_when_it_is_stopped(mapped: Mapped) -> None:
    given = "drug_exposure.administration"
    assert mapped.count(given, "drug_exposure_end_datetime < drug_exposure_start_datetime") == 0
    ended = mapped.count(given, "drug_exposure_end_datetime IS NOT NULL AND _merge IS NULL AND _exclude IS NULL")
    assert ended == 618  # as many as there are ends that were merged
    assert mapped.count(given, "_exclude IS NULL AND _merge IS NULL AND drug_code IS NULL") == 0


def test_laboratory_results_keep_what_is_a_number_and_what_is_a_word(mapped: Mapped) -> None:
    lab = "measurement.lab"
    assert mapped.count(lab, "value_as_number IS NOT NULL") == 95_246 + 12  # twelve are written '>300', '<1', '>=1.035'
    assert mapped.count(lab, "operator_code IS NOT NULL") == 12
    assert mapped.count(lab, "value_source_value = '___' AND value_as_number IS NOT NULL") == 6_680  # masked text only
    assert mapped.count(lab, "visit_key IS NULL") == 28_420
    assert mapped.count(lab, "unit_code IN ('N/A', '')") == 0


def test_a_blood_pressure_has_two_numbers(mapped: Mapped) -> None:
    systolic = "measurement_code LIKE '%|systolic' AND value_as_number IS NOT NULL"
    assert mapped.count("measurement.omr", systolic) == 872
    assert mapped.count("measurement.omr_diastolic", "value_as_number IS NOT NULL") == 872
    assert mapped.count("measurement.omr", "value_as_number IS NULL OR unit_code IS NULL") == 0


def test_a_susceptibility_points_to_its_culture(mapped: Mapped) -> None:
    orphans = mapped.engine.rows(
        f"SELECT count(*) AS n FROM {mapped.view('measurement.susceptibility')} AS s "
        f"LEFT JOIN {mapped.view('measurement.microbiology')} AS m ON m._key = s._event_key WHERE m._key IS NULL"
    )
    assert orphans[0]["n"] == 0


def test_every_result_and_every_culture_leads_to_its_specimen_and_back(mapped: Mapped) -> None:
    pairs = {
        ("fact_relationship.lab_specimen", "fact_relationship.lab_result"): ("specimen.lab", "measurement.lab"),
        ("fact_relationship.culture_specimen", "fact_relationship.culture"): (
            "specimen.microbiology", "measurement.microbiology",
        ),
    }  # fmt: skip
    for (there, back), ends in pairs.items():
        assert mapped.mapping(there).policy.event == ends and mapped.mapping(back).policy.event == ends[::-1]
        missed = mapped.engine.rows(
            f"SELECT count(*) AS n, count(s._key) AS specimens, count(m._key) AS results, count(b._key) AS backs "
            f"FROM {mapped.view(there)} AS r "
            f"LEFT JOIN {mapped.view(ends[0])} AS s ON s._key = r._event_key_1 "
            f"LEFT JOIN {mapped.view(ends[1])} AS m ON m._key = r._event_key_2 "
            f"LEFT JOIN {mapped.view(back)} AS b ON b._event_key_1 = r._event_key_2 AND b._event_key_2 = r._event_key_1"
        )[0]
        assert missed["n"] == missed["specimens"] == missed["results"] == missed["backs"], there
