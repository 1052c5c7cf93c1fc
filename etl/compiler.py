"""Compile a mapping file: check what it gives, carry the source row through it, find its codes and keys."""

from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from etl.declaration import Mapping, Source, load_source, mapping_files
from etl.sql_lint import DIALECT, refuse_unportable
from omop.cdm import ENTITY_TABLES, EVENT_LINKS, NAMES_OF_5_3, PERSONAL_TABLES, EventLink, Table, cdm_tables
from passerelle.errors import MappingError

BRONZE = "bronze"
ROW, SOURCE_TABLE, KEY, LINE = "_row", "_source_table", "_key", "_line"
OUTCOMES = ("_quarantine", "_exclude", "_merge")
MAX_ALTERNATES = 3

# Key column of a mapping → (column of the CDM, entity table whose key it is).
KEYS: dict[str, tuple[str, str]] = {
    "person_key": ("person_id", "person"),
    "visit_key": ("visit_occurrence_id", "visit_occurrence"),
    "visit_detail_key": ("visit_detail_id", "visit_detail"),
    "parent_visit_detail_key": ("parent_visit_detail_id", "visit_detail"),
    "preceding_visit_key": ("preceding_visit_occurrence_id", "visit_occurrence"),
    "provider_key": ("provider_id", "provider"),
    "care_site_key": ("care_site_id", "care_site"),
    "location_key": ("location_id", "location"),
    "payer_plan_period_key": ("payer_plan_period_id", "payer_plan_period"),
    "note_key": ("note_id", "note"),
    "episode_key": ("episode_id", "episode"),
    "parent_episode_key": ("episode_parent_id", "episode"),
    "image_occurrence_key": ("image_occurrence_id", "image_occurrence"),
}
EVENT_KEY = "_event_key"


@dataclass(frozen=True)
class CodeSlot:
    """A code that becomes a ``<prefix>_concept_id``: its columns, and those of its alternates in order."""

    prefix: str
    alternates: tuple[tuple[str, str], ...]  # (code column, vocabulary column)
    label: str | None

    @property
    def hash_column(self) -> str:
        return f"_h_{self.prefix}"


@dataclass(frozen=True)
class CompiledMapping:
    """A mapping ready to run: Spark SQL over the views ``bronze__<table>``."""

    name: str
    table: Table
    policy: Mapping
    sql: str
    columns: tuple[str, ...]
    slots: tuple[CodeSlot, ...]
    reads: frozenset[str]
    drives: frozenset[str]  # source tables whose rows it accounts for; empty when its grain is another

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(column for column in self.columns if column in KEYS)

    @property
    def is_entity(self) -> bool:
        return self.table.name in ENTITY_TABLES

    @property
    def events(self) -> dict[str, str]:
        """Event key that the mapping gives → the mapping whose rows it points to."""
        return {key: name for key, name in self.policy.events.items() if key in self.columns}

    @property
    def key_space(self) -> str:
        """Entities are addressed by their key from other mappings: all their parts share one space."""
        return self.table.name if self.is_entity else self.name


@dataclass(frozen=True)
class CompiledSource:
    """A source and its mappings, in the order in which they can run."""

    folder: Path
    source: Source
    mappings: tuple[CompiledMapping, ...]

    def of(self, table: str) -> tuple[CompiledMapping, ...]:
        return tuple(mapping for mapping in self.mappings if mapping.table.name == table)


def bronze_view(table: str) -> str:
    """Name of the view that stands for a bronze table in a compiled mapping."""
    return f"{BRONZE}__{table}"


def compile_source(folder: Path) -> CompiledSource:
    """Compile every mapping of a source.

    Raises: MappingError: naming the file, what it gives or reads wrongly, and what is there.
    """
    source = load_source(folder)
    files = mapping_files(folder)
    if unknown := sorted(set(source.mappings) - set(files)):
        raise MappingError(f"source.yaml has policies for mappings that have no file: {', '.join(unknown)}")
    compiled = [compile_mapping(source, name, path.read_text(encoding="utf-8")) for name, path in files.items()]
    result = CompiledSource(folder, source, tuple(_in_order(compiled)))
    _refuse_unaccounted_tables(result)
    return result


def _in_order(mappings: list[CompiledMapping]) -> Iterator[CompiledMapping]:
    """Each mapping after those that it points to; among equals the entity tables first, then by name.

    Raises: MappingError: a mapping points to one that does not exist, or two point to each other.
    """
    by_name = {mapping.name: mapping for mapping in mappings}
    graph = TopologicalSorter[str]()
    for mapping in mappings:
        if unknown := sorted(set(mapping.events.values()) - set(by_name)):
            raise MappingError(
                f"{mapping.name} points to mappings that have no file: {', '.join(unknown)}",
                looked=", ".join(sorted(by_name)),
                do="correct `event` in source.yaml",
            )
        entities = {KEYS[key][1] for key in mapping.keys}
        others = {m.name for m in mappings if m.table.name in entities and m.table.name != mapping.table.name}
        graph.add(mapping.name, *(others | set(mapping.events.values())) - {mapping.name})
    try:
        graph.prepare()
    except CycleError as error:
        raise MappingError(
            f"mappings point to each other: {' → '.join(error.args[1])}", do="one of them must stand without the other"
        ) from error
    while graph.is_active():
        ready = sorted(graph.get_ready(), key=lambda name: (not by_name[name].is_entity, name))
        yield from (by_name[name] for name in ready)
        graph.done(*ready)


def compile_mapping(source: Source, name: str, text: str) -> CompiledMapping:
    """Compile one mapping; ``name`` is ``<cdm_table>[.<part>]``."""
    where = f"{name}.sql"
    table_name = name.split(".", maxsplit=1)[0]
    if table_name not in cdm_tables():
        raise MappingError(f"{where}: the CDM has no table {table_name}", do="name the file <cdm_table>[.<part>].sql")
    table = cdm_tables()[table_name]
    tree = refuse_unportable(text, where)
    if not isinstance(tree, exp.Query):
        raise MappingError(f"{where} is not one SELECT", do="write one SELECT over bronze tables")
    _name_as_today(tree)
    reads = _check_reads(source, tree, where)
    columns = tuple(projection.alias_or_name for projection in tree.selects)
    slots = _slots(columns)
    policy = source.mappings.get(name) or Mapping()
    _check_columns(table, columns, where)
    _check_events(policy, columns, where)
    _check_names(source, tree, where)
    drives = _carry_row(tree, where)
    for reference in tree.find_all(exp.Table):
        if reference.db == BRONZE:
            reference.replace(exp.to_table(bronze_view(reference.name), alias=reference.alias or reference.name))
    return CompiledMapping(name, table, policy, tree.sql(DIALECT), columns, slots, frozenset(reads), frozenset(drives))


def _name_as_today(tree: exp.Query) -> None:
    """A mapping that was written for CDM 5.3 gives columns that 5.4 has renamed."""
    for projection in tree.selects:
        given = projection.alias_or_name
        former = next((name for name in NAMES_OF_5_3 if given == name or given.startswith(f"{name}_")), None)
        if former is not None:
            projection.replace(exp.alias_(projection.unalias(), NAMES_OF_5_3[former] + given.removeprefix(former)))


def _check_reads(source: Source, tree: exp.Query, where: str) -> set[str]:
    reads = {reference.name for reference in tree.find_all(exp.Table) if reference.db == BRONZE}
    ctes = {cte.alias for cte in tree.find_all(exp.CTE)}
    for reference in tree.find_all(exp.Table):
        if reference.db != BRONZE and reference.name not in ctes:
            raise MappingError(
                f"{where} reads {reference.sql(DIALECT)}, which is neither a bronze table nor a step of its own",
                do="read bronze.<table>; vocabulary is joined by the engine",
            )
    if unknown := sorted(reads - set(source.tables)):
        raise MappingError(
            f"{where} reads tables that source.yaml does not declare: {', '.join(unknown)}",
            looked=f"declared: {', '.join(source.tables)}",
        )
    return reads


def _check_names(source: Source, tree: exp.Query, where: str) -> None:
    """Every column that is read is one that the declaration lets through the door, or one that a step gives."""
    for scope in traverse_scope(tree):
        given = {alias.alias for alias in scope.expression.find_all(exp.Alias)}
        for column in scope.columns:
            alias = column.table
            if not alias and len(scope.sources) == 1 and column.name not in given:
                alias = next(iter(scope.sources))
            relation = scope.sources.get(alias)
            there = _names_of(source, relation)
            if there and column.name not in there:
                table = relation.name if isinstance(relation, exp.Table) else alias
                raise MappingError(
                    f"{where} reads {table}.{column.name}, which is not there",
                    looked=f"columns of {table}: {', '.join(there)}",
                    do="correct the name; columns of the crosswalk never reach a mapping",
                )


def _names_of(source: Source, relation: exp.Expression | Scope | None) -> tuple[str, ...]:
    """Columns of a bronze table or of a step; empty when it is neither."""
    if isinstance(relation, exp.Table) and relation.db == BRONZE:
        return (*source.tables[relation.name].bronze_columns, ROW, LINE)
    if isinstance(relation, Scope) and isinstance(relation.expression, exp.Query):
        return (*relation.expression.named_selects, ROW)
    return ()


def _slots(columns: tuple[str, ...]) -> tuple[CodeSlot, ...]:
    slots = []
    for column in columns:
        prefix = column.removesuffix("_code")
        if prefix == column or f"{prefix}_vocabulary" not in columns:
            continue
        alternates = [(column, f"{prefix}_vocabulary")]
        for n in range(2, MAX_ALTERNATES + 1):
            if f"{prefix}_code_{n}" in columns:
                alternates.append((f"{prefix}_code_{n}", f"{prefix}_vocabulary_{n}"))
        label = f"{prefix}_label" if f"{prefix}_label" in columns else None
        slots.append(CodeSlot(prefix, tuple(alternates), label))
    return tuple(slots)


def _check_columns(table: Table, columns: tuple[str, ...], where: str) -> None:
    if repeated := sorted({column for column in columns if columns.count(column) > 1}):
        raise MappingError(f"{where} gives a column twice: {', '.join(repeated)}")
    own = {column.name for column in table.columns}
    accepted = set(_accepted(table))
    for column in columns:
        if column not in accepted:
            raise MappingError(
                f"{where} gives {column}, which {table.name} does not take",
                looked=", ".join(sorted(own)),
                do="give a CDM column, a *_key, or <p>_code with <p>_vocabulary for a <p>_concept_id",
            )
        if column in own and (column == table.primary_key or column.endswith("_type_concept_id")):
            raise MappingError(f"{where} gives {column}: the engine makes ids and type concepts")
    if is_personal(table) and table.name != "person" and "person_key" not in columns:
        raise MappingError(f"{where} gives no person_key")


def is_personal(table: Table) -> bool:
    """Each row is about one person, in whose bucket it lies."""
    return table.name in PERSONAL_TABLES or any(column.name == "person_id" for column in table.columns)


def event_keys(table: Table) -> dict[str, EventLink]:
    """Key columns that point to a row of any event table → the columns that they fill."""
    links = EVENT_LINKS.get(table.name, ())
    return {EVENT_KEY if len(links) == 1 else f"{EVENT_KEY}_{n}": link for n, link in enumerate(links, start=1)}


def _check_events(policy: Mapping, columns: tuple[str, ...], where: str) -> None:
    given = {column for column in columns if column.startswith(EVENT_KEY)}
    if given != set(policy.events):
        raise MappingError(
            f"{where} gives {', '.join(sorted(given)) or 'no event key'}, "
            f"but its policy says where {', '.join(policy.events) or 'none'} would point",
            do="declare `event: <mapping>` for it in source.yaml (two mappings for fact_relationship)",
        )


def _accepted(table: Table) -> Iterator[str]:
    yield from (KEY, *event_keys(table), *OUTCOMES)
    names = [column.name for column in table.columns]
    yield from names
    yield from (f"{name}time" for name in names if name.endswith("_date"))  # the engine takes the day from it
    for key, (target, _) in KEYS.items():
        if target in names and target != table.primary_key:
            yield key
    if table.name in PERSONAL_TABLES:
        yield "person_key"
    for name in names:
        if name.endswith("_concept_id"):
            prefix = name.removesuffix("_concept_id")
            yield from (f"{prefix}_code", f"{prefix}_vocabulary", f"{prefix}_label")
            for n in range(2, MAX_ALTERNATES + 1):
                yield from (f"{prefix}_code_{n}", f"{prefix}_vocabulary_{n}")


# --- The source row, carried from the bronze table to the result ---------------------------------------------------


def _carry_row(tree: exp.Query, where: str) -> set[str]:
    """Add ``_row`` and ``_source_table`` along the FROM chain; returns the tables whose rows arrive one by one."""
    ctes: dict[str, exp.CTE] = {cte.alias: cte for cte in tree.find_all(exp.CTE)}
    drives = _driving(tree, ctes)
    if drives is None:
        return set()
    _add_row(tree, ctes, set())
    return drives


def _driving(query: exp.Expr, ctes: dict[str, exp.CTE]) -> set[str] | None:
    """Source tables that a query has one row of (or several) for each of theirs; None when it aggregates."""
    if isinstance(query, exp.SetOperation):
        sides = [_driving(query.left, ctes), _driving(query.right, ctes)]
        if any(side is None for side in sides) or (isinstance(query, exp.Union) and query.args.get("distinct")):
            return None
        return set().union(*(side for side in sides if side is not None))
    if isinstance(query, exp.Subquery):
        return _driving(query.this, ctes)
    if not isinstance(query, exp.Select) or query.args.get("group") or query.args.get("distinct"):
        return None
    if any(
        isinstance(node, exp.AggFunc) and not node.find_ancestor(exp.Window) for p in query.selects for node in p.walk()
    ):
        return None
    relation = _relation(query)
    if isinstance(relation, exp.Subquery):
        return _driving(relation.this, ctes)
    if not isinstance(relation, exp.Table):
        return None
    if relation.db == BRONZE:
        return {relation.name}
    return _driving(ctes[relation.name].this, ctes) if relation.name in ctes else None


def _relation(select: exp.Select) -> exp.Expr | None:
    clause = select.args.get("from_") or select.args.get("from")
    return clause.this if clause is not None else None


def _add_row(query: exp.Expr, ctes: dict[str, exp.CTE], done: set[str]) -> None:
    if isinstance(query, exp.SetOperation):
        _add_row(query.left, ctes, done)
        _add_row(query.right, ctes, done)
        return
    if isinstance(query, exp.Subquery):
        _add_row(query.this, ctes, done)
        return
    assert isinstance(query, exp.Select)
    relation = _relation(query)
    assert relation is not None
    alias = relation.alias_or_name
    row = exp.column(ROW, table=alias).as_(ROW)
    if isinstance(relation, exp.Table) and relation.db == BRONZE:
        query.select(row, exp.Literal.string(relation.name).as_(SOURCE_TABLE), copy=False)
        return
    if isinstance(relation, exp.Subquery):
        _add_row(relation.this, ctes, done)
    elif relation.name not in done:
        done.add(relation.name)
        _add_row(ctes[relation.name].this, ctes, done)
    query.select(row, exp.column(SOURCE_TABLE, table=alias).as_(SOURCE_TABLE), copy=False)


def _refuse_unaccounted_tables(compiled: CompiledSource) -> None:
    driven: set[str] = set().union(*(mapping.drives for mapping in compiled.mappings)) if compiled.mappings else set()
    events = {name for name, table in compiled.source.tables.items() if table.role == "events"}
    if left := sorted(events - driven):
        raise MappingError(
            f"no mapping accounts for the rows of: {', '.join(left)}",
            do="map each, or declare it `role: reference` or under `unused` with the reason",
        )
