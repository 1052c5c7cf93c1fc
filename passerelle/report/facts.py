"""What the report says, as plain facts. Collected by ``collect``, shown by ``render``; no HTML in here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

OUTCOMES = ("mapped", "routed", "merged", "excluded", "quarantined")
REFERENCE_RULE = "reference_table"  # the rule under which the run counts dictionaries, read for joins only


class Level(StrEnum):
    """How much a finding weighs for the person who signs."""

    WRONG = "wrong"  # do not rely on the data before it is settled
    LOOK = "look"  # know it before you sign
    NOTE = "note"  # good to know


@dataclass(frozen=True)
class Finding:
    """One thing that a reader must not miss; ``anchor`` is the section that shows it."""

    level: Level
    text: str
    anchor: str


# --- One source ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One step of a run that ended."""

    event: str
    at: datetime
    seconds: float


@dataclass(frozen=True)
class RunFacts:
    """One run of one source."""

    run_id: str
    started_at: datetime
    ended_at: datetime
    engine: str
    version: str
    vocabulary: str
    steps: Sequence[Step]
    complete: bool
    unchanged: bool
    settings: Sequence[tuple[str, str, str]]  # name, value, origin; only what is not the default


@dataclass(frozen=True)
class RuleCount:
    """Rows of a source table that a named rule decided about."""

    table: str
    outcome: str
    rule: str
    rows: int


@dataclass(frozen=True)
class Account:
    """One source table: what came in and what became of every row."""

    table: str
    read: int
    outcomes: Mapping[str, int]
    rules: Sequence[RuleCount]

    @property
    def total(self) -> int:
        """Rows with an outcome; equal to ``read`` when the account balances."""
        return sum(self.outcomes.values())

    @property
    def balances(self) -> bool:
        return self.total == self.read

    @property
    def is_reference(self) -> bool:
        """A dictionary, read for joins only."""
        return self.read > 0 and any(r.rule == REFERENCE_RULE and r.rows == self.read for r in self.rules)


@dataclass(frozen=True)
class QuarantineGroup:
    """Entries of the quarantine with one reason: how many, and where the first ones stand."""

    table: str
    step: str
    reason: str
    whole_row: bool
    rows: int
    lines: Sequence[int]
    key_hashes: Sequence[int]


@dataclass(frozen=True)
class VocabularyGaps:
    """The gaps of one source vocabulary. ``rows``: occurrences of its codes in the data, None where not recorded."""

    vocabulary: str
    codes_lost: int
    rows_lost: int  # concept 0
    rows_noted: int  # mapped, with a reservation (parent code, concept not in this copy)
    rows: int | None = None


@dataclass(frozen=True)
class Gap:
    """One code without a standard concept."""

    vocabulary: str
    code: str
    label: str
    reason: str
    where: str
    rows: int


@dataclass(frozen=True)
class CodedField:
    """A concept column of a CDM table: rows that have a value, and rows whose value is a concept (not 0)."""

    table: str
    field: str
    rows: int
    mapped: int


@dataclass(frozen=True)
class TableFacts:
    """One CDM table, as its readers see it."""

    name: str
    rows: int
    persons: int | None  # None: the table knows no person
    fields: Sequence[CodedField] = ()


@dataclass(frozen=True)
class Timeline:
    """Rows of the event tables by period."""

    unit: str  # month, quarter, year, decade
    periods: Sequence[str]
    counts: Mapping[str, Sequence[int]]  # table → rows of each period
    outside: int  # rows before the first or after the last period shown


@dataclass(frozen=True)
class CareSite:
    """Stays of one care site, and how many of them have a row in each event table."""

    name: str
    stays: int
    with_rows: Mapping[str, int]


@dataclass(frozen=True)
class CdmFacts:
    """The CDM tables of one source."""

    tables: Sequence[TableFacts] = ()
    timeline: Timeline | None = None
    care_sites: Sequence[CareSite] = ()
    site_tables: Sequence[str] = ()
    skipped: Sequence[str] = ()  # tables that could not be read, or are too big for completeness


@dataclass(frozen=True)
class QualityCheck:
    """One quality check, computed."""

    check: str
    table: str
    field: str
    violated: int | None
    rows: int | None
    threshold: float  # percent of the rows
    status: str
    severity: str
    concept: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Comparison:
    """The source against the CDM: one kind of count, or one control of the source."""

    what: str
    compared: int
    differing: int
    worst: str  # where, and what was found; empty when nothing differs


@dataclass(frozen=True)
class Feed:
    """How one table is filled at one care site over time."""

    site: str
    table: str
    began: str | None
    usual: float  # share of the stays that have it since then
    holes: Sequence[str]


@dataclass(frozen=True)
class ShareMap:
    """Shares of the stays by period: row → (having, stays) of each period."""

    title: str
    unit: str
    periods: Sequence[str]
    rows: Mapping[str, Sequence[tuple[int, int]]]


@dataclass(frozen=True)
class SocleItem:
    """One item of the socle commun, and who has it."""

    number: str
    group: str
    label: str
    status: str  # present, absent, not needed, not evaluated
    having: int
    of: int
    unit: str
    place: str


@dataclass(frozen=True)
class Statement:
    """One statement of the HL7 guide, judged."""

    name: str
    level: str
    asks: str
    status: str
    how: str
    evidence: str


@dataclass(frozen=True)
class Assessment:
    """What the last check found beside the quality checks."""

    comparisons: Sequence[Comparison] = ()
    controls: Sequence[tuple[str, str, str, str]] = ()  # name, table, status, what was found
    feeds: Sequence[Feed] = ()
    sites: Sequence[ShareMap] = ()  # one a table: care site × period
    socle: Sequence[SocleItem] = ()
    socle_map: ShareMap | None = None
    statements: Sequence[Statement] = ()
    guide: str = ""

    @property
    def holes(self) -> list[Feed]:
        return [feed for feed in self.feeds if feed.holes]


@dataclass(frozen=True)
class SourceFacts:
    """Everything about one source."""

    name: str
    label: str
    description: str
    holder: str
    synthetic: bool
    newest: RunFacts | None  # the run that was begun last
    run: RunFacts | None  # the run whose accounts are shown
    accounts: Sequence[Account] = ()
    quarantine: Sequence[QuarantineGroup] = ()
    vocabularies: Sequence[VocabularyGaps] = ()
    gaps: Sequence[Gap] = ()
    cdm: CdmFacts = field(default_factory=CdmFacts)
    checks: Sequence[QualityCheck] = ()
    checked: bool = False
    assessment: Assessment = field(default_factory=Assessment)

    @property
    def events(self) -> list[Account]:
        """Tables of which every row must be accounted for."""
        return [account for account in self.accounts if not account.is_reference]

    @property
    def references(self) -> list[Account]:
        return [account for account in self.accounts if account.is_reference]

    def summed(self, accounts: Sequence[Account]) -> Account:
        """One account for several tables."""
        outcomes = {name: sum(account.outcomes[name] for account in accounts) for name in OUTCOMES}
        return Account("all tables", sum(account.read for account in accounts), outcomes, ())


# --- What was made of it -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Metric:
    """One figure of a model or of a baseline, with its 95 % interval where there is one."""

    figure: str
    score: str
    value: float | None
    low: float | None = None
    high: float | None = None
    is_model: bool = True


@dataclass(frozen=True)
class Subgroup:
    """The model in one group of its rows; shares are fractions."""

    by: str
    group: str
    rows: int
    positives: int
    prevalence: float
    mean_forecast: float
    auroc: Metric | None  # None: too few positives to judge


@dataclass(frozen=True)
class Month:
    """The model in one month of its rows."""

    month: str
    rows: int
    positives: int
    expected: float
    alerts_per_100: float
    ratio: Metric | None  # positives over expected ones; None, like what follows: too few to judge
    auroc: Metric | None


@dataclass(frozen=True)
class Problem:
    """One class of problem: how many there are, how many the model found within its budget."""

    code: str
    rows: int
    found: int


@dataclass(frozen=True)
class Confusion:
    """The class that was predicted against the one that a person wrote: counts, one row a class that was written."""

    classes: Sequence[str]
    rows: Sequence[tuple[str, Sequence[int]]]


@dataclass(frozen=True)
class Example:
    """One alert as a clinician would read it, with nothing that names a patient or a day."""

    right: bool
    problem: str
    probability: float
    message: str
    reasons: Sequence[str]


@dataclass(frozen=True)
class ModelFacts:
    """The evaluation of one model."""

    model: str
    version: str
    contract: str
    snapshot_id: str
    population: Sequence[tuple[str, Any]] = ()
    metrics: Sequence[Metric] = ()
    gains: Sequence[Metric] = ()
    calibration: Sequence[tuple[str, float]] = ()
    months: Sequence[Month] = ()
    subgroups: Sequence[Subgroup] = ()
    problems: Sequence[Problem] = ()
    confusion: Confusion | None = None
    examples: Sequence[Example] = ()
    alerts: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    plots: Sequence[tuple[str, str]] = ()  # title, SVG text
    unreadable: str | None = None


@dataclass(frozen=True)
class Narrative:
    """What a clinician reads, with nothing that names a patient or a day."""

    finding: str
    paragraphs: Sequence[str]
    points: Sequence[str]


@dataclass(frozen=True)
class DeliveryFacts:
    """The outbox, and what the last delivery did."""

    predictions: int
    states: Mapping[str, int]
    targets: Mapping[str, Mapping[str, Any]]
    dead_letters: Mapping[str, int]
    oldest_open: str | None
    last: Mapping[str, Any]
    examples: Sequence[Narrative] = ()


@dataclass(frozen=True)
class DemoStep:
    """One step of the demo."""

    step: str
    seconds: float
    note: str


@dataclass(frozen=True)
class ReportFacts:
    """The whole report."""

    workspace: str
    created_at: datetime
    snapshot_id: str | None
    sources: Sequence[SourceFacts]
    models: Sequence[ModelFacts]
    delivery: DeliveryFacts | None
    demo: Sequence[DemoStep]

    @property
    def synthetic(self) -> bool:
        """Every source is generated: no figure of this page says anything about patients."""
        return bool(self.sources) and all(source.synthetic for source in self.sources)
