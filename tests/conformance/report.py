"""Who said what of which case, and whether that is as it must be."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from tests.conformance.cases import Case
from tests.conformance.judges import JUDGES, OFFICIAL, OURS, Verdicts

DECLARED = Path(__file__).parent / "disagreements.yaml"


@dataclass(frozen=True)
class FalseAlarm:
    """An error that a judge finds where R4 finds none."""

    judge: str
    message: str  # a regular expression
    cases: tuple[str, ...]  # names of cases, with * and ? as in names of files
    why: str
    r4: str

    def explains(self, judge: str, case: Case, message: str) -> bool:
        named = any(fnmatchcase(case.name, name) for name in self.cases)
        return judge == self.judge and named and re.search(self.message, message) is not None


@dataclass(frozen=True)
class OnlyOurs:
    """Broken cases that are valid for the official validator: for R4 itself, or as far as it looks."""

    cases: tuple[str, ...]
    why: str
    r4: str


@dataclass(frozen=True)
class Declared:
    """The content of ``disagreements.yaml``."""

    false_alarms: tuple[FalseAlarm, ...]
    only_ours: tuple[OnlyOurs, ...]


def declared() -> Declared:
    """Reads ``disagreements.yaml``."""
    content = yaml.safe_load(DECLARED.read_text("utf-8"))
    alarms = tuple(FalseAlarm(**entry | {"cases": tuple(entry["cases"])}) for entry in content["false_alarms"])
    ours = tuple(OnlyOurs(**entry | {"cases": tuple(entry["cases"])}) for entry in content["only_our_rules"])
    return Declared(alarms, ours)


def table(cases: list[Case], verdicts: Verdicts) -> Iterator[str]:
    """How many cases of each set each judge accepts; of the broken ones, how many it catches."""
    yield f"{'set':10}{'cases':>7}" + "".join(f"{judge:>12}" for judge in JUDGES)
    for name in dict.fromkeys(case.set for case in cases):
        numbers = [number for number, case in enumerate(cases) if case.set == name]
        passed = {judge: sum(not _errors(verdicts, judge, n) for n in numbers) for judge in JUDGES}
        shown = {judge: f"{n} ok" for judge, n in passed.items()}
        if name == "broken":
            caught = {judge: sum(_caught(verdicts, judge, n) for n in numbers) for judge in JUDGES}
            shown = {judge: f"{n} caught" for judge, n in caught.items()}
        yield f"{name:10}{len(numbers):7}" + "".join(f"{shown[judge]:>12}" for judge in JUDGES)


def failures(cases: list[Case], verdicts: Verdicts, known: Declared) -> Iterator[str]:
    """What is not as it must be."""
    only_ours = {name for entry in known.only_ours for name in entry.cases}
    for number, case in enumerate(cases):
        if case.must_pass:
            for judge, message in _undeclared(case, number, verdicts, known):
                yield f"{case.set}/{case.name}: {judge} finds an error: {message}"
            continue
        if not _caught(verdicts, OURS, number):
            yield f"broken/{case.name}: our rules do not catch it"
        if _caught(verdicts, OFFICIAL, number) == (case.name in only_ours):
            state = "is declared as ours alone, and the official validator catches it too"
            lacking = "the official validator does not catch it, and no reason is declared"
            yield f"broken/{case.name}: {state if case.name in only_ours else lacking}"


def stale(cases: list[Case], verdicts: Verdicts, known: Declared) -> Iterator[str]:
    """What is declared of no case at all, when all of them were judged."""
    names = {case.name for case in cases if not case.must_pass}
    for name in (name for entry in known.only_ours for name in entry.cases):
        if name not in names:
            yield f"{DECLARED.name}: no broken case is called: {name}"
    for alarm in known.false_alarms:
        if not _met(alarm, cases, verdicts):
            yield f"{DECLARED.name}: {alarm.judge} never says: {alarm.message}"


def disagreements(cases: list[Case], verdicts: Verdicts, known: Declared) -> Iterator[str]:
    """What is declared of these cases, with the paragraph of R4 that decides."""
    for alarm in known.false_alarms:
        if met := _met(alarm, cases, verdicts):
            yield f"{alarm.judge}, wrongly, in {met} cases: {alarm.message}\n    {alarm.why}\n    {alarm.r4}"
    judged = {case.name for case in cases if not case.must_pass}
    for entry in known.only_ours:
        if names := [name for name in entry.cases if name in judged]:
            yield f"our rules alone: {'; '.join(names)}\n    {entry.why}\n    {entry.r4}"


def _met(alarm: FalseAlarm, cases: list[Case], verdicts: Verdicts) -> int:
    """In how many cases the judge says that."""
    return sum(
        any(alarm.explains(alarm.judge, case, message) for _, message in _errors(verdicts, alarm.judge, number))
        for number, case in enumerate(cases)
        if case.must_pass
    )


def _undeclared(case: Case, number: int, verdicts: Verdicts, known: Declared) -> Iterator[tuple[str, str]]:
    for judge in JUDGES:
        for path, message in _errors(verdicts, judge, number):
            if not any(alarm.explains(judge, case, message) for alarm in known.false_alarms):
                yield judge, f"{path}: {message}"


def _errors(verdicts: Verdicts, judge: str, number: int) -> list[tuple[str, str]]:
    return [(one.path, one.message) for one in verdicts[judge][number] if one.severity == "error"]


def _caught(verdicts: Verdicts, judge: str, number: int) -> bool:
    """Our rules catch with a warning as well: some traps are valid R4."""
    return bool(verdicts[judge][number] if judge == OURS else _errors(verdicts, judge, number))
