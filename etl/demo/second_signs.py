"""Vital signs of the second hospital: one row a round, height in metres, pressure in centimetres of mercury."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.demo.clinical import SIGNS

WEIGHT, HEIGHT, SYSTOLIC, DIASTOLIC, TEMPERATURE, HEART, OXYGEN = range(7)  # rows of catalogue/mesures.csv


def signs(table: pa.Table) -> pa.Table:
    """Rows of ``constantes``; a sign that was cancelled leaves its cell empty."""
    number = table["mesure_id"].to_numpy()
    rounds, first, row = np.unique(number // SIGNS, return_index=True, return_inverse=True)
    kept = table["supprime_le"].combine_chunks().is_null().to_numpy(zero_copy_only=False)
    value = np.array(table["valeur"].to_pylist(), dtype=object)
    cells = np.full((SIGNS, len(rounds)), None, dtype=object)
    cells[(number % SIGNS)[kept], row[kept]] = value[kept]
    rows = table.take(pa.array(first))
    high, low = (_split(cells[sign], "^([0-9]+)([0-9])$") for sign in (SYSTOLIC, DIASTOLIC))
    return pa.table(
        {
            "_p": rows["_p"],
            "constante_id": rounds,
            "ipp": rows["ipp"],
            "nda": rows["numero_sejour"],
            "releve_le": rows["mesure_le"],
            "poids": _text(cells[WEIGHT]),
            "taille": _split(cells[HEIGHT], "^([0-9])([0-9]{2})$"),
            "pa": pc.binary_join_element_wise(high, low, "/"),
            "temperature": _text(cells[TEMPERATURE]),
            "pouls": _text(cells[HEART]),
            "sao2": _text(cells[OXYGEN]),
        }
    )


def _split(cells: np.ndarray, pattern: str) -> pa.Array:
    """A comma between the two groups of a pattern: 165 cm are 1,65 m."""
    return pc.replace_substring_regex(_text(cells), pattern, "\\1,\\2")


def _text(cells: np.ndarray) -> pa.Array:
    return pa.array(cells, pa.string())
