"""Write the first ``source.yaml``: what was recognised, and a mark on each line that a person must settle."""

import json
import re
from datetime import date

from etl.scaffold import patterns
from etl.scaffold.decisions import MARK
from etl.scaffold.infer import Column, Table
from etl.scaffold.scan import Scan

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_BOOLEANS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
WIDTH = 110


def declaration(
    name: str,
    scan: Scan,
    tables: list[Table],
    mapped: dict[str, str],
    types: dict[str, str],
    vocabularies: dict[str, str],
) -> str:
    """The text of ``source.yaml``.

    Args:
        mapped: table → the CDM table that its mapping file fills.
        types: mapping → type concept.
        vocabularies: source vocabulary → how it is declared.
    """
    lines = [
        "# A first declaration, written from a scan. Each line with DECIDE waits for a person: correct or keep it,",
        "# then remove the mark. `passerelle source check` lists what is left and refuses until nothing is.",
        f"name: {name}",
        f"label: {name}  # {MARK} the name that people know it by",
        f"kind: {scan.kind}",
        f"timezone: Europe/Paris  # {MARK} where the clocks stand that wrote the times without a zone",
        "cdm_source:",
        f"  cdm_source_name: {name}  # {MARK} the name in cdm_source",
        f"  cdm_source_abbreviation: {name[:25].upper()}",
        f"  cdm_holder: to be named  # {MARK} the institution that holds the data",
        f"  source_release_date: {date.today().isoformat()}  # {MARK} the day of this extract",
    ]
    if scan.kind == "files":
        lines.append(f"files: {{encoding: {scan.encoding}, delimiter: {json.dumps(scan.delimiter)}}}")
    else:
        lines.append(f"schema: {_word(scan.schema)}")
    lines += [
        "# absence: each extract is complete, so a row that is no longer there was deleted.",
        f"# {MARK} is that so of every table? If deletions arrive as a filled column: {{kind: tombstone, column: …}}",
        "tables:",
    ]
    for table in tables:
        lines += _table(table, mapped.get(table.name))
    lines += ["unused:" if scan.unread else "unused: {}"]
    lines += [
        f"  {_word(w)}: {json.dumps(why, ensure_ascii=False)}  # {MARK} may it stay unread?"
        for w, why in scan.unread.items()
    ]
    lines += ["vocabularies:" if vocabularies else "vocabularies: {}"]
    lines += [f"  {_word(v)}: {how}" for v, how in sorted(vocabularies.items())]
    lines += ["mappings:" if types else "mappings: {}"]
    lines += [f"  {mapping}: {{type: {kind}}}" for mapping, kind in sorted(types.items())]
    return "\n".join(lines) + "\n"


def _table(table: Table, cdm: str | None) -> list[str]:
    where = "path" if "." in table.scanned.where else "relation"
    lines = [f"  {_word(table.name)}:"]
    if table.scanned.where != table.name:
        lines.append(f"    {where}: {_word(table.scanned.where)}")
    lines.append(f"    key: {_list(table.key)}" + _mark(table.key_doubt))
    if table.change_column:
        lines.append(f"    change_column: {_word(table.change_column)}")
    if table.tombstone:
        rule = f"{{kind: tombstone, column: {_word(table.tombstone)}}}"
        lines.append(f"    delete_rule: {rule}" + _mark(f"is a row with {table.tombstone} deleted?"))
    else:
        lines.append("    delete_rule: {kind: absence}")
    lines += _identity(table)
    if cdm is None:
        lines.append("    role: reference" + _mark(_why_reference(table)))
    lines.append("    columns:")
    lines += [
        f"      {_word(c.name)}: {_type(c)}" + _mark(c.doubt if not (c.identity or c.direct) else None)
        for c in table.columns
    ]
    return [*lines, *(f"    # {MARK} {doubt}" for doubt in table.doubts)]


def _identity(table: Table) -> list[str]:
    lines = []
    if identified := [c for c in table.columns if c.identity]:
        lines.append("    identity_columns:")
        lines += [f"      {_word(c.name)}: {c.identity}" + _mark(c.doubt) for c in identified]
    for key, chosen in (
        ("crosswalk", [c for c in table.columns if c.direct]),
        ("free_text", [c for c in table.columns if c.free_text]),
    ):
        if chosen:
            doubts = "; ".join(f"{c.name}: {c.doubt}" for c in chosen if c.doubt)
            lines.append(f"    {key}: {_list([c.name for c in chosen])}" + _mark(doubts or None))
    return lines


def _why_reference(table: Table) -> str | None:
    """A dictionary needs no decision; a table about people that nobody maps does."""
    if any(column.identity or column.direct or column.free_text for column in table.columns):
        return "not understood. Write a mapping and remove this line, or move the table under `unused`"
    return None


def _type(column: Column) -> str:
    return column.type if column.format is None else f"{{type: {column.type}, format: {json.dumps(column.format)}}}"


def _mark(doubt: str | None) -> str:
    return f"  # {MARK} {doubt}" if doubt else ""


def _list(names: tuple[str, ...] | list[str]) -> str:
    return f"[{', '.join(map(_word, names))}]"


def _word(text: str) -> str:
    """A scalar of YAML; quoted where YAML would read something else."""
    plain = _PLAIN.fullmatch(text) is not None and text.lower() not in _BOOLEANS
    return text if plain else json.dumps(text, ensure_ascii=False)


def how_declared(vocabulary: str, local: bool) -> str:
    """The entry of a vocabulary."""
    if local:
        return f"{{}}  # your own codes: concept_maps/{vocabulary}.csv"
    return patterns.DECLARED.get(vocabulary, "{}")
