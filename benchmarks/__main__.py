"""Run every measurement and write docs/benchmarks.md: ``python -m benchmarks [NAME…]``."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import (
    days,
    engines,
    eras,
    fhir_results,
    generated_hospital,
    identifiers,
    landing,
    order_sign,
    publication,
    real_extract,
    start,
    third_party,
)
from benchmarks.figures import Figure, machine_facts

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
MEASUREMENTS: dict[str, Callable[[Path], Iterator[Figure]]] = {
    "real_extract": real_extract.measure,
    "generated_hospital": generated_hospital.measure,
    "days": days.measure,
    "engines": engines.measure,
    "eras": eras.measure,
    "landing": landing.measure,
    "identifiers": identifiers.measure,
    "publication": publication.measure,
    "fhir_results": fhir_results.measure,
    "third_party": third_party.measure,
    "order_sign": order_sign.measure,
    "start": start.measure,
}
HEAD = """# Benchmarks

Printed by `make bench`; each figure with its baseline, measured in the same run, and its command. On a machine that
others use they are slower: compare ratios, not seconds. Patients of the demo are synthetic.
"""


def main(names: list[str]) -> None:
    """Measure, print, and write the page when nothing was left out."""
    facts, figures = machine_facts(), []
    with tempfile.TemporaryDirectory() as folder:
        for name, measure in MEASUREMENTS.items():
            if names and name not in names:
                continue
            for figure in measure(Path(folder)):
                print(figure.row(), flush=True)
                figures.append(figure)
    if not names:
        table = ["| what | measured | baseline | command |", "|---|---|---|---|", *(figure.row() for figure in figures)]
        PAGE.write_text("\n".join([HEAD, *(f"- {fact}" for fact in facts), "", *table, ""]))


if __name__ == "__main__":
    main(sys.argv[1:])
