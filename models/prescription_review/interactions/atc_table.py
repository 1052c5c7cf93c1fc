"""Write the table from ATC codes to substances of the thesaurus: ``python -m …interactions.atc_table DATA``.

Two steps, in this order; each row says which gave it:

1. what a person reviewed (``atc_reviewed.csv``): salts, combinations, words in another order, and codes that have no
   substance of the thesaurus although a name looks like one;
2. the French name of the code (``french-terminologies/drugs.json``, BSD-3), when it is the name of a substance, alone
   or as all parts of a combination.

The combinations of the reviewed rows were compared with the compositions of the public drug database (``bdpm-2019``).
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from models.prescription_review.interactions.thesaurus import Thesaurus, read_thesaurus
from models.prescription_review.interactions.words import plain

FOLDER = Path(__file__).parent.parent / "knowledge" / "ansm"
TABLE, REVIEWED = FOLDER / "atc_substances.csv", FOLDER / "atc_reviewed.csv"
COLUMNS = ["atc", "kind", "name", "source", "edition", "checked", "note"]
NAMES = "drugs.json (EDS-NLP, BSD-3)"
REVIEW = "Thésaurus des interactions médicamenteuses (ANSM), index des substances"
FULL_CODE = len("A00AA00")
_SILENT = {"de", "d", "la", "l", "le", "du", "acide", "sel", "sels"}
_SALTS = frozenset(
    """chlorhydrate chlorure sulfate acetate citrate maleate mesilate tartrate phosphate bromure bromhydrate fumarate
    succinate hemisuccinate disodique sodium sodique potassium potassique calcium calcique magnesium trometamol besilate
    tosilate nitrate lysine gluconate anhydre monohydrate dihydrate trihydrate hydrate pivalate acetonide propionate
    dipropionate valerate furoate pamoate decanoate enantate dichlorhydrate pentahydrate hemihydrate arginine medoxomil
    cilexetil mofetil etexilate axetil proxetil isethionate""".split()  # noqa: SIM905
)

Row = dict[str, str]


def rows(data: Path, thesaurus: Thesaurus) -> Iterator[Row]:
    """The rows of the table.

    Args:
        data: a folder with ``french-terminologies/drugs.json``.
    """
    reviewed = list(csv.DictReader(REVIEWED.open(encoding="utf-8")))
    done = {row["atc"] for row in reviewed}
    for row in reviewed:
        if row["name"]:
            yield {**row, "source": REVIEW, "edition": thesaurus.edition, "checked": "texte"}
    drugs = json.loads((data / "french-terminologies" / "drugs.json").read_text(encoding="utf-8"))
    names = _Names(thesaurus)
    for code in sorted(drugs):
        if len(code) != FULL_CODE or code in done:
            continue
        said = next((name for name in drugs[code] if name == name.lower()), "")
        for name in names.of_parts(said):
            yield dict(zip(COLUMNS, (code, "substance", name, NAMES, "c04ccb9", "texte", said), strict=True))


class _Names:
    """Substances of the thesaurus by name: the words, in any order, without their salt."""

    def __init__(self, thesaurus: Thesaurus) -> None:
        self._exact = dict(thesaurus.substances)
        self._words = {_words(name, frozenset()): written for name, written in thesaurus.substances.items()}

    def of(self, text: str) -> str:
        for written in (plain(text), plain(re.sub(r"\(.*?\)", "", text))):
            if written in self._exact:
                return self._exact[written]
        return next((self._words[w] for s in (frozenset(), _SALTS) if (w := _words(plain(text), s)) in self._words), "")

    def of_parts(self, text: str) -> list[str]:
        if whole := self.of(text):
            return [whole]
        parts = [self.of(part) for part in re.split(r" et |, ", text)]
        return list(dict.fromkeys(parts)) if text and all(parts) else []


def _words(name: str, silent: frozenset[str]) -> frozenset[str]:
    return frozenset(name.split()) - _SILENT - silent


def write(data: Path) -> None:
    """Write the table anew."""
    with TABLE.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows(data, read_thesaurus(FOLDER)), key=lambda row: (row["atc"], row["name"])))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
