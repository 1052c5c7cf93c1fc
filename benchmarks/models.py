"""What a model must reach and what it does: ``python -m benchmarks.models prescription_review``."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import (
    prescription_adaptation,
    prescription_ceiling,
    prescription_doses,
    prescription_errors,
    prescription_interactions,
    prescription_methods,
    prescription_review,
)
from benchmarks.figures import machine_facts
from benchmarks.goals import HEADER, Goal

MEASUREMENTS: dict[str, tuple[Callable[[Path], Iterator[Goal]], ...]] = {
    "prescription_review": (
        prescription_doses.measure,
        prescription_interactions.measure,
        prescription_review.measure,
        prescription_errors.measure,
        prescription_adaptation.measure,
        prescription_ceiling.measure,
        prescription_methods.methods,
    ),
}
PAGES = Path(__file__).parent.parent / "docs"


def main(model: str) -> None:
    """Measure, print each line when it is known, and write the page of the model."""
    facts, rows = machine_facts(), list(HEADER)
    print(*HEADER, sep="\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for measure in MEASUREMENTS[model]:
            for goal in measure(Path(folder)):
                rows.append(goal.row())
                print(rows[-1], flush=True)
    seed, command = prescription_review.SEED, f"make bench-models MODEL={model}"
    page = PAGES / (f"goals_{model}_seed_{seed}.md" if seed else f"goals_{model}.md")
    by = f"BENCHMARK_SEED={seed} {command}" if seed else command
    head = f"# Goals of {model}\n\nPrinted by `{by}`. What is generated is synthetic.\n"
    text = "\n".join([head, *(f"- {fact}" for fact in facts), "", *rows, ""])
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
