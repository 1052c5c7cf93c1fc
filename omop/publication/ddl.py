"""Tables, keys and indexes of OMOP on PostgreSQL from the CDM declaration, and what the views mean there.

* Strings are ``text``: the specification's varchar(50) cuts or refuses source values that are longer, and PostgreSQL
  stores both the same way.
* Times are ``timestamp`` as in the OHDSI DDL; they are UTC (`passerelle` converts at landing).
* No foreign keys: a vocabulary may be a subset, and the quality checks count what points nowhere.
"""

from omop.cdm import Table, cdm_tables
from omop.views.contract import View

TYPES = {
    "bigint": "bigint",
    "int": "integer",
    "double": "double precision",
    "string": "text",
    "date": "date",
    "timestamp": "timestamp",
}

# Beside primary keys and person_id: look-ups that OHDSI tools and our views make. Each further index costs load time.
INDEXES: dict[str, tuple[tuple[str, ...], ...]] = {
    "visit_occurrence": (("visit_start_date",),),
    "condition_occurrence": (("condition_concept_id",), ("visit_occurrence_id",)),
    "drug_exposure": (("drug_concept_id",), ("visit_occurrence_id",)),
    "procedure_occurrence": (("procedure_concept_id",), ("visit_occurrence_id",)),
    "measurement": (("measurement_concept_id",), ("visit_occurrence_id",)),
    "observation": (("observation_concept_id",), ("visit_occurrence_id",)),
    "note_nlp": (("note_id",),),
    "concept": (("vocabulary_id", "concept_code"),),
    "concept_relationship": (("concept_id_1", "relationship_id"),),
    "concept_ancestor": (("ancestor_concept_id",), ("descendant_concept_id",)),
    "concept_synonym": (("concept_id",),),
    "source_to_concept_map": (("source_vocabulary_id", "source_code"),),
}


def published_tables() -> tuple[Table, ...]:
    """Tables that are published. Results (cohorts) belong to those who make them, and would be lost at each run."""
    return tuple(table for table in cdm_tables().values() if table.schema != "RESULTS")


def create_table(table: Table, schema: str) -> str:
    """``CREATE TABLE`` without keys: they are added after the load, in one pass."""
    # A vocabulary may be a subset whose files lack columns; required columns of the others are the quality checks' law.
    strict = table.schema != "VOCAB"
    columns = ",\n  ".join(
        f"{quote(column.name)} {TYPES[column.type]}{' NOT NULL' if column.required and strict else ''}"
        for column in table.columns
    )
    return f"CREATE TABLE {quote(schema)}.{quote(table.name)} (\n  {columns}\n)"


def create_indexes(table: Table, schema: str) -> list[str]:
    """Indexes of a loaded table, that of its primary key first: statements that may run at once."""
    target = f"{quote(schema)}.{quote(table.name)}"
    statements = []
    if table.primary_key:
        statements.append(f"CREATE UNIQUE INDEX {_key_name(table)} ON {target} ({quote(table.primary_key)})")
    indexes = list(INDEXES.get(table.name, ()))
    if table.person_column and table.primary_key != "person_id":
        indexes.insert(0, ("person_id",))
    for columns in indexes:
        statements.append(f"CREATE INDEX ON {target} ({', '.join(quote(column) for column in columns)})")
    return statements


def add_primary_key(table: Table, schema: str) -> list[str]:
    """The unique index of a table becomes its primary key; nothing for a table without one."""
    if not table.primary_key:
        return []
    target = f"{quote(schema)}.{quote(table.name)}"
    return [f"ALTER TABLE {target} ADD PRIMARY KEY USING INDEX {_key_name(table)}"]


def _key_name(table: Table) -> str:
    return quote(f"{table.name}_pkey")


def comments_on(declared: View, target: str, kind: str) -> list[str]:
    """What a view and its columns mean, for whoever looks at a database (PostgreSQL or DuckDB).

    Args:
        target: the view there, quoted.
        kind: TABLE or VIEW.
    """
    comments = [f"COMMENT ON {kind} {target} IS {literal(f'{declared.title}: {declared.grain}')}"]
    for name, column in declared.columns.items():
        unit = f" [{column.unit}]" if column.unit else ""
        comments.append(f"COMMENT ON COLUMN {target}.{quote(name)} IS {literal(column.meaning + unit)}")
    return comments


def quote(name: str) -> str:
    """An identifier of ours, quoted (``offset`` is a column of note_nlp and a word of SQL)."""
    return f'"{name}"'


def literal(value: str) -> str:
    """A text, quoted."""
    return "'" + value.replace("'", "''") + "'"
