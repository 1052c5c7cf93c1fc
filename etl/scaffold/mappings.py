"""First mapping files: what the columns of an understood table say, in the layout of every mapping."""

from collections.abc import Callable

from etl.scaffold import patterns
from etl.scaffold.infer import Column, Person, Rest, Stay, Table
from etl.scaffold.kinds import is_administration, is_laboratory, kind_of
from etl.scaffold.shapes import words

DATES = ("timestamp", "date")
Cells = list[tuple[str, str]]  # (target column, expression), in the order of the SELECT


class Skeleton:
    """One mapping file of a table; knows the table of stays, for rows that name a stay and no person."""

    def __init__(self, source: str, table: Table, stays: Table | None) -> None:
        self.source, self.table, self.stays = source, table, stays
        self.kind = kind_of(table)
        self.maps: dict[str, Column] = {}  # vocabulary → the column whose codes a person maps

    def text(self) -> str | None:
        """The file, or None when nothing says which CDM table it would fill."""
        if self.kind is None:
            return None
        cells = CELLS[self.kind](self)
        columns = ", ".join(
            _sql(c.name) for c in self.table.columns if self._is_used(c, cells) or c.name in self.table.key
        )
        alias = _sql(self.table.name)
        lines = [
            f"-- {self.table.scanned.where} → {self.kind}. Grain: one row per row of it ({', '.join(self.table.key)}).",
            "WITH",
            "-- 1. Sources",
            f"{alias} AS (SELECT {columns} FROM bronze.{alias})" + ("," if self._needs_stay else ""),
        ]
        if self._needs_stay:
            assert self.stays is not None
            stay, person = self.stays.key[0], self.stays.of_identity(Person)
            assert person is not None
            start = self.stays.named(patterns.START, *DATES)
            read = ", ".join(_sql(c.name) for c in (self.stays.column(stay), person, start) if c is not None)
            lines.append(f"sejour_de AS (SELECT {read} FROM bronze.{_sql(self.stays.name)})")
        lines += ["-- 2. Result", "SELECT"]
        lines += [f"    {self._cell(target, value)}" for target, value in cells]
        body = [_comma(line, last=i == len(cells) - 1) for i, line in enumerate(lines[-len(cells) :])]
        return "\n".join([*lines[: -len(cells)], *body, *self._from(alias)]) + "\n"

    # Parts ---------------------------------------------------------------------------------------------------------

    @property
    def _needs_stay(self) -> bool:
        """Rows that name their stay only: the stay knows whose they are."""
        return (
            self.kind not in ("person", "provider", "care_site", "visit_occurrence")
            and self.table.of_identity(Person) is None
            and self.stays is not None
            and self.stays is not self.table
        )

    def _from(self, alias: str) -> list[str]:
        if not self._needs_stay:
            return [f"FROM {alias}"]
        assert self.stays is not None
        own = self.table.of_identity(Stay)
        assert own is not None
        return [
            f"FROM {alias}",
            f"LEFT JOIN sejour_de ON sejour_de.{_sql(self.stays.key[0])} = {alias}.{_sql(own.name)}",
        ]

    def _is_used(self, column: Column, cells: Cells) -> bool:
        return not column.direct and any(self.col(column) in value for _, value in cells)

    @staticmethod
    def _cell(target: str, value: str) -> str:
        expression, mark, comment = value.partition("  --")
        return f"{expression} AS {target}{mark}{comment}"

    def col(self, column: Column) -> str:
        """A column of the driving table."""
        return f"{_sql(self.table.name)}.{_sql(column.name)}"

    def owners(self) -> Cells:
        """Whose row it is: person, stay, professional."""
        cells: Cells = []
        person, stay, staff = (self.table.of_identity(kind) for kind in (Person, Stay, Rest))
        if person is not None:
            cells.append(("person_key", self.col(person)))
        elif self._needs_stay:
            assert self.stays is not None
            owner = self.stays.of_identity(Person)
            assert owner is not None
            cells.append(("person_key", f"sejour_de.{_sql(owner.name)}"))
        else:
            cells.append(("person_key", "CAST(NULL AS bigint)  -- DECIDE: whose row is it?"))
        if stay is not None and stay.name not in (self.table.key if self.kind == "visit_occurrence" else ()):
            cells.append(("visit_key", self.col(stay)))
        if staff is not None and self.kind not in ("note",):
            cells.append(("provider_key", self.col(staff)))
        return cells

    def when(self, stem: str, wanted: tuple[str, ...], required: bool = True) -> Cells:
        """A date or time of the row; the stay's beginning where the row has none."""
        column = self.table.named(wanted, *DATES)
        if column is None and required:
            column = next(
                (c for c in self.table.columns if c.type in DATES and c.name != self.table.change_column), None
            )
        if column is not None:
            return [(f"{stem}_{'datetime' if column.type == 'timestamp' else 'date'}", self.col(column))]
        start = self.stays.named(patterns.START, *DATES) if self._needs_stay and self.stays is not None else None
        if required and start is not None:
            target = f"{stem}_{'datetime' if start.type == 'timestamp' else 'date'}"
            return [
                (
                    target,
                    f"sejour_de.{_sql(start.name)}  -- DECIDE: the row has no date, the stay's beginning stands in",
                )
            ]
        if required:
            return [(f"{stem}_date", "CAST(NULL AS date)  -- DECIDE: no date was recognised")]
        return []

    def code(self, prefix: str, column: Column | None, vocabulary: str | None = None, label: bool = False) -> Cells:
        """A code with its vocabulary; a local one gets a concept map to fill."""
        if column is None:
            return []
        name = vocabulary or column.vocabulary
        if name is None:
            name = f"{self.source}_{'_'.join(words(column.name))}".upper()
            self.maps[name] = column
        cells = [(f"{prefix}_code", self.col(column)), (f"{prefix}_vocabulary", f"'{name}'")]
        said = self.table.named(patterns.LABEL_WORDS, "string") if label else None
        return [*cells, (f"{prefix}_label", self.col(said))] if said is not None and said is not column else cells

    def ward(self) -> Cells:
        """Where the row took place."""
        ward = self.table.named(patterns.WARD, "string", "bigint")
        return [("care_site_key", self.col(ward))] if ward is not None else []

    def number(self, target: str, column: Column | None) -> Cells:
        """A number, whatever comma the source writes."""
        if column is None:
            return []
        if column.type in ("double", "bigint"):
            return [(target, f"CAST({self.col(column)} AS double)")]
        # "<0,05" and "5 mg": the sign and the unit have columns of their own.
        digits = f"regexp_extract(replace({self.col(column)}, ',', '.'), '(-?[0-9]+([.][0-9]+)?)', 1)"
        return [(target, f"try_cast(nullif({digits}, '') AS double)")]


def _person(s: Skeleton) -> Cells:
    born, sex = s.table.named(patterns.BIRTH, *DATES), s.table.named(patterns.SEX)
    year = s.table.named(("year", "annee"), "bigint")
    cells = [("_key", s.col(s.table.column(s.table.key[0])))]
    if born is not None:
        cells += [(f"{part}_of_birth", f"{part}({s.col(born)})") for part in ("year", "month", "day")]
    elif year is not None:
        cells += [("year_of_birth", f"{s.col(year)}  -- DECIDE: is this the year of birth?")]
    else:
        cells += [("year_of_birth", "CAST(NULL AS int)  -- DECIDE: the CDM wants the year of birth")]
    plain = sex is not None and {v.strip() for v in s.table.scanned.column(sex.name).values} <= {"M", "F"}
    return cells + s.code("gender", sex, "Gender" if plain else None)


def _visit(s: Skeleton) -> Cells:
    kind = s.table.named(("type", "nature", "class", "encounterclass", "categorie"), "string")
    what = (
        s.code("visit", kind)
        if kind is not None
        else [("visit_code", "'IP'  -- DECIDE: are all of them inpatient stays?"), ("visit_vocabulary", "'Visit'")]
    )
    modes = [c for c in s.table.columns if {"mode"} & set(words(c.name)) and not c.identity]
    modes_in = next((c for c in modes if set(words(c.name)) & set(patterns.START)), None)
    modes_out = next((c for c in modes if set(words(c.name)) & set(patterns.END)), None)
    return [
        ("_key", s.col(s.table.column(s.table.key[0]))),
        *s.owners(),
        *s.when("visit_start", patterns.START),
        *s.when("visit_end", patterns.END, required=False),
        *what,
        *s.ward(),
        *s.code("admitted_from", modes_in),
        *s.code("discharged_to", modes_out),
    ]


def _visit_detail(s: Skeleton) -> Cells:
    return [
        ("_key", s.col(s.table.column(s.table.key[0]))),
        *s.owners(),
        *s.when("visit_detail_start", patterns.START),
        *s.when("visit_detail_end", patterns.END, required=False),
        *s.ward(),
        ("visit_detail_code", "'IP'"),
        ("visit_detail_vocabulary", "'Visit'"),
    ]


def _condition(s: Skeleton) -> Cells:
    kind = s.table.named(("type", "rang", "position", "categorie"), "string")
    return [
        *s.owners(),
        *s.when("condition_start", ("diagnostic", "debut", "start", "recueil", "date")),
        *s.code("condition", s.table.with_code("CIM10"), label=True),
        *s.code("condition_status", kind),
    ]


def _procedure(s: Skeleton) -> Cells:
    return [
        *s.owners(),
        *s.when("procedure", patterns.EVENT),
        *s.code("procedure", s.table.with_code("CCAM"), label=True),
    ]


def _drug(s: Skeleton) -> Cells:
    start = s.when("drug_exposure_start", ("realise", "faite", "administration", "debut", "start", *patterns.EVENT))
    route = s.table.named(patterns.ROUTE)
    return [
        *s.owners(),
        *start,
        *s.when("drug_exposure_end", patterns.END, required=False),
        *s.code("drug", s.table.with_code(*patterns.DRUG_CODES), label=True),
        *s.number("quantity", s.table.named(patterns.DOSE)),
        *([("dose_unit_source_value", s.col(unit))] if (unit := s.table.named(patterns.UNIT, "string")) else []),
        *s.code("route", route),
    ]


def _measurement(s: Skeleton) -> Cells:
    value, unit = s.table.named(patterns.VALUE), s.table.named(patterns.UNIT)
    code = s.table.with_code(*patterns.MEASURE_CODES) or s.table.named(patterns.ANALYSIS)
    cells = [*s.owners(), *s.when("measurement", patterns.EVENT), *s.code("measurement", code, label=True)]
    cells += s.number("value_as_number", value) + s.code("unit", unit)
    for target, names in (("range_low", patterns.LOW), ("range_high", patterns.HIGH)):
        cells += s.number(target, s.table.named(names))
    if value is not None:
        written = s.col(value) if value.type == "string" else f"CAST({s.col(value)} AS string)"
        cells.append(("value_source_value", written))
    return cells


def _note(s: Skeleton) -> Cells:
    text = next(column for column in s.table.columns if column.free_text)
    title = s.table.named((*patterns.LABEL_WORDS, "titre", "type"), "string")
    return [
        *s.owners(),
        *s.when("note", patterns.EVENT),
        ("note_text", s.col(text)),
        *([("note_title", s.col(title))] if title is not None else []),
    ]


def _provider(s: Skeleton) -> Cells:
    speciality = s.table.named(("specialite", "speciality", "specialty"), "string")
    return [("_key", s.col(s.table.column(s.table.key[0]))), *s.code("specialty", speciality)]


def _care_site(s: Skeleton) -> Cells:
    label = s.table.named(patterns.LABEL_WORDS, "string")
    key = s.col(s.table.column(s.table.key[0]))
    return [("_key", key), ("care_site_name", s.col(label) if label else key), ("care_site_source_value", key)]


CELLS: dict[str, Callable[[Skeleton], Cells]] = {
    "person": _person,
    "visit_occurrence": _visit,
    "visit_detail": _visit_detail,
    "condition_occurrence": _condition,
    "procedure_occurrence": _procedure,
    "drug_exposure": _drug,
    "measurement": _measurement,
    "note": _note,
    "provider": _provider,
    "care_site": _care_site,
}


def type_of_rows(table: Table) -> str:
    """The type concept of the rows, by name."""
    kind = kind_of(table)
    if kind == "drug_exposure":
        return "EHR administration record" if is_administration(table) else "EHR prescription"
    if kind == "measurement":
        return "Lab" if is_laboratory(table) else "EHR"
    return {"visit_occurrence": "EHR encounter record", "visit_detail": "EHR encounter record", "note": "EHR note"}.get(
        kind or "", "EHR"
    )


def death_of(table: Table) -> str | None:
    """A second mapping of a table of people that knows their deaths."""
    died = table.named(patterns.DEATH, *DATES)
    if died is None:
        return None
    name, person = _sql(table.name), _sql(table.key[0])
    target = "death_datetime" if died.type == "timestamp" else "death_date"
    return (
        f"-- {table.scanned.where} → death. Grain: one row per person who died; person.sql accounts for every row.\n"
        f"WITH\n-- 1. Sources\n{name} AS (SELECT {person}, {_sql(died.name)} FROM bronze.{name})\n-- 2. Result\n"
        f"SELECT {name}.{person} AS person_key, {name}.{_sql(died.name)} AS {target}\n"
        f"FROM {name} WHERE {name}.{_sql(died.name)} IS NOT NULL\n"
    )


def _comma(line: str, *, last: bool) -> str:
    code, mark, comment = line.partition("  --")
    return f"{code}{'' if last else ','}{mark}{comment}"


def _sql(name: str) -> str:
    """A name as SQL takes it."""
    plain = name.isidentifier() and name.isascii() and name.lower() not in _RESERVED
    return name if plain else f"`{name}`"


_RESERVED = {
    "select", "from", "where", "date", "time", "timestamp", "order", "group", "table", "start", "end", "first", "last",
    "case", "when", "then", "else", "as", "in", "is", "not", "null", "and", "or", "on", "join", "left", "to", "by",
    "union", "all", "distinct", "with", "values", "key", "index", "year", "month", "day", "hour", "interval", "user",
}  # fmt: skip
