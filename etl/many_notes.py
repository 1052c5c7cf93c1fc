"""Pseudonymise many notes, on every core: each takes a millisecond of Python, and a hospital has millions."""

import os
from collections.abc import Callable, Sequence

from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import BrokenProcessPool

from etl.pseudonymise_notes import Pseudonymiser
from passerelle.errors import TerminalError

MANY = 2000  # notes in one go; starting the processes takes as long as some hundred of them
AT_A_TIME = 200
IDLE_SECONDS = 30  # after so long without notes the processes end

Note = tuple[str | None, Sequence[str]]  # text; identifiers of its patient
Cleaned = list[str | None]


def begin(pseudonymiser: Pseudonymiser, notes: Sequence[Note]) -> Callable[[], Cleaned]:
    """Begin to take the identifiers out of notes; gives a function that waits for them, in their order.

    That function raises: TerminalError: a process that did a part of them was ended from outside.
    """
    if len(notes) < MANY:
        few = _clean(pseudonymiser, notes)
        return lambda: few
    # Processes that are not forked: this one has threads, those of the engine among them.
    executor = get_reusable_executor(os.cpu_count(), timeout=IDLE_SECONDS)
    starts = range(0, len(notes), AT_A_TIME)
    parts = [executor.submit(_clean, pseudonymiser, notes[first : first + AT_A_TIME]) for first in starts]

    def wait() -> Cleaned:
        try:
            return [text for part in parts for text in part.result()]
        except BrokenProcessPool as error:
            raise TerminalError(
                "a process that pseudonymised notes was ended", do="see whether the machine ran out of memory"
            ) from error

    return wait


def _clean(pseudonymiser: Pseudonymiser, notes: Sequence[Note]) -> Cleaned:
    return [None if text is None else pseudonymiser.text(text, identifiers) for text, identifiers in notes]
