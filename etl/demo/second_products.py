"""The formulary of the second hospital: which package stands for an order, by CIP13 and by the hospital's own number.

``catalogue/chu_second/livret.csv`` holds names and CIP13 codes of the French public drug database (BDPM; Licence
Ouverte, data of early 2017) with the ATC code that we gave each by its substance.
"""

from functools import lru_cache

import numpy as np
import pyarrow as pa

from etl.demo.catalogue import read
from etl.demo.draws import Integers

HOSPITAL = "chu_second"
UNKNOWN_CIP13 = ("3400999990011", "3400999990028", "3400999990035")  # of no package, on purpose
WITHOUT_CIP13 = 3  # lines of ten that bear the hospital's number only


@lru_cache(maxsize=1)
def _packages() -> tuple[tuple[dict[str, str], ...], dict[str, list[int]]]:
    rows = read(HOSPITAL, "livret")
    by_substance: dict[str, list[int]] = {}
    for position, row in enumerate(rows):
        by_substance.setdefault(row["atc"], []).append(position)
    return rows, by_substance


def packages_of(substances: pa.ChunkedArray, numbers: Integers) -> Integers:
    """The package of each line: a row of the formulary, -1 without code, -2 for a code that is no package.

    Args:
        substances: ATC codes, null where the line has none.
        numbers: numbers of the lines; the same line always gets the same package.
    """
    _, by_substance = _packages()
    encoded = substances.combine_chunks().dictionary_encode()
    choices = [by_substance.get(code, [-2]) for code in encoded.dictionary.to_pylist()] + [[-1]]
    width = max(map(len, choices))
    table = np.array([[row[k % len(row)] for k in range(width)] for row in choices], dtype=np.int64)
    return table[encoded.indices.fill_null(len(choices) - 1).to_numpy(zero_copy_only=False), numbers % width]


def package_columns(packages: Integers, numbers: Integers) -> dict[str, pa.Array]:
    """``code_cip13``, ``code_livret`` and ``libelle`` of each line; the name is null where no package is known."""
    rows, _ = _packages()
    known = pa.array(packages, mask=packages < 0)
    cip13 = pa.array([row["cip13"] for row in rows]).take(known)
    unknown = pa.array(UNKNOWN_CIP13).take(pa.array(numbers % len(UNKNOWN_CIP13), mask=packages != -2))
    return {
        "code_cip13": pa.compute.if_else(
            pa.array(numbers % 10 < WITHOUT_CIP13), unknown, pa.compute.coalesce(cip13, unknown)
        ),
        "code_livret": pa.array([row["code_livret"] for row in rows]).take(known),
        "libelle": pa.array([row["libelle"] for row in rows]).take(known),
    }


def formulary() -> pa.Table:
    """Rows of ``livret``: the hospital's number, the package, its strength where it counts in units of intake."""
    rows, _ = _packages()
    columns = ("code_livret", "cip13", "libelle", "dosage", "unite_dosage")
    return pa.table({name: pa.array([row[name] or None for row in rows], pa.string()) for name in columns})
