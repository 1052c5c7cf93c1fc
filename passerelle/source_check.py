"""Compare a source's declaration with what really is there, before any load."""

from itertools import islice
from pathlib import Path

from etl.compiler import CompiledSource
from etl.declaration import SourceKind
from etl.readers.csv import CsvRecords
from passerelle.errors import PasserelleError
from spark_jobs.land import open_source


def check_input(compiled: CompiledSource, location: str) -> list[str]:
    """Problems of every table, one line each: missing file, wrong columns or encoding, a file nobody declared."""
    source = compiled.source
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
