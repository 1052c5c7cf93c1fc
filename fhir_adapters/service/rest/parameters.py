"""The parameters of a search → what is wanted of the outbox. What is not known is refused."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from fhir_adapters.outbox.reading import Bound, Wanted
from fhir_adapters.refused import Refused
from fhir_adapters.search_dates import interval
from fhir_adapters.service.access.scopes import NOBODY, Reach
from fhir_adapters.service.patients import Patients
from fhir_adapters.service.rest.kinds import OF_DEVICE, OF_PATIENT, SEARCHES, SHAPING
from fhir_adapters.site import Site

Pairs = Sequence[tuple[str, str]]
PAGE, MOST = 50, 200
NOTHING = ("",)  # a value that no row has
JSON_FORMATS = ("json", "application/json", "application/fhir+json", "text/json")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Search:
    """A search as it was understood.

    Args:
        named: identifiers of a Device or a Group that are looked for: (system or None, value or None).
        identifies: whether its parameters say who the patient is, so that they may stand in no link.
    """

    kind: str
    wanted: Wanted
    count: int = PAGE
    newest_first: bool = False
    only_count: bool = False
    total: bool = False
    named: tuple[tuple[str | None, str | None], ...] | None = None
    identifies: bool = False


def search_of(kind: str, pairs: Pairs, patients: Patients, site: Site, reach: Reach) -> Search:
    """What the parameters ask for, as far as the reader may see.

    Raises:
        Refused: a parameter or a value that is not understood.
    """
    reading = _Reading(kind, patients, site)
    for name, value in pairs:
        if _CONTROL.search(name + value):
            raise Refused(400, "value", "a parameter holds a control character")
        reading.read(name, value)
    search = reading.search
    return replace(search, wanted=within(search.wanted, reach))


def within(wanted: Wanted, reach: Reach) -> Wanted:
    """What is wanted, of the one person whom the reader may see."""
    if reach.person_id is None:
        return wanted
    mine = wanted.person_id in (None, reach.person_id)
    return replace(wanted, person_id=reach.person_id if mine else NOBODY)


class _Reading:
    """One search while its parameters are read."""

    def __init__(self, kind: str, patients: Patients, site: Site) -> None:
        self.search = Search(kind, Wanted(None if kind == "Provenance" else kind, every_revision=kind == "Provenance"))
        self._patients, self._site = patients, site

    def read(self, name: str, value: str) -> None:
        base, modifier = _parts(name)
        if not value.strip():
            raise Refused(400, "value", f"{_safe(base)} has no value")
        if modifier is None and base in SHAPING:
            self._shape(base, value)
            return
        if base not in SEARCHES[self.search.kind]:
            raise Refused(400, "not-supported", f"{self.search.kind} cannot be searched by {_safe(name)}")
        reader = self._readers().get((base, modifier))
        if reader is None:
            raise Refused(400, "not-supported", f"{_safe(name)}: this modifier is not known")
        reader(value)

    def _readers(self) -> dict[tuple[str, str | None], Callable[[str], None]]:
        found: dict[tuple[str, str | None], Callable[[str], None]] = {
            ("_id", None): lambda value: self._narrow(**_ids(self.search.kind, value.split(","))),
            ("_lastUpdated", None): self._time,
            ("identifier", None): self._identifier,
            ("status", None): lambda value: self._narrow(statuses=tuple(_code(v) for v in value.split(","))),
            ("encounter", "identifier"): self._visit,
            ("target", None): self._target,
        }
        for name in OF_PATIENT:
            found |= {(name, None): self._patient, (name, "Patient"): self._patient, (name, "identifier"): self._person}
        return found | {(name, None): self._device for name in OF_DEVICE}

    def _narrow(self, **values: object) -> None:
        """A parameter that is given twice must hold both times."""
        for name, value in values.items():
            before = getattr(self.search.wanted, name)
            self._want(**{name: value if before is None else _both(before, value)})

    def _want(self, **values: object) -> None:
        self.search = replace(self.search, wanted=replace(self.search.wanted, **values))  # type: ignore[arg-type]

    def _time(self, value: str) -> None:
        self._want(bounds=(*self.search.wanted.bounds, *_bounds(value)))

    def _patient(self, value: str) -> None:
        """``Patient/<id>``, a URL that ends so, or the id alone."""
        kind, _, id_ = value.rpartition("/")
        known = self._patients.by_id(id_) if kind in ("", "Patient") or kind.endswith("/Patient") else None
        self._of_person(known)

    def _person(self, value: str) -> None:
        system, number = _token(value)
        self._of_person(None if system is None or number is None else self._patients.by_identifier(system, number))

    def _of_person(self, person_id: int | None) -> None:
        self._narrow(person_id=NOBODY if person_id is None else person_id)
        self.search = replace(self.search, identifies=True)

    def _visit(self, value: str) -> None:
        system, number = _token(value)
        visit = None if system is None or number is None else self._patients.visit(system, number)
        self._narrow(visits=(NOBODY if visit is None else visit,))
        self.search = replace(self.search, identifies=True)

    def _device(self, value: str) -> None:
        self._narrow(devices=tuple(v.removeprefix("Device/") for v in value.split(",")))

    def _target(self, value: str) -> None:
        kind, _, id_ = value.partition("/")
        self._narrow(resource_ids=(id_,))
        self._want(resource_type=kind)

    def _identifier(self, value: str) -> None:
        tokens = tuple(_token(v) for v in value.split(","))
        if self.search.kind in ("Device", "Group"):
            self.search = replace(self.search, named=tokens)
            return
        site = self._site
        of = {site.prediction_system: "prediction_ids", site.content_system: "fingerprints",
              site.document_system: "resource_ids"}  # fmt: skip
        systems = {system for system, _ in tokens}
        if len(systems) > 1:
            raise Refused(400, "not-supported", "identifiers of several systems in one search")
        values = tuple(value or "" for _, value in tokens)
        system = systems.pop() or site.prediction_system
        self._narrow(**{of.get(system, "prediction_ids"): values if system in of else NOTHING})

    def _shape(self, name: str, value: str) -> None:
        if name == "_count":
            if not re.fullmatch(r"\d{1,6}", value, re.ASCII):
                raise Refused(400, "value", "_count is a whole number")
            only_count = self.search.only_count or int(value) == 0
            self.search = replace(self.search, count=min(int(value), MOST), only_count=only_count)
        elif name == "_sort":
            self._must(name, value, "_lastUpdated", "-_lastUpdated")
            self.search = replace(self.search, newest_first=value.startswith("-"))
        elif name == "_summary":
            self._must(name, value, "count", "false")
            self.search = replace(self.search, only_count=self.search.only_count or value == "count")
        elif name == "_total":
            self._must(name, value, "none", "estimate", "accurate")
            self.search = replace(self.search, total=value != "none")
        elif name == "_format" and value not in JSON_FORMATS:
            raise Refused(406, "not-supported", "only JSON is spoken")

    def _must(self, name: str, value: str, *allowed: str) -> None:
        if value not in allowed:
            raise Refused(400, "not-supported", f"{name} is one of {', '.join(allowed)}")


def _both(before: object, value: object) -> object:
    """What holds for two values of one parameter; where nothing does, a value that no row has."""
    if isinstance(before, tuple) and isinstance(value, tuple):
        nothing = (NOBODY,) if isinstance(before[0], int) else NOTHING
        return tuple(v for v in value if v in before) or nothing
    return value if before == value else NOBODY


def _parts(name: str) -> tuple[str, str | None]:
    """``patient:identifier``, or the chain ``patient.identifier`` that means the same."""
    base, dot, chained = name.partition(".")
    if dot:
        return base, chained
    base, colon, modifier = name.partition(":")
    return base, modifier if colon else None


def _token(value: str) -> tuple[str | None, str | None]:
    system, bar, code = value.partition("|")
    return (system, code or None) if bar else (None, value)


def _code(value: str) -> str:
    return value.rpartition("|")[2]


def _ids(kind: str, values: list[str]) -> dict[str, tuple[object, ...]]:
    """A Provenance has the id of its prediction and its revision: ``<uuid>.<revision>``."""
    known = [value for value in values if _ID.fullmatch(value)]
    if kind != "Provenance":
        return {"resource_ids": tuple(known) or NOTHING}
    parts = [value.rpartition(".") for value in known]
    revisions = tuple(int(number) for _, _, number in parts if number.isdigit() and len(number) < 10)
    return {"prediction_ids": tuple(id_ for id_, _, _ in parts) or NOTHING, "revisions": revisions or (0,)}


def _bounds(value: str) -> list[Bound]:
    """A date with its prefix, as R4 compares the interval that it means with an instant."""
    prefix = value[:2] if value[:2] in ("eq", "ne", "gt", "ge", "lt", "le", "sa", "eb") else ""
    start, end = interval(value.removeprefix(prefix))
    if prefix == "ne":
        raise Refused(400, "not-supported", "_lastUpdated: the prefix ne is not known")
    by_prefix: dict[str, list[tuple[str, datetime]]] = {
        "gt": [(">=", end)], "sa": [(">=", end)], "ge": [(">=", start)], "lt": [("<", start)], "eb": [("<", start)],
        "le": [("<", end)],
    }  # fmt: skip
    return by_prefix.get(prefix, [(">=", start), ("<", end)])  # type: ignore[return-value]


def _safe(name: str) -> str:
    """The name of a parameter for a message; a client may have put anything there."""
    return name if re.fullmatch(r"[\w.:\-]{1,40}", name, re.ASCII) else "this parameter"
