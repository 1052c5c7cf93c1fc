"""Whose rows are they? The ways from the row of a source table to its person: what an increment has to map again."""

from collections.abc import Callable
from dataclasses import dataclass

from etl.declaration import Source, SourceTable


@dataclass(frozen=True)
class Link:
    """A column that holds the key of another table, through which the person is found."""

    column: str
    parent: str


@dataclass(frozen=True)
class Ownership:
    """Where a row of one table says whose it is."""

    direct: tuple[str, ...]  # columns that hold a person
    links: tuple[Link, ...]

    @property
    def ways(self) -> int:
        return len(self.direct) + len(self.links)


def ownership(source: Source) -> dict[str, Ownership]:
    """The tables whose rows belong to people; what is in none of them (wards, dictionaries) belongs to everybody.

    A person column is a way by itself; a stay column leads through the table that has it as its key, or, where none
    does, through every table whose key is a stay; any other column through what ``belongs_to`` declares.
    """
    direct = {name: _columns_of(table, "person") for name, table in source.tables.items()}
    stays = [
        name
        for name, table in source.tables.items()
        if len(table.key) == 1 and table.identity_columns.get(table.key[0]) == "stay" and direct[name]
    ]
    owned = {name: Ownership(columns, ()) for name, columns in direct.items() if columns}
    # A chain of three tables is found in as many rounds.
    for _ in source.tables:
        for name in source.tables:
            links = tuple(link for link in _links(source, name, stays) if link.parent in owned)
            if direct[name] or links:
                owned[name] = Ownership(direct[name], links)
    return owned


def owner_query(
    source: Source,
    owned: dict[str, Ownership],
    table: str,
    view_of: Callable[[str], str],
    owner_of: Callable[[str], str],
) -> str:
    """``id, person`` of every row of a table that others belong to.

    Args:
        view_of: table → the view of its rows.
        owner_of: table → the view that this query fills for it.
    """
    (key,) = source.tables[table].key
    rows = f"SELECT b.{key} AS id, {person_of(owned[table], 'b')} AS person FROM {view_of(table)} AS b"
    return f"SELECT id, max(person) AS person FROM ({rows} {joins(owned[table], 'b', owner_of)}) AS o GROUP BY id"


def people_of(own: Ownership, alias: str) -> tuple[str, ...]:
    """Expressions of all the persons that a row names, one a way."""
    via = tuple(f"own{i}.person" for i, _ in enumerate(own.links))
    return (*(f"{alias}.{column}" for column in own.direct), *via)


def person_of(own: Ownership, alias: str) -> str:
    """Expression of the person that a row counts for."""
    people = people_of(own, alias)
    return people[0] if len(people) == 1 else f"coalesce({', '.join(people)})"


def joins(own: Ownership, alias: str, owner_of: Callable[[str], str]) -> str:
    """Joins that the expressions need."""
    return " ".join(
        f"LEFT JOIN {owner_of(link.parent)} AS own{i} ON own{i}.id = {alias}.{link.column}"
        for i, link in enumerate(own.links)
    )


def parents(owned: dict[str, Ownership]) -> list[str]:
    """Tables through which others find their person, each after those that it needs itself."""
    wanted = {link.parent for own in owned.values() for link in own.links}
    ordered: list[str] = []
    while left := [name for name in sorted(wanted) if name not in ordered]:
        ready = [name for name in left if all(link.parent in ordered for link in owned[name].links)]
        ordered += ready or left
    return ordered


def _columns_of(table: SourceTable, kind: str) -> tuple[str, ...]:
    return tuple(column for column, found in table.identity_columns.items() if found == kind)


def _links(source: Source, name: str, stays: list[str]) -> list[Link]:
    table = source.tables[name]
    links = []
    for column in _columns_of(table, "stay"):
        same_name = [stay for stay in stays if source.tables[stay].key == (column,)]
        links += [Link(column, stay) for stay in same_name or stays]
    links += [Link(column, parent) for column, parent in table.belongs_to.items()]
    return [link for link in links if link.parent != name]
