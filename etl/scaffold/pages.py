"""The README of a new source, to be completed and signed, and the report of the scan."""

from etl.scaffold.decisions import MARK
from etl.scaffold.infer import Person, Rest, Stay, Table
from etl.scaffold.scan import Scan
from etl.scaffold.shown import MIN_PEOPLE, TOP, values_shown, what_it_is

BECOMES = {
    Person: "keyed hash at the door (secret of identity); clear value in the encrypted crosswalk only",
    Stay: "keyed hash at the door (secret of stays); clear value in the encrypted crosswalk only",
    Rest: "keyed hash at the door (secret of the rest)",
}


def readme(name: str, scan: Scan, tables: list[Table], mapped: dict[str, str]) -> str:
    """The README: what the scan knows, and marks where only the hospital does."""
    rows = [f"| {t.name} | {mapped.get(t.name, 'not mapped: read for joins only')} | |" for t in tables]
    rows += [f"| {where} | not read: {why} | |" for where, why in scan.unread.items()]
    identifiers = [
        f"| {t.name}.{c.name} | {c.identity} | {BECOMES[c.identity]} |" for t in tables for c in t.columns if c.identity
    ]
    direct = [
        f"| {t.name}.{c.name} | direct identifier | {'crosswalk only' if t.people else 'left at the door'} |"
        for t in tables for c in t.columns if c.direct
    ]  # fmt: skip
    texts = [
        f"| {t.name}.{c.name} | free text | pseudonymised at the door |"
        for t in tables
        for c in t.columns
        if c.free_text
    ]
    return (
        "\n".join(
            [
                f"# {name}",
                "",
                f"<!-- {MARK} one paragraph: which system, which period, which patients -->",
                "",
                "## Coverage",
                "",
                "| source | becomes | remarks |",
                "|---|---|---|",
                *rows,
                "",
                "## Known losses",
                "",
                f"<!-- {MARK} what is lost on the way, and why (a first run shows it: passerelle ledger, gaps) -->",
                "",
                "## Privacy",
                "",
                "One line an identifier system (HL7 FHIR to OMOP, statement 025): what it is, what becomes of it.",
                "",
                "| column | what it is | what becomes of it |",
                "|---|---|---|",
                *identifiers,
                *direct,
                *texts,
                "",
                f"<!-- {MARK} assess each line: could it find somebody, alone or with others? Who holds the keys? -->",
                "",
                "## Legal basis",
                "",
                "The legal instrument under which the source is read (HL7 FHIR to OMOP, statement 132); in France the",
                "reference framework of the CNIL for health data warehouses, or an authorisation.",
                "",
                f"<!-- {MARK} the instrument, its date, the retention, who signed -->",
            ]
        )
        + "\n"
    )


def report(name: str, scan: Scan, tables: list[Table]) -> str:
    """What the scan saw, without a value that could be of one person."""
    head = (
        f"encoding {scan.encoding}, delimiter {scan.delimiter!r}" if scan.kind == "files" else f"schema {scan.schema}"
    )
    lines = [
        f"# Scan of {name}",
        "",
        f"{head}. A value is shown when {MIN_PEOPLE} people or more have it; identifiers, free text, dates, numbers,",
        "and keys show none. Sampled tables show the numbers of the sample.",
    ]
    for table in tables:
        scanned = table.scanned
        many = f"{scanned.rows} rows" if scanned.complete else f"a sample of {scanned.rows} rows"
        lines += [
            "",
            f"## {table.name} ({scanned.where}): {many}",
            "",
            "| column | taken for | filled | distinct | frequent values |",
            "|---|---|---:|---:|---|",
        ]
        for column in table.columns:
            seen = scanned.column(column.name)
            filled = f"{len(seen.values) / scanned.rows:.0%}" if scanned.rows else ""
            values = ", ".join(f"{_cell(v)} ({n})" for v, n in values_shown(table, column)[:TOP])
            lines.append(f"| {_cell(column.name)} | {what_it_is(column)} | {filled} | {seen.distinct} | {values} |")
    lines += ["", *(f"- not read: {where}: {why}" for where, why in scan.unread.items())]
    return "\n".join(lines).rstrip() + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
