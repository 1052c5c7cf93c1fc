"""Check how many of a source's codes a workspace's vocabulary knows, before any load."""

from collections import Counter

import pyarrow.compute as pc

from etl.declaration import Source, Vocabulary
from etl.findings import Finding, Severity
from etl.resolution import LONGEST_PARENT, SHORTEST_PARENT
from omop.delta_read import dataset
from omop.lake import Lake

NDC_DIGITS = 11
Codes = dict[tuple[str, str, str], Counter[str]]  # (table, column, source vocabulary) → code → rows


def check_codes(lake: Lake, source: Source, mapped: dict[str, set[str]], codes: Codes) -> list[Finding]:
    """Codes that neither a concept map nor the vocabulary knows.

    Args:
        mapped: source vocabulary → codes of its approved concept map.
    """
    known: dict[str, set[str]] = {}
    findings = []
    for (table, column, name), counted in codes.items():
        declared = source.vocabularies.get(name, Vocabulary())
        if name not in known:
            known[name] = _concepts(lake, declared.vocabulary_id or name, declared) | _of_maps(lake, declared)
        missing = {c: n for c, n in counted.items() if not _is_known(c, declared, known[name], mapped.get(name, set()))}
        rows, lost = counted.total(), sum(missing.values())
        where = f"{table}.{column}"
        if lost and not known[name] and not mapped.get(name):
            what = f"{name}: no concept of it in this copy; {len(counted)} codes are kept as they are, {rows} rows"
            findings.append(Finding(Severity.WARNING, where, what, "load a fuller vocabulary, or fill its concept map"))
        elif lost:
            what = (
                f"{name}: {len(missing)} of {len(counted)} codes are unknown, {lost} of {rows} rows ({lost / rows:.1%})"
            )
            findings.append(Finding(Severity.WARNING, where, what, "after the run, passerelle gaps lists them"))
    return findings


def normalised(code: str, vocabulary: Vocabulary) -> str:
    """A code as it is looked up (as `etl.resolution.normalised` writes it in SQL).

    Example:
        >>> normalised(" e11.9", Vocabulary(normalise=("trim", "no_dot", "upper")))
        'E119'
    """
    for step in vocabulary.normalise:
        match step:
            case "trim":
                code = code.strip()
            case "no_dot":
                code = code.replace(".", "")
            case "upper":
                code = code.upper()
            case "ndc11":
                code = code.strip().rjust(NDC_DIGITS, "0")
    return code


def _is_known(code: str, vocabulary: Vocabulary, known: set[str], mapped: set[str]) -> bool:
    norm = normalised(code, vocabulary)
    if norm in known or norm in mapped:
        return True
    parents = range(SHORTEST_PARENT, min(LONGEST_PARENT, len(norm) - 1) + 1) if vocabulary.parents else ()
    return any(norm[:kept] in known for kept in parents)


def _concepts(lake: Lake, vocabulary_id: str, vocabulary: Vocabulary) -> set[str]:
    wanted = pc.field("vocabulary_id") == vocabulary_id
    found = dataset(lake.omop("concept")).to_table(columns=["concept_code"], filter=wanted)["concept_code"]
    return {normalised(code, vocabulary) for code in found.to_pylist() if code}


def _of_maps(lake: Lake, vocabulary: Vocabulary) -> set[str]:
    if not vocabulary.maps:
        return set()
    wanted = pc.field("source_vocabulary_id").isin(list(vocabulary.maps))
    found = dataset(lake.omop("source_to_concept_map")).to_table(columns=["source_code"], filter=wanted)["source_code"]
    return {code for code in found.to_pylist() if code}
