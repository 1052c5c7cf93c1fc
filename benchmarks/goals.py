"""A goal of a model beside what was measured: the value, its interval, and the baseline on the same rows."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

HEADER = ("| id | what | goal | measured | 95 % interval | baseline | reached |", "|---|---|---|---|---|---|---|")
THOUSAND = 1000  # from which digits count


@dataclass(frozen=True)
class Goal:
    """One line of the table. A goal is a least value, or with ``at_most`` a greatest one; None: told beside others."""

    id: str
    what: str
    goal: float | None
    value: float
    low: float = math.nan
    high: float = math.nan
    baseline: str = ""
    at_most: bool = False

    @property
    def reached(self) -> bool:
        """Whether the value itself, not its interval, is on the right side."""
        if self.goal is None:
            return True
        return self.value <= self.goal if self.at_most else self.value >= self.goal

    def row(self) -> str:
        """The line as Markdown."""
        interval = "" if math.isnan(self.low) else f"{self.low:.3g} to {self.high:.3g}"
        goal = "" if self.goal is None else f"{'≤' if self.at_most else '≥'} {self.goal:g}"
        said = "" if self.goal is None else "yes" if self.reached else "**no**"
        value = f"{self.value:,.0f}" if self.value >= THOUSAND else f"{self.value:.3g}"
        cells = (self.id, self.what, goal, value, interval, self.baseline, said)
        return "| " + " | ".join(cells) + " |"


def goal_of(
    id: str,
    what: str,
    goal: float | None,
    interval: Mapping[str, Any] | None,
    baseline: str = "",
    *,
    at_most: bool = False,
) -> Goal:
    """A line from an interval as the evaluation gives it (``value``, ``low``, ``high``; None where there is none)."""
    found = interval or {}
    value, low, high = (math.nan if found.get(k) is None else float(found[k]) for k in ("value", "low", "high"))
    return Goal(id, what, goal, value, low, high, baseline, at_most)
