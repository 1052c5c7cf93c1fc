"""Which substances of the thesaurus an order has: by its ATC code, else by its name; or why it has none."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from models.prescription_review.interactions.thesaurus import ORAL, VAGINAL, Thesaurus
from models.prescription_review.interactions.words import SHORTEST_NAME, plain, sound

SHIPPED = Path(__file__).parent.parent / "knowledge" / "ansm"


@dataclass(frozen=True)
class Substance:
    """A substance of an order; ``name`` and ``terms`` (itself and its classes) in plain words."""

    name: str
    terms: tuple[str, ...]


@dataclass(frozen=True)
class Drug:
    """What the thesaurus knows of an order: its substances, or the reason why there are none ("": not known)."""

    substances: tuple[Substance, ...]
    reason: str = ""

    @property
    def explained(self) -> bool:
        """Whether it has a substance, or a reviewed reason."""
        return bool(self.substances or self.reason)


class Substances:
    """Joins orders to an edition of the thesaurus.

    Args:
        folder: may have ``atc_substances.csv``, ``names_reviewed.csv`` and ``without_entry.csv`` of its own.
    """

    def __init__(self, folder: Path, thesaurus: Thesaurus) -> None:
        self._thesaurus = thesaurus
        self._by_code: dict[str, list[tuple[str, str]]] = {}
        for row in rows_of(folder, "atc_substances.csv"):
            self._by_code.setdefault(row["atc"], []).append((row["kind"], row["name"]))
        self._names = [
            (re.compile(row["pattern"]), row["kind"], row["name"]) for row in rows_of(folder, "names_reviewed.csv")
        ]
        without = list(rows_of(folder, "without_entry.csv"))
        self._groups = {row["atc"]: row["reason"] for row in without if row["atc"]}
        self._labels = [(re.compile(row["label"]), row["reason"]) for row in without if row["label"]]
        self._sounds = {_sounds(name): name for name in thesaurus.substances if len(name) >= SHORTEST_NAME}
        self._longest = max(map(len, self._sounds), default=0)
        self._combined = {plain(name) for name in thesaurus.class_names.values() if _COMBINED.search(name)}

    def known_code(self, atc: str) -> bool:
        """Whether the code alone says the substances."""
        return atc in self._by_code

    @cached_property
    def names(self) -> dict[str, str]:
        """ATC code → its substances as the thesaurus writes them; of codes whose substances are all known."""
        return {
            atc: " + ".join(name for _, name in rows)
            for atc, rows in self._by_code.items()
            if all(kind == "substance" for kind, _ in rows)
        }

    def of(self, atc: str, name: str) -> Drug:
        """The substances of an order.

        Args:
            atc: its code, upper case; a code of a group is not taken for one of its members.
            name: its name in French or English; read only where the code is not known.
        """
        if atc in self._by_code:
            return Drug(self._whole(list(self._known(self._by_code[atc], atc))))
        if found := self._named(plain(name), atc):
            return Drug(self._whole(found))
        return Drug((), self._reason(atc, plain(name)))

    def _whole(self, found: list[Substance]) -> tuple[Substance, ...]:
        """A class that is a fixed combination ("sulfaméthoxazole + triméthoprime") is that of a drug with all parts."""
        names = {one.name for one in found}
        parts = {
            term: set(self._thesaurus.members[term]) for one in found for term in one.terms if term in self._combined
        }
        broken = {term for term, members in parts.items() if not members <= names}
        return tuple(Substance(one.name, tuple(term for term in one.terms if term not in broken)) for one in found)

    def _known(self, rows: list[tuple[str, str]], key: str) -> Iterator[Substance]:
        classes = tuple(plain(name) for kind, name in rows if kind == "classe")
        if classes:
            yield self._substance(key.lower(), classes)
        yield from (self._substance(plain(name), ()) for kind, name in rows if kind == "substance")

    def _substance(self, name: str, classes: tuple[str, ...]) -> Substance:
        return Substance(name, (name, *self._thesaurus.classes.get(name, classes), ORAL, VAGINAL, *_IRON.get(name, ())))

    def _named(self, name: str, key: str) -> list[Substance]:
        reviewed = [(pattern, kind, said) for pattern, kind, said in self._names if pattern.search(name)]
        for pattern, _, _ in reviewed:  # what it is dissolved in, or combined with, is read too
            name = pattern.sub(" ", name)
        words = [sound(word) for word in name.split()]
        found, at = [], 0
        while at < len(words):
            length = next((n for n in range(self._longest, 0, -1) if tuple(words[at : at + n]) in self._sounds), 0)
            found += [self._sounds[tuple(words[at : at + length])]] if length else []
            at += max(length, 1)
        known = list(self._known([row[1:] for row in reviewed], key or name))
        names = {one.name for one in known}
        return known + [self._substance(one, ()) for one in dict.fromkeys(found) if one not in names]

    def _reason(self, atc: str, name: str) -> str:
        if reason := next((reason for pattern, reason in self._labels if not atc and pattern.search(name)), ""):
            return reason
        return next((self._groups[atc[:n]] for n in range(len(atc), 0, -1) if atc[:n] in self._groups), "")


_COMBINED = re.compile(r" \+ |^[^\s()]+/[^\s()]+$")  # "ombitasvir + paritaprévir", "pipéracilline/tazobactam"
_IRON = {"fer": ("fer injectable",)}


def _sounds(name: str) -> tuple[str, ...]:
    return tuple(sound(word) for word in name.split())


def table_of(folder: Path, name: str) -> Path:
    """A table of a folder; the one that ships where the folder has none."""
    return folder / name if (folder / name).exists() else SHIPPED / name


def edition_of(folder: Path) -> Path:
    """Where the thesaurus of a folder is: in it, or where ours ships if it has nothing but tables."""
    only_tables = any(folder.glob("*.csv")) and not any(folder.glob("*.json"))
    return SHIPPED if only_tables else folder


def rows_of(folder: Path, name: str) -> Iterator[dict[str, str]]:
    """The rows of a table."""
    with table_of(folder, name).open(encoding="utf-8", newline="") as lines:
        rows = csv.reader(lines)
        columns = next(rows)
        yield from (dict(zip(columns, row, strict=True)) for row in rows)
