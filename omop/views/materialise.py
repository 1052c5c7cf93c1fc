"""SQL that the engine runs to write the views of a snapshot."""

from collections.abc import Callable

from omop.views.render import render


def view_sql(name: str, resolve: Callable[[str], str]) -> str:
    """Spark SQL of a view, columns in contract order and types.

    Args:
        name: view of the contract.
        resolve: CDM table → name under which the engine finds it, such as a temporary view.

    Raises: ContractError: no such view.
    """
    return render(name, "spark", resolve)
