"""Check a source's folder without its data: open decisions, every mapping, concept maps."""

import csv
from collections import Counter
from pathlib import Path

from etl.compiler import CompiledSource, compile_mapping, compile_source
from etl.concept_maps import ACCEPTED, read_concept_maps
from etl.declaration import load_source, mapping_files
from etl.findings import Finding, Severity
from etl.scaffold.decisions import open_decisions
from passerelle.errors import MappingError


def check_declaration(folder: Path) -> tuple[CompiledSource | None, list[Finding]]:
    """The compiled source, None where it cannot be compiled, and everything that is wrong or open.

    Raises: MappingError: ``source.yaml`` itself cannot be read; nothing else can be checked then.
    """
    source = load_source(folder)
    findings = [
        Finding(Severity.ERROR, f"{d.file}:{d.line}", f"undecided: {d.question}", "decide, then remove the mark")
        for d in open_decisions(folder)
    ]
    broken = []
    for name, path in mapping_files(folder).items():
        try:
            compile_mapping(source, name, path.read_text(encoding="utf-8"))
        except MappingError as error:
            broken.append(_of(error, f"mapping/{path.name}"))
    compiled = None
    try:
        compiled = compile_source(folder)
    except MappingError as error:
        broken = broken or [_of(error, "source.yaml")]
    return compiled, [*findings, *broken, *_concept_maps(folder)]


def _of(error: MappingError, where: str) -> Finding:
    return Finding(Severity.ERROR, where, error.what, error.do or "")


def _concept_maps(folder: Path) -> list[Finding]:
    try:
        read_concept_maps(folder)
    except MappingError as error:
        return [_of(error, "concept_maps")]
    findings = []
    for path in sorted((folder / "concept_maps").glob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            signed = Counter((row.get("mappingStatus") or "").strip() in ACCEPTED for row in csv.DictReader(file))
        if signed[False]:
            what = f"{signed[False]} of {signed.total()} codes are not approved: their rows get concept 0"
            findings.append(Finding(Severity.NOTE, f"concept_maps/{path.name}", what, "approve them in Usagi"))
    return findings
