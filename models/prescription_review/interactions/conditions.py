"""When a level of the thesaurus applies: the text beside it, read into tests; or kept verbatim where it cannot be."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from models.prescription_review.interactions import patterns
from models.prescription_review.interactions.thesaurus import Entry, Mention, Thesaurus
from models.prescription_review.interactions.words import plain

Value = TypeVar("Value")
NONE, CONDUCT, READ, UNREAD = "none", "conduct", "read", "unread"
CONTRAINDICATED = 4
_MARK = re.compile(r"(?:^|\n)\s*[-–]\s*")
_PARAGRAPH = re.compile(r"\n\s*\n|\n\s*\.\s")
_SENTENCE = re.compile(r"\.(?=\s|$)|\n(?=[A-ZÉÀ])")
_CONDUCT, _ALONE = re.compile(rf"\b(?:{patterns.CONDUCT})"), re.compile(patterns.RESTRICTS_ALONE)


@dataclass(frozen=True)
class Test:
    """One thing to look at: ``low`` ≤ value < ``high``; of a substance's order, or of the patient.

    ``kind``: dose, day, week (mg of the order of ``of``), route (``routes``), a fact of the patient, or
    ``unrecorded``: nothing in a prescription says it (``words`` names it).
    """

    kind: str
    of: str = ""
    low: float = -math.inf
    high: float = math.inf
    routes: tuple[str, ...] = ()
    words: str = ""


@dataclass(frozen=True)
class Clause:
    """All must hold: the substances are those named, and every test is met. Without any of them it always holds."""

    named: frozenset[str] = frozenset()  # one of the two partners is one of these
    between: tuple[frozenset[str], frozenset[str]] | None = None
    never: frozenset[str] = frozenset()  # neither partner is one of these
    tests: tuple[Test, ...] = ()

    @property
    def conditional(self) -> bool:
        """Whether it restricts anything."""
        return bool(self.named or self.between or self.tests)

    def concerns(self, one: str, other: str) -> bool:
        """Whether it speaks of these two substances (plain names), in either order."""
        if self.never & {one, other} or (self.named and not self.named & {one, other}):
            return False
        if self.between is None:
            return True
        left, right = self.between
        return (one in left and other in right) or (one in right and other in left)


@dataclass(frozen=True)
class Reading:
    """A level mention as it was read. ``clauses`` are alternatives."""

    level: int
    mention: Mention
    status: str
    clauses: tuple[Clause, ...]


def readings(entry: Entry, thesaurus: Thesaurus) -> tuple[Reading, ...]:
    """Every level of an entry with its conditions; a text that raises the level for some gives one more."""
    reader = _Reader(entry, thesaurus)
    found = [one for mention in entry.mentions for one in reader.read(mention)]
    return tuple(_with_lower_doses(found))


@dataclass(frozen=True)
class _Reader:
    entry: Entry
    thesaurus: Thesaurus

    def read(self, mention: Mention) -> Iterator[Reading]:
        text = re.sub(r"(?i)^association déconseillée\s*\n", "", mention.text.strip())  # the level once more
        alone = len(self.entry.mentions) == 1 and not _ALONE.match(plain(text))
        if alone and (clauses := self._in_mechanism()):
            yield Reading(mention.level, mention, READ, clauses)
        elif not text:
            yield Reading(mention.level, mention, NONE, (Clause(),))
        elif re.match(patterns.RAISES, plain(text)) and mention.level < CONTRAINDICATED:
            yield Reading(CONTRAINDICATED, mention, READ, tuple(self._clauses(text)))
            yield Reading(mention.level, mention, READ, (Clause(),))
        elif alone:
            yield Reading(mention.level, mention, CONDUCT, (Clause(),))
        else:
            clauses = tuple(dict.fromkeys(self._clauses(text)))
            yield Reading(mention.level, mention, _status(clauses, text), clauses)

    def _in_mechanism(self) -> tuple[Clause, ...]:
        """Some entries say at the head of the mechanism when the interaction exists: a route, a dose, an exception."""
        sentence = re.split(r"\n\s*\n|\.\s", self.entry.mechanism.strip())[0]
        head = _sentence(re.split(r"\s:\s|, (?=risque|augmentation|diminution|majoration)", sentence)[0])
        if not re.match(patterns.IN_MECHANISM, head):
            return ()
        found = tuple(dict.fromkeys(self._clause("", head)))
        return found if all(clause.conditional for clause in found) else ()

    def _clauses(self, text: str) -> Iterator[Clause]:
        for number, paragraph in enumerate(_PARAGRAPH.split(text)):
            head, *bullets = _MARK.split(paragraph)
            if not any(plain(bullet) for bullet in bullets):
                bullets = [""]
            found = [clause for bullet in bullets for clause in self._clause(_sentence(head), _sentence(bullet))]
            if number == 0 or any(clause.conditional for clause in found):
                yield from found

    def _clause(self, head: str, bullet: str) -> Iterator[Clause]:
        """Args: plain words."""
        whole = f"{head} {bullet}".strip()
        text = f"{_until_conduct(head)} {_until_conduct(bullet)}".strip()
        if re.search(patterns.ONLY_ROUTE, text):
            # Which forms of a substance belong to a class is known of the class (``membership.csv``).
            yield Clause()
            return
        before, exception = _split(patterns.EXCEPT, text)
        singles = frozenset(end for end in (self.entry.main, self.entry.plus) if len(self._of(end)) == 1)
        found = self._named(before)
        others = bool(re.search(patterns.OTHERS, before))
        named = frozenset() if others else frozenset(found) - singles
        clause = Clause(named=named, never=self._members(self._named(exception)), between=self._between(before))
        if clause.between:
            clause = replace(clause, named=frozenset())
        yield from (replace(clause, tests=tests) for tests in self._tests(text, whole, list(found)))

    def _tests(self, text: str, whole: str, found: list[str]) -> Iterator[tuple[Test, ...]]:
        """Alternatives; each a list of tests that must all be met."""
        common = [
            Test("unrecorded", words=words)
            for pattern, words in patterns.UNRECORDED.items()
            if re.search(pattern, whole)
        ]
        common += [
            Test("route", of=name, routes=routes)
            for routes in _first(patterns.ROUTES, text)
            for name in _last(found, text)
        ]
        common += [test for basis, bound, numbers in _doses(text) for test in _dose(basis, bound, numbers, found, text)]
        aspirin: list[tuple[Test, ...]] = [
            tuple(Test(basis, patterns.ASPIRIN, low, high) for basis, low, high in bands)
            for pattern, alternatives in patterns.ASPIRIN_DOSES.items()
            if re.search(pattern, text)
            for bands in alternatives
        ]
        if (parts := text.split(" ainsi qu "))[1:]:  # "…, ainsi qu'en cas d'hypokaliémie": an alternative to the rest
            yield from ((fact,) for fact in _facts(parts[1]))
        facts: list[tuple[Test, ...]] = [(fact,) for fact in _facts(parts[0])]
        yield from ((*common, *bands, *fact) for bands in aspirin or [()] for fact in facts or [()])

    def _named(self, text: str) -> dict[str, int]:
        """Substances of either end that a text names, with where."""
        found: dict[str, int] = {}
        for pattern, names in patterns.GROUPS.items():
            if match := re.search(pattern, text):
                of_group = [member for name in names for member in self._of(name)]
                found |= {name: match.start() for name in of_group if name in self._partners}
        for name in self._partners:
            # The files have a slip of the pen ("pipéraquinei").
            if match := re.search(rf"\b{re.escape(_short(name))}i?\b", text):
                found[name] = match.start()
        return found

    @property
    def _partners(self) -> frozenset[str]:
        return frozenset((*self._of(self.entry.main), *self._of(self.entry.plus)))

    def _of(self, end: str) -> tuple[str, ...]:
        return self.thesaurus.members.get(end, (end,))

    def _members(self, names: Mapping[str, int]) -> frozenset[str]:
        return frozenset(names)

    def _between(self, text: str) -> tuple[frozenset[str], frozenset[str]] | None:
        if re.search(patterns.BOTH, text):
            both = frozenset(self._named("donnant des torsades"))
            return both, both
        match = re.search(r"\bentre (.+?) et (.+)", text)
        sides = [frozenset(self._named(side)) for side in match.groups()] if match else []
        return (sides[0], sides[1]) if len(sides) == 2 and all(sides) else None


def _applies(text: str) -> str:
    """The part of a piece that says when, in plain words: its first sentence, up to what is to be done."""
    return _until_conduct(_sentence(text))


def _until_conduct(words: str) -> str:
    return words[: match.start()].strip() if (match := _CONDUCT.search(words)) else words


def _facts(text: str) -> list[Test]:
    return [Test(kind, "", low, high) for some in _first(patterns.FACTS, text) for kind, low, high in some]


def _sentence(text: str) -> str:
    """The first sentence in plain words, with the signs of comparison written out."""
    text = re.sub(r"> ou\s+= à", ">=", text)
    for sign, words in patterns.SIGNS.items():
        text = text.replace(sign, words)
    first = next((part for part in _SENTENCE.split(text.strip()) if plain(part)), "")
    return plain(re.sub(r"(\d),(\d)", r"\1 \2", first))


def _status(clauses: tuple[Clause, ...], text: str) -> str:
    if any(clause.conditional or clause.never for clause in clauses):
        return READ
    heads = [_applies(part) for part in _MARK.split(text)]
    if any(re.search(patterns.OTHERS, head) or re.search(r"\btous\b", head) for head in heads):
        return READ  # "avec les autres": whatever no other level names
    return UNREAD if any(re.match(patterns.RESTRICTS, head) and len(head.split()) > 1 for head in heads) else CONDUCT


def _split(pattern: str, text: str) -> tuple[str, str]:
    match = re.search(pattern, text)
    return (text[: match.start()], text[match.end() :]) if match else (text, "")


def _short(name: str) -> str:
    """A name as a sentence says it: without its salt in brackets or "acide"."""
    return name.removeprefix("acide ")


def _first(table: Mapping[str, Value], text: str) -> list[Value]:
    """The value of the first pattern that is found."""
    return [value for pattern, value in table.items() if re.search(pattern, text)][:1]


def _last(found: list[str], text: str) -> list[str]:
    """The substance that was named last."""
    return sorted(found, key=lambda name: text.rfind(_short(name).split()[0]))[-1:]


def _doses(text: str) -> Iterator[tuple[str, str, list[float]]]:
    for pattern, (basis, bound) in patterns.DOSES.items():
        if match := re.search(pattern, text):
            yield basis, bound, [float(number.replace(" ", ".")) for number in match.groups() if number]


def _dose(basis: str, bound: str, numbers: list[float], found: list[str], text: str) -> Iterator[Test]:
    low, high = {
        "above": (math.nextafter(numbers[0], math.inf), math.inf),
        "up to": (0.0, math.nextafter(numbers[0], math.inf)),
        "from": (numbers[0], math.inf),
        "between": (numbers[0], math.nextafter(numbers[-1], math.inf)),
    }[bound]
    weekly = [name for name in found if basis != "week" or name == "methotrexate"]
    before = text[: re.search(patterns.NUMBER + " mg", text).start()]  # type: ignore[union-attr]
    yield from (
        Test(basis, name, low, high) for name in _last([n for n in weekly if _short(n) in before] or weekly, before)
    )


def _with_lower_doses(found: list[Reading]) -> list[Reading]:
    """ "Pour des doses inférieures": below those that another level of the entry names."""
    doses = [test for one in found for clause in one.clauses for test in clause.tests if test.kind == "week"]
    return [
        replace(one, status=READ, clauses=(Clause(tests=(replace(doses[0], low=0.0, high=doses[0].low),)),))
        if doses and re.search(patterns.LOWER_DOSES, plain(one.mention.text))
        else one
        for one in found
    ]
