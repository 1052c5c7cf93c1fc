"""Judge every FHIR resource: ``python -m tests.conformance [--workspace W | --delivered DIR] [--only WORD]…``.

Exit 1 when a judge and we disagree, and nobody declared it.
"""

import argparse
import sys
from pathlib import Path

from passerelle.errors import PasserelleError, UsageError
from tests.conformance.cases import cases
from tests.conformance.delivered import delivered_again
from tests.conformance.judges import judge_all
from tests.conformance.report import declared, disagreements, failures, stale, table


def main(arguments: list[str]) -> int:
    """Judge every case; print the table, the declared disagreements, then what failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--delivered", type=Path, metavar="DIR", help="a folder of delivered .json and .ndjson files")
    parser.add_argument("--only", action="append", default=[], metavar="WORD", help="cases with the word in set/name")
    parser.add_argument(
        "--workspace", type=Path, metavar="W", help="a demo: its results are delivered once more, and judged"
    )
    options = parser.parse_args(arguments)
    try:
        if options.workspace is None:
            return _conformance(options.delivered, options.only)
        with delivered_again(options.workspace) as folder:
            return _conformance(folder, options.only)
    except PasserelleError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def _conformance(delivered: Path | None, only: list[str]) -> int:
    if delivered is not None and not delivered.is_dir():
        raise UsageError(f"no such folder: {delivered}", do="name the folder with the delivered resources")
    judged = cases(delivered, only)
    if not judged:
        raise UsageError("no case is left to judge", looked=f"words: {' '.join(only)}", do="give another word")
    known = declared()
    verdicts = judge_all(judged)
    print(*table(judged, verdicts), sep="\n")
    print("\nDeclared disagreements (tests/conformance/disagreements.yaml)")
    print(*disagreements(judged, verdicts, known), sep="\n")
    failed = [*failures(judged, verdicts, known), *(() if only else stale(judged, verdicts, known))]
    print(f"\n{len(failed)} failures", *failed, sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
