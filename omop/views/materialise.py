"""SQL that the engine runs to write the views of a snapshot."""

from collections.abc import Callable

from omop.views.render import render


def view_sql(name: str, table_at: Callable[[str], str], view_at: Callable[[str], str]) -> str:
    """Spark SQL of a view, columns in contract order and types.

    Args:
        name: view of the contract.
        table_at: CDM table → name under which the engine finds it, such as a temporary view.
        view_at: the same for the views that this one reads.

    Raises: ContractError: no such view.
    """
    return render(name, "spark", table_at, view_at)
