"""Who may read what on PostgreSQL: roles without login, granted to the users of a site.

``omop_reader`` reads the CDM; ``views_reader`` the views of the contract and nothing else; ``delivery`` writes its own
schema, for the outbox, and reads neither of the others.
"""

from typing import TYPE_CHECKING

from omop.publication import schemas
from omop.publication.ddl import quote
from passerelle.errors import TerminalError

if TYPE_CHECKING:
    from psycopg import Connection

OMOP_READER, VIEWS_READER, DELIVERY = "omop_reader", "views_reader", "delivery"


def grant_reading(connection: "Connection", role: str, schema: str) -> None:
    """Let a role read a schema; the role is made (no login) where it does not exist.

    Raises: TerminalError: this user may not create roles.
    """
    _ensure(connection, role)
    connection.execute(f"GRANT USAGE ON SCHEMA {quote(schema)} TO {role}")
    connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {quote(schema)} TO {role}")


def give_delivery_its_schema(connection: "Connection") -> None:
    """A schema for the outbox, which ``delivery`` fills and nobody else reads.

    Raises: TerminalError: this user may not create roles, or the schema is not ours.
    """
    _ensure(connection, DELIVERY)
    schemas.refuse_foreign(connection, DELIVERY)
    if not schemas.exists(connection, DELIVERY):
        schemas.create(connection, DELIVERY, "what is to be delivered")
    connection.execute(f"GRANT USAGE, CREATE ON SCHEMA {quote(DELIVERY)} TO {DELIVERY}")


def _ensure(connection: "Connection", role: str) -> None:
    from psycopg.errors import DuplicateObject, InsufficientPrivilege

    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is not None:
        return
    try:
        with connection.transaction():
            connection.execute(f"CREATE ROLE {role} NOLOGIN")
    except DuplicateObject:
        return  # another publication to this server made it meanwhile
    except InsufficientPrivilege as error:
        raise TerminalError(
            f"the role {role} does not exist and this user may not create it",
            do=f"ask the administrator for: CREATE ROLE {role} NOLOGIN",
        ) from error
