"""Pseudonymise many notes, on every core: each takes a millisecond of Python, and a hospital has millions."""

import os
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import BrokenProcessPool

from etl.pseudonymise_notes import Pseudonymiser
from passerelle.errors import TerminalError

MANY = 2000  # notes in one go; starting the processes takes as long as some hundred of them
AT_A_TIME = 200
IDLE_SECONDS = 30  # after so long without notes the processes end

Note = tuple[str | None, Sequence[str]]  # text; identifiers of its patient
Cleaned = list[str | None]


@dataclass(frozen=True)
class Cleaning:
    """Notes that are being pseudonymised."""

    parts: Sequence[Future[Cleaned]]

    def wait(self) -> Cleaned:
        """The notes without the identifiers that they held, in their order.

        Raises: TerminalError: a process that did a part of them was ended from outside.
        """
        try:
            return [text for part in self.parts for text in part.result()]
        except BrokenProcessPool as error:
            raise TerminalError(
                "a process that pseudonymised notes was ended", do="see whether the machine ran out of memory"
            ) from error

    def cancel(self) -> None:
        """Nobody will wait: what has not begun does not begin. The program could not end before it was done."""
        for part in self.parts:
            part.cancel()


def begin(pseudonymiser: Pseudonymiser, notes: Sequence[Note]) -> Cleaning:
    """Begin to take the identifiers out of notes; a few are done at once, here."""
    if len(notes) < MANY:
        done: Future[Cleaned] = Future()
        done.set_result(_clean(pseudonymiser, notes))
        return Cleaning([done])
    # Processes that are not forked: this one has threads, those of the engine among them.
    executor = get_reusable_executor(os.cpu_count(), timeout=IDLE_SECONDS)
    starts = range(0, len(notes), AT_A_TIME)
    return Cleaning([executor.submit(_clean, pseudonymiser, notes[first : first + AT_A_TIME]) for first in starts])


def _clean(pseudonymiser: Pseudonymiser, notes: Sequence[Note]) -> Cleaned:
    return [None if text is None else pseudonymiser.text(text, identifiers) for text, identifiers in notes]
