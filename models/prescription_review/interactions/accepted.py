"""Associations for which a hospital has decided not to interrupt: a table of its own, which ships empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from models.prescription_review.interactions.context import DISCOURAGED
from models.prescription_review.interactions.substances import rows_of
from models.prescription_review.interactions.thesaurus import Thesaurus, ThesaurusError, plain_end

TABLE = "accepted_associations.csv"


def accepted(folder: Path, thesaurus: Thesaurus) -> dict[int, str]:
    """Number of an entry → why it does not interrupt here.

    Raises:
        ThesaurusError: a line names no entry, one that never interrupts or that is contra-indicated for all, or says
            no reason.
    """
    levels: dict[frozenset[str], dict[int, set[int]]] = {}
    for entry in thesaurus.all_entries:
        of_pair = levels.setdefault(frozenset((entry.main, entry.plus)), {})
        of_pair[entry.number] = {mention.level for mention in entry.mentions}
    return dict(_checked(folder, levels))


def _checked(folder: Path, levels: dict[frozenset[str], dict[int, set[int]]]) -> Iterator[tuple[int, str]]:
    for row in rows_of(folder, TABLE):
        entries = levels.get(frozenset(plain_end(row[side]) for side in ("substance_a", "substance_b")), {})
        if not row["reason"] or not any(DISCOURAGED in found for found in entries.values()):
            raise ThesaurusError(
                what=f"{TABLE}: {row['substance_a']} and {row['substance_b']} cannot be accepted",
                looked="an association déconseillée of the thesaurus, and the reason of the decision",
                do="write both ends as the alert shows them in brackets, and why; contra-indications always interrupt",
            )
        yield from ((number, row["reason"]) for number in entries)
