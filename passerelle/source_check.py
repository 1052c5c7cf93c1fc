"""Find what is wrong with a source before any load: its folder, then its rows."""

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from etl.check_codes import Codes, check_codes
from etl.check_declaration import check_declaration
from etl.code_columns import code_columns
from etl.compiler import CompiledSource
from etl.concept_maps import read_concept_maps
from etl.declaration import Source, SourceKind, source_folder
from etl.find_leaks import find_leaks
from etl.findings import Finding, Severity, by_severity
from etl.readers.csv import CsvRecords
from etl.readers.fhir_r4 import FhirFolder
from omop.lake import Lake, is_delta
from passerelle.errors import PasserelleError
from spark_jobs.check_rows import Sample, check_rows, sample
from spark_jobs.engine import open_engine
from spark_jobs.land import open_source

FHIR_SAMPLE = 1_000  # resources of each file that a check reads


def check_source(
    source: str, location: str | None, lake: Lake | None, progress: Callable[[str], None] = lambda _: None
) -> tuple[CompiledSource | None, list[Finding]]:
    """Everything that stands against a load, the worst first.

    Args:
        location: the input; None checks the folder alone.
        lake: of a workspace whose vocabulary the codes are looked up in.
    """
    compiled, findings = check_declaration(source_folder(source))
    if compiled is not None and location is not None:
        if compiled.source.kind is SourceKind.FHIR_R4:
            findings += _check_fhir(compiled.source, Path(location))
        else:
            findings += _check_input(compiled, location, lake, progress)
    return compiled, by_severity(findings)


def _check_input(
    compiled: CompiledSource, location: str, lake: Lake | None, progress: Callable[[str], None]
) -> list[Finding]:
    source = compiled.source
    findings = _undeclared_files(compiled, Path(location)) if source.kind is SourceKind.FILES else []
    samples: dict[str, Sample] = {}
    with open_source(source, location) as opened:
        for name, table in source.tables.items():
            progress(f"reading {name}")
            try:
                with opened.stream(name) as stream:
                    if stream is not None:
                        samples[name] = sample(CsvRecords(source, name, table, stream))
            except PasserelleError as error:
                findings.append(Finding(Severity.ERROR, name, error.what, error.do or ""))
    for name, found in samples.items():
        findings += _of_sample(source, name, found)
    progress("reading types and keys as the landing does")
    with tempfile.TemporaryDirectory() as staging, open_engine() as engine:
        findings += check_rows(engine, source, samples, Path(staging))
    return findings + _codes(compiled, samples, lake)


def _of_sample(source: Source, name: str, found: Sample) -> list[Finding]:
    table, findings = source.tables[name], []
    if found.unfit:
        what = f"{found.unfit} records have another number of fields than the header: set aside"
        findings.append(
            Finding(Severity.WARNING, name, what, "have the file sent again, or check delimiter and quotes")
        )
    if not found.complete:
        what = f"only the first {found.rows.num_rows} rows were looked at"
        findings.append(Finding(Severity.NOTE, name, what))
    for column in table.columns:
        findings += find_leaks(name, table, column, found.texts(column))
    return findings


def _codes(compiled: CompiledSource, samples: dict[str, Sample], lake: Lake | None) -> list[Finding]:
    if lake is None or not is_delta(lake.omop("concept")):
        what = "codes were not looked up: no vocabulary was given"
        return [Finding(Severity.NOTE, "vocabularies", what, "give --workspace, with a vocabulary loaded there")]
    read = {origin: name for mapping in compiled.mappings for origin, name in code_columns(mapping).items()}
    codes: Codes = {
        (table, column, vocabulary): Counter(samples[table].texts(column))
        for (table, column), vocabulary in read.items()
        if table in samples and column in samples[table].rows.column_names
    }
    mapped: dict[str, set[str]] = {}
    for row in read_concept_maps(compiled.folder).to_pylist():
        mapped.setdefault(row["vocabulary"], set()).add(row["source_code"])
    return check_codes(lake, compiled.source, mapped, codes)


def _check_fhir(source: Source, folder: Path) -> list[Finding]:
    """Of the first resources of each file: what cannot be read, what no table takes, tables that take nothing."""
    fhir = FhirFolder(source, folder, limit=FHIR_SAMPLE)
    try:
        for _ in fhir.batches(set(fhir.tables)):
            pass
    except PasserelleError as error:
        return [Finding(Severity.ERROR, str(folder), error.what, error.do or "")]
    bad = {f"resource/{kind}": aside.bad for kind, aside in fhir.aside.items()}
    bad |= {name: table.bad for name, table in fhir.tables.items()}
    findings = []
    for name, records in bad.items():
        reasons = Counter(record.reason.partition(": ")[2] for record in records)
        findings += [
            Finding(Severity.ERROR, name, f"{reason} ({n} of the first {FHIR_SAMPLE} a file)")
            for reason, n in reasons.items()
        ]
    empty = [name for name, table in fhir.tables.items() if not table.read and not table.optional]
    return findings + [
        Finding(Severity.ERROR, name, f"no {source.tables[name].resource} meets its criteria") for name in empty
    ]


def _undeclared_files(compiled: CompiledSource, folder: Path) -> list[Finding]:
    """Every file that holds a table is declared, or listed as not read with the reason."""
    declared = {table.path or f"{name}.csv" for name, table in compiled.source.tables.items()}
    unused = set(compiled.source.unused)
    findings = []
    for path in sorted(p for p in folder.rglob("*") if p.name.removesuffix(".gz").endswith((".csv", ".tsv"))):
        relative = path.relative_to(folder).as_posix()
        if relative not in declared and not {relative, path.name, path.name.split(".")[0]} & unused:
            what = "neither declared under `tables` nor under `unused`"
            findings.append(Finding(Severity.ERROR, relative, what, "declare it, or say why it is not read"))
    return findings
