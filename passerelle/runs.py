"""The run ledger: what each run did, what it used, and where an interrupted one goes on."""

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from omop.lake import Lake
from passerelle.errors import UsageError
from spark_jobs import ops

COMPLETE = "published"
STEPS = ("extracted", "mapped", "checked", "published")


@dataclass
class Run:
    """One run of one source; its events are facts of the past, with numbers."""

    run_id: str
    source: str
    lake: Lake
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    day: str = ""  # the run's date is an input: a resumed run keeps it

    def record(self, event: str, seconds: float, **details: Any) -> None:
        """Note what happened; only now does the run count it."""
        ops.append(
            self.lake,
            "run",
            [
                {
                    "run_id": self.run_id,
                    "source": self.source,
                    "event": event,
                    "at": datetime.now(UTC),
                    "seconds": seconds,
                    "details": json.dumps(details, sort_keys=True, default=str),
                }
            ],
        )
        self.note(event, details)

    def note(self, event: str, details: dict[str, Any]) -> None:
        """Count an event; what followed an earlier one of its kind (a check of tables written anew) counts no more."""
        if event in STEPS:
            undone = STEPS[STEPS.index(event) :]
            self.events = {name: facts for name, facts in self.events.items() if name not in undone}
        self.events[event] = details

    def done(self, step: str) -> dict[str, Any] | None:
        """Details of a step that is behind us; None when it is still ahead."""
        return self.events.get(step)

    @contextmanager
    def step(self, event: str) -> Iterator[dict[str, Any]]:
        """Time a step and record it when it ends; one that fails is not recorded."""
        started = time.monotonic()
        details: dict[str, Any] = {}
        yield details
        self.record(event, time.monotonic() - started, **details)


def begin(lake: Lake, source: str, **details: Any) -> Run:
    """Start a run."""
    now = datetime.now(UTC)
    run = Run(f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}", source, lake, day=now.date().isoformat())
    run.record("started", 0.0, day=run.day, **details)
    return run


def resume(lake: Lake, source: str) -> Run:
    """The newest run of a source that did not end.

    Raises: UsageError: there is none.
    """
    runs = load(lake, source)
    if not runs or COMPLETE in runs[-1].events:
        raise UsageError(
            f"there is no interrupted run of {source} to resume",
            looked=str(lake.ops("run")),
            do=f"start one: passerelle run {source}",
        )
    return runs[-1]


def load(lake: Lake, source: str | None = None) -> list[Run]:
    """Every run, oldest first, of a source or of all."""
    runs: dict[str, Run] = {}
    for row in sorted(ops.read(lake, "run"), key=lambda r: r["at"]):
        if source is None or row["source"] == source:
            run = runs.setdefault(row["run_id"], Run(row["run_id"], row["source"], lake))
            run.note(row["event"], json.loads(row["details"]))
            run.day = run.events.get("started", {}).get("day", run.day)
    return list(runs.values())


def last_with(lake: Lake, source: str, step: str) -> Run | None:
    """The newest run of a source that did a step."""
    return next((run for run in reversed(load(lake, source)) if step in run.events), None)
