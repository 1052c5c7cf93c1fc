"""The thesaurus as it is published: entries between substances and classes, with their levels and texts.

Two JSON files of one edition are read, whatever the edition: ``thesaurus_<date>.json`` and ``substances_<date>.json``.
A hospital that has a newer one puts both into a folder of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from models.prescription_review.interactions.words import plain, without_others
from passerelle.errors import TerminalError

# Level as it is written, in plain words -> its rank. The thesaurus writes the lowest in two ways.
LEVELS = {
    "a prendre en compte": 1,
    "il convient de prendre en compte": 1,
    "precaution d emploi": 2,
    "association deconseillee": 3,
    "contre indication": 4,
}
LEVEL_NAMES = {
    1: "à prendre en compte",
    2: "précaution d'emploi",
    3: "association déconseillée",
    4: "contre-indication",
}
# Ends that are neither a substance nor a class -> the term under which orders find them.
ORAL, VAGINAL, INJECTED_IRON = "toute voie orale", "toute voie vaginale", "fer injectable"
BY_ROUTE = {
    "medicaments administres par voie orale": ORAL,
    "medicaments utilises par voie vaginale": VAGINAL,
    "sels de fer par voie injectable": INJECTED_IRON,
}
NOT_ORDERED = {
    "pamplemousse jus et fruit": "aliment : n'est pas une ligne de prescription",
    "alcool boisson ou excipient": "boisson ou excipient : n'est pas une ligne de prescription",
    "theine": "boisson : n'est pas une ligne de prescription",
    "preservatifs en latex": "dispositif : n'est pas une ligne de prescription",
}


class ThesaurusError(TerminalError):
    """The files are not those of an edition of the thesaurus."""


@dataclass(frozen=True)
class Mention:
    """A level of an entry with the text that stands beside it: as published, and as it is read and shown."""

    level: int
    written: str
    info: str  # verbatim
    text: str  # with the line ends that the published files lost


@dataclass(frozen=True)
class Entry:
    """One entry: two ends (plain names), what may happen, and at which levels."""

    number: int
    main: str
    plus: str
    names: tuple[str, str]  # as written
    mentions: tuple[Mention, ...]
    mechanism: str


@dataclass(frozen=True)
class Thesaurus:
    """An edition. ``entries`` has each pair once: an entry that only repeats the mirrored one is left out."""

    edition: str
    all_entries: tuple[Entry, ...]
    substances: Mapping[str, str]  # plain name -> name
    classes: Mapping[str, tuple[str, ...]]  # plain name of a substance -> plain names of its classes
    class_names: Mapping[str, str]  # plain name -> name

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Each pair of ends once, in the order of the edition."""
        seen: dict[tuple[Any, ...], Entry] = {}
        for entry in self.all_entries:
            seen.setdefault((frozenset((entry.main, entry.plus)), entry.mentions), entry)
        return tuple(seen.values())

    @cached_property
    def members(self) -> dict[str, tuple[str, ...]]:
        """Plain name of an end -> its substances: those of the class, and the substance of that name."""
        found: dict[str, list[str]] = {name: [name] for name in self.substances}
        for substance, classes in self.classes.items():
            for name in classes:
                found.setdefault(name, []).append(substance)
        return {name: tuple(dict.fromkeys(some)) for name, some in found.items()}

    def unmatched_ends(self) -> dict[str, str]:
        """Ends of entries that no order can have -> why; empty words where nobody has said why yet."""
        ends = {end for entry in self.all_entries for end in (entry.main, entry.plus)}
        return {
            end: NOT_ORDERED.get(end, "") for end in sorted(ends) if end not in self.members and end not in BY_ROUTE
        }


def read_thesaurus(folder: Path) -> Thesaurus:
    """Read the newest edition of a folder.

    Raises:
        ThesaurusError: there is none, or a file has another shape or an unknown level.
    """
    edition = _newest(folder)
    try:
        rows = json.loads((folder / f"thesaurus_{edition}.json").read_text(encoding="utf-8"))
        substances = json.loads((folder / f"substances_{edition}.json").read_text(encoding="utf-8"))
        classes: dict[str, tuple[str, ...]] = {}
        for row in substances:  # a name written in two ways has classes under both
            name = plain(row["substance"])
            classes[name] = tuple(dict.fromkeys((*classes.get(name, ()), *map(plain_end, row["drug_classes"]))))
        return Thesaurus(
            edition,
            tuple(_entry(number, row) for number, row in enumerate(rows)),
            {plain(row["substance"]): row["substance"] for row in reversed(substances)},
            classes,
            {plain_end(name): name for row in reversed(substances) for name in row["drug_classes"]},
        )
    except (OSError, KeyError, TypeError, ValueError) as problem:
        raise ThesaurusError(
            what=f"the edition {edition} of the interaction thesaurus cannot be read",
            looked=f"thesaurus_{edition}.json and substances_{edition}.json: {type(problem).__name__} {problem}",
            do="put both files of one edition into the folder, unchanged",
        ) from problem


def _newest(folder: Path) -> str:
    editions = sorted(path.stem.removeprefix("thesaurus_") for path in folder.glob("thesaurus_*.json"))
    if not editions:
        raise ThesaurusError(
            what="there is no interaction thesaurus",
            looked=f"{folder.name}/thesaurus_<date>.json",
            do="put thesaurus_<date>.json and substances_<date>.json of the ANSM into the folder",
        )
    return editions[-1]


def _entry(number: int, row: Mapping[str, Any]) -> Entry:
    names = row["main_drug"], row["plus_drug"]
    levels = [(level["level"], level["info"]) for level in row["severity_levels"]]
    whole = row.get("description", "")
    mentions = tuple(
        Mention(LEVELS[plain(written)], written, info, with_line_ends(info, whole)) for written, info in levels
    )
    main, plus = map(plain_end, names)
    return Entry(number, main, plus, names, mentions, row["interaction_mechanism"])


def with_line_ends(info: str, whole: str) -> str:
    """A text with a space wherever the whole entry has one: the files joined its lines ("clinique etECG étroite").

    Args:
        info: the text beside a level.
        whole: the description of the entry, which says it again as it was printed.
    Returns:
        The text unchanged where the description says something else.
    """
    start = "".join(whole.split()).find("".join(info.split()))
    if start < 0:
        return info
    printed = [at for at, sign in enumerate(whole) if not sign.isspace()][start:]
    letters = [at for at, sign in enumerate(info) if not sign.isspace()]
    lost = {at for at, there in zip(letters[1:], printed[1:], strict=False) if whole[there - 1].isspace()}
    return "".join(f" {sign}" if at in lost and not info[at - 1].isspace() else sign for at, sign in enumerate(info))


# Two names of one class, where "AUTRES …" repeats it in other words.
_SAME = {
    "medicaments anticholinesterasiques": "anticholinesterasiques",
    "medicaments hyponatremiants": "hyponatremiants",
    "medicaments a risque d angio oedeme": "medicaments bradykinine et angio oedeme",
}


@lru_cache(maxsize=10_000)
def plain_end(name: str) -> str:
    """The plain name of an end or a class; both say "autres …" of a class itself."""
    found = without_others(name)
    return _SAME.get(found, found)
