"""SQL that turns the rows of a compiled mapping into CDM rows: keys, concepts, dates, types, outcome, target table."""

from dataclasses import dataclass, fields

from etl.compiler import (
    KEY,
    KEYS,
    ROW,
    SOURCE_TABLE,
    CodeSlot,
    CompiledMapping,
    CompiledSource,
    event_keys,
    is_personal,
)
from etl.sql_text import FINITE, literal, within
from omop.cdm import DOMAIN_TABLE, EVENT_TABLES, EVENT_TARGETS, TYPE_CONCEPTS, Column, EventRoles, Table, event_roles
from passerelle.errors import MappingError

BUCKET = "person_bucket"
POSITIVE = "9223372036854775807"
NOTE = "_note"
OUTCOME, RULE, TARGET, VALUE_CONCEPT = "_outcome", "_rule", "_target", "_value_concept_id"

ROLES = tuple(role.name for role in fields(EventRoles) if role.name != "table")
# Ends that the CDM requires although a source may not know them yet: the start stands in (declared imputation).
IMPUTED_ENDS = {
    f"{stem}_end_date": f"{stem}_start_date" for stem in ("drug_exposure", "visit", "visit_detail", "exposure")
}


@dataclass(frozen=True)
class Frame:
    """What all rows of a run share."""

    source: str
    timezone: str
    salt: int
    first_bucket: int
    buckets: int


def hashed_key(frame: Frame, space: str, key: str) -> str:
    """63-bit id of a natural key in a key space; null for a null key."""
    text = f"CAST({key} AS string)"
    digest = f"xxhash64({frame.salt}L, {literal(frame.source)}, {literal(space)}, {text})"
    return f"CASE WHEN {key} IS NOT NULL THEN {digest} & {POSITIVE} END"


def mapped_query(mapping: CompiledMapping, frame: Frame, events: dict[str, str]) -> str:
    """Stage 1: the mapping's own rows, plus the ids of everything that they point to and a hash of each code slot.

    Args:
        events: mapping name → key space, for event keys.
    """
    key = f"m.{KEY}" if KEY in mapping.columns else f"m.{ROW}"
    if KEY not in mapping.columns and not mapping.drives:
        raise MappingError(f"{mapping.name}.sql aggregates its source: it must give {KEY}")
    added = [f"{hashed_key(frame, mapping.key_space, key)} AS _id"]
    for column in mapping.keys:
        _, entity = KEYS[column]
        added.append(f"{hashed_key(frame, entity, f'm.{column}')} AS _fk_{column}")
    for column, name in mapping.events.items():
        added.append(f"{hashed_key(frame, events[name], f'm.{column}')} AS _fk{column}")
    for slot in mapping.slots:
        parts = ", ".join(f"coalesce(CAST(m.{c} AS string), '')" for pair in slot.alternates for c in pair)
        added.append(f"xxhash64({parts}) AS {slot.hash_column}")
    row = "" if mapping.drives else f", CAST(NULL AS bigint) AS {ROW}, CAST(NULL AS string) AS {SOURCE_TABLE}"
    return f"SELECT m.*, {', '.join(added)}{row} FROM ({mapping.sql}) AS m"


def ids_query(views: list[str]) -> str:
    """Every id that the parts of an entity table give: what its rows may point to among themselves."""
    return " UNION ".join(f"SELECT _id AS id FROM {view}" for view in views)


def event_rows_query(mapping: CompiledMapping, view: str) -> str:
    """Rows of a mapping that others may point to, from its stage 2: ``id``, and the table in which each one is."""
    return f"SELECT {row_key(mapping.table)} AS id, {TARGET} AS target FROM {view} WHERE {TARGET} IS NOT NULL"


def own_rows_query(mapping: CompiledMapping, view: str) -> str:
    """The same from stage 1, for a mapping whose rows point to rows of its own."""
    return f"SELECT _id AS id, {literal(mapping.table.name)} AS target FROM {view}"


def row_key(table: Table) -> str | None:
    """The column that names a row: its id, or the person where there is one row each."""
    return table.primary_key or ("person_id" if table.person_column else None)


def cdm_query(
    mapping: CompiledMapping, frame: Frame, view: str, known: dict[str, str], events: dict[str, str] | None = None
) -> str:
    """Stage 2: CDM rows of the declared table, with outcome, rule and target table beside them.

    Args:
        view: stage 1 of the mapping.
        known: entity table → view of the ids that exist (``id``), the table itself included when it points to itself;
            absent when the source does not fill it.
        events: event key → view of the rows that it may point to (``id, target``).
    """
    rows = _Rows(mapping, frame, known, events or {})
    columns = ",\n  ".join(f"{expression} AS {name}" for name, expression in rows.columns().items())
    inner = f"SELECT a.{ROW}, a.{SOURCE_TABLE}, {rows.source_outcome()},\n  {columns}\nFROM {view} AS a\n{rows.joins()}"
    required = rows.required_gap()
    declared = mapping.table.name
    return (
        f"SELECT b.*, CASE WHEN {RULE}_given IS NOT NULL THEN {OUTCOME}_given "
        f"WHEN {required} IS NOT NULL THEN 'quarantined' "
        f"WHEN _domain_table <> {literal(declared)} THEN 'routed' ELSE 'mapped' END AS {OUTCOME}, "
        f"CASE WHEN {RULE}_given IS NOT NULL THEN {RULE}_given WHEN {required} IS NOT NULL THEN {required} "
        f"WHEN _domain_table <> {literal(declared)} THEN _domain_table END AS {RULE}, "
        f"CASE WHEN {RULE}_given IS NULL AND {required} IS NULL THEN _domain_table END AS {TARGET} "
        f"FROM (\n{inner}\n) AS b"
    )


class _Rows:
    """Expressions of one mapping's CDM columns."""

    def __init__(self, mapping: CompiledMapping, frame: Frame, known: dict[str, str], events: dict[str, str]) -> None:
        self.mapping, self.frame, self.known, self.events = mapping, frame, known, events
        self.links = {key: link for key, link in event_keys(mapping.table).items() if key in mapping.events}
        self.slots: dict[str, CodeSlot] = {slot.prefix: slot for slot in mapping.slots}
        self.roles: EventRoles | None = event_roles(mapping.table.name) if mapping.table.name in EVENT_TABLES else None
        self.main = self.roles.concept.removesuffix("_concept_id") if self.roles else None
        if self.main not in self.slots:
            self.main = None

    # Columns ------------------------------------------------------------------------------------------------------

    def columns(self) -> dict[str, str]:
        cells = {column.name: self._cell(column) for column in self.mapping.table.columns}
        self._close_before_start(cells)
        if self.main:
            cells["_domain_table"] = self._domain_table()
            cells[VALUE_CONCEPT] = f"r_{self.main}.value_concept_id"
        else:
            cells["_domain_table"] = literal(self.mapping.table.name)
            cells[VALUE_CONCEPT] = "CAST(NULL AS bigint)"
        if "value_as_concept_id" in cells and "value_as" not in self.slots and self.main:
            cells["value_as_concept_id"] = f"coalesce({cells['value_as_concept_id']}, {cells[VALUE_CONCEPT]})"
        cells[BUCKET] = self._bucket()
        return cells

    def _cell(self, column: Column) -> str:
        given = self.mapping.columns
        name, kind = column.name, column.type
        if name == self.mapping.table.primary_key and not (column.references and column.references[0] == "person"):
            return self._id()
        if name == "person_id":
            return "a._id" if self.mapping.table.name == "person" else "a._fk_person_key"
        if name in given:
            value = f"CAST(a.{name} AS string)" if kind == "string" else f"try_cast(a.{name} AS {kind})"
            return within(value, *FINITE) if kind == "double" else value
        for key, link in self.links.items():
            if name == link.column:
                return f"e{key}.id"
            if name == link.says:
                return _in_words(f"e{key}.target", link.words, kind)
        for key, (target, entity) in KEYS.items():
            if name == target and key in given:
                return f"k_{key}.id" if entity in self.known else f"CAST(NULL AS {kind})"
        if name.endswith("_concept_id"):
            return self._concept(column)
        prefix = name.removesuffix("_source_value")
        if prefix != name and prefix in self.slots:
            return f"CAST(a.{self.slots[prefix].alternates[0][0]} AS string)"
        stamp = name.removesuffix("_date") + "_datetime"
        if name.endswith("_date") and stamp in given:
            return self._local_date(f"a.{stamp}")
        return f"CAST(NULL AS {kind})"

    def _id(self) -> str:
        if not self.main or self.mapping.policy.one_to_many == "pick_one":
            return "a._id"
        # The first target keeps the id of the natural key, so that others can point to it; the next ones add theirs.
        more = f"xxhash64(a._id, r_{self.main}.concept_id) & {POSITIVE}"
        return f"CASE WHEN coalesce(r_{self.main}.rank, 1) = 1 THEN a._id ELSE {more} END"

    def _concept(self, column: Column) -> str:
        prefix = column.name.removesuffix("_concept_id")
        empty = "0" if column.required else "CAST(NULL AS bigint)"
        if column.name.endswith("_type_concept_id"):
            try:
                return f"CAST({TYPE_CONCEPTS[self.mapping.policy.type]} AS bigint)"
            except KeyError as error:
                raise MappingError(
                    f"{self.mapping.name}: there is no type concept named {self.mapping.policy.type!r}",
                    looked=", ".join(TYPE_CONCEPTS),
                ) from error
        base = prefix.removesuffix("_source")
        source, slot = base != prefix, self.slots.get(base)
        if slot is None:
            return f"CAST({empty} AS bigint)"
        code = " AND ".join(f"a.{c} IS NULL" for c, _ in slot.alternates)
        resolved = f"r_{base}.{'source_concept_id' if source else 'concept_id'}"
        return f"CASE WHEN {code} THEN {empty} ELSE coalesce({resolved}, 0) END"

    def _domain_table(self) -> str:
        declared = literal(self.mapping.table.name)
        cases = " ".join(
            f"WHEN r_{self.main}.domain_id = {literal(domain)} THEN {literal(table)}"
            for domain, table in DOMAIN_TABLE.items()
        )
        return f"CASE WHEN coalesce(r_{self.main}.concept_id, 0) = 0 THEN {declared} {cases} ELSE {declared} END"

    def _local_date(self, stamp: str) -> str:
        """The calendar day where the hospital is, of a UTC instant."""
        instant = f"try_cast({stamp} AS timestamp)"
        if self.frame.timezone == "UTC":
            return f"CAST({instant} AS date)"
        return f"CAST(from_utc_timestamp({instant}, {literal(self.frame.timezone)}) AS date)"

    def _close_before_start(self, cells: dict[str, str]) -> None:
        """An end before its start is dropped, never swapped; a required end falls back on the start."""
        names = [column.name for column in self.mapping.table.columns]
        for end in [name for name in names if name.endswith(("_end_date", "_end_datetime"))]:
            start = end.replace("_end_", "_start_")
            if start in cells and cells[end].startswith("CAST(NULL") is False:
                cells[end] = f"CASE WHEN {cells[end]} >= {cells[start]} THEN {cells[end]} END"
        for end, start in IMPUTED_ENDS.items():
            if end in cells:
                cells[end] = f"coalesce({cells[end]}, {cells[start]})"

    def _bucket(self) -> str:
        if not is_personal(self.mapping.table):
            return f"CAST({self.frame.first_bucket} AS int)"
        person = "a._id" if self.mapping.table.name == "person" else "a._fk_person_key"
        return bucket_of(self.frame, person)

    # Outcome ------------------------------------------------------------------------------------------------------

    def source_outcome(self) -> str:
        """The outcome that the mapping itself gives, or that a missing person gives."""
        given = self.mapping.columns
        cases: list[tuple[str, str, str]] = []
        for column, outcome in (("_exclude", "excluded"), ("_merge", "merged"), ("_quarantine", "quarantined")):
            if column in given:
                cases.append((f"a.{column} IS NOT NULL", outcome, f"a.{column}"))
        if "person_key" in given:
            cases.append(("a._fk_person_key IS NULL", "quarantined", literal("no person given")))
            if "person" in self.known:
                cases.append(("k_person_key.id IS NULL", "quarantined", literal("no such person")))
        cases.append(("a._id IS NULL", "quarantined", literal("the natural key is empty")))
        outcomes = " ".join(f"WHEN {when} THEN {literal(outcome)}" for when, outcome, _ in cases)
        rules = " ".join(f"WHEN {when} THEN {rule}" for when, _, rule in cases)
        return f"CASE {outcomes} END AS {OUTCOME}_given, CASE {rules} END AS {RULE}_given"

    def required_gap(self) -> str:
        """Why a row cannot stand in its table: the first required column that is empty."""
        cases = [
            f"WHEN b.{column.name} IS NULL THEN {literal(f'{column.name} is empty')}"
            for column in self.mapping.table.columns
            if column.required
            and not column.name.endswith("_concept_id")
            and column.name != self.mapping.table.primary_key
        ]
        return f"CASE {' '.join(cases)} END" if cases else "CAST(NULL AS string)"

    def joins(self) -> str:
        joins = [
            f"LEFT JOIN resolved AS r_{slot.prefix} ON r_{slot.prefix}.h = a.{slot.hash_column}"
            + (
                ""
                if slot.prefix == self.main and self.mapping.policy.one_to_many == "fan_out"
                else f" AND r_{slot.prefix}.rank = 1"
            )
            for slot in self.mapping.slots
        ]
        for key in self.mapping.keys:
            _, entity = KEYS[key]
            if entity in self.known:
                joins.append(f"LEFT JOIN {self.known[entity]} AS k_{key} ON k_{key}.id = a._fk_{key}")
        for key, link in self.links.items():
            only = f" AND e{key}.target = {literal(link.words)}" if link.says is None else ""
            joins.append(f"LEFT JOIN {self.events[key]} AS e{key} ON e{key}.id = a._fk{key}{only}")
        return "\n".join(joins)


def _in_words(target: str, words: str, kind: str) -> str:
    """The table that an event id points to, in the words of the column that says it."""
    cases = " ".join(f"WHEN {literal(t)} THEN {_word(getattr(e, words))}" for t, e in EVENT_TARGETS.items())
    return f"CAST(CASE {target} {cases} END AS {kind})"


def _word(value: int | str) -> str:
    return literal(value) if isinstance(value, str) else str(value)


def bucket_of(frame: Frame, person: str) -> str:
    """Partition of a person: a range of its own for each source of the workspace."""
    own = f"{frame.first_bucket} + pmod(xxhash64({person}), {frame.buckets})"
    return f"CAST(CASE WHEN {person} IS NULL THEN {frame.first_bucket} ELSE {own} END AS int)"


def table_columns(table: Table) -> dict[str, str]:
    """Columns of a CDM table in the lake and their types; the bucket comes last, as partition columns do."""
    return {**{column.name: column.type for column in table.columns}, BUCKET: "int"}


def select_into(target: Table, mapping: CompiledMapping, view: str) -> str:
    """Rows of a mapping for one CDM table: its own, or those that the domain of their concept sends there."""
    if target.name == mapping.table.name:
        cells = dict.fromkeys(table_columns(target))
        columns = ", ".join(cells)
    else:
        columns = ", ".join(f"{expression} AS {name}" for name, expression in _routed(target, mapping.table).items())
    return f"SELECT {columns} FROM {view} WHERE {TARGET} = {literal(target.name)}"


def _routed(target: Table, origin: Table) -> dict[str, str]:
    """The same facts under the names of another event table; what has no place there is lost, and declared as such."""
    to, of = event_roles(target.name), event_roles(origin.name)
    names = {getattr(to, role): getattr(of, role) for role in ROLES if getattr(to, role) and getattr(of, role, None)}
    own = {column.name for column in origin.columns}
    cells: dict[str, str] = {}
    for column in target.columns:
        if column.name == target.primary_key:
            cells[column.name] = str(origin.primary_key)
        elif column.name in names:
            cells[column.name] = f"CAST({names[column.name]} AS {column.type})"
        elif column.name == "value_as_concept_id":
            cells[column.name] = VALUE_CONCEPT
        elif column.name in own:
            cells[column.name] = f"try_cast({column.name} AS {column.type})"
        elif column.required and column.name.endswith("_concept_id"):
            cells[column.name] = "CAST(0 AS bigint)"
        else:
            cells[column.name] = f"CAST(NULL AS {column.type})"
    for end, start in IMPUTED_ENDS.items():
        if end in cells:
            cells[end] = f"coalesce({cells[end]}, {cells[start]})"
    cells[BUCKET] = BUCKET
    return cells


def events_of(compiled: CompiledSource) -> dict[str, str]:
    """Mapping name → key space, for the event keys of other mappings."""
    return {mapping.name: mapping.key_space for mapping in compiled.mappings}
