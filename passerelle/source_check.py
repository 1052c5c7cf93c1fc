"""Compare a source's declaration with what really is there, before any load."""

from collections import Counter
from itertools import islice
from pathlib import Path

from etl.compiler import CompiledSource
from etl.declaration import Source, SourceKind
from etl.readers.csv import CsvRecords
from etl.readers.fhir_r4 import FhirFolder
from passerelle.errors import PasserelleError
from spark_jobs.land import open_source

FHIR_SAMPLE = 1_000  # resources of each file that a check reads


def check_input(compiled: CompiledSource, location: str) -> list[str]:
    """Problems of every table, one line each: missing file, wrong columns or encoding, a file nobody declared."""
    source = compiled.source
    if source.kind is SourceKind.FHIR_R4:
        return _check_fhir(source, Path(location))
    problems = _undeclared_files(compiled, Path(location)) if source.kind is SourceKind.FILES else []
    with open_source(source, location) as opened:
        for name, table in source.tables.items():
            try:
                with opened.stream(name) as stream:
                    if stream is not None:
                        for _ in islice(CsvRecords(source, name, table, stream).batches(), 1):
                            pass
            except PasserelleError as error:
                problems.append(error.what)
    return problems


def _check_fhir(source: Source, folder: Path) -> list[str]:
    """Of the first resources of each file: what cannot be read, what no table takes, tables that take nothing."""
    fhir = FhirFolder(source, folder, limit=FHIR_SAMPLE)
    try:
        for _ in fhir.batches(set(fhir.tables)):
            pass
    except PasserelleError as error:
        return [error.what]
    bad = {f"resource/{kind}": aside.bad for kind, aside in fhir.aside.items()}
    bad |= {name: table.bad for name, table in fhir.tables.items()}
    problems = []
    for name, records in bad.items():
        reasons = Counter(record.reason.partition(": ")[2] for record in records)
        problems += [f"{name}: {reason} ({n} of the first {FHIR_SAMPLE} a file)" for reason, n in reasons.items()]
    problems += [
        f"{name}: no {table.resource} meets its criteria"
        for name, table in fhir.tables.items()
        if not table.read and not table.optional
    ]
    return problems


def _undeclared_files(compiled: CompiledSource, folder: Path) -> list[str]:
    """Every CSV of the folder is declared, or listed as not read with the reason."""
    declared = {table.path or f"{name}.csv" for name, table in compiled.source.tables.items()}
    unused = set(compiled.source.unused)
    problems = []
    for path in sorted([*folder.rglob("*.csv"), *folder.rglob("*.csv.gz")]):
        relative = path.relative_to(folder).as_posix()
        if relative not in declared and not {relative, path.name, path.name.split(".")[0]} & unused:
            problems.append(f"{relative}: neither declared under `tables` nor under `unused`")
    return problems
