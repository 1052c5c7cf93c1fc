"""Pseudonymise many notes, on every core: each takes a millisecond of Python, and a hospital has millions."""

from collections.abc import Sequence

from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError

from etl.pseudonymise_notes import Pseudonymiser
from passerelle.errors import TerminalError

MANY = 2000  # notes in one go; starting the processes takes as long as some hundred of them
AT_A_TIME = 200

Note = tuple[str | None, Sequence[str]]  # text; identifiers of its patient


def pseudonymised(pseudonymiser: Pseudonymiser, notes: Sequence[Note]) -> list[str | None]:
    """Notes without the identifiers that they held, in their order.

    Raises: TerminalError: a process that did a part of them was ended from outside.
    """
    if len(notes) < MANY:
        return _clean(pseudonymiser, notes)
    parts = (notes[first : first + AT_A_TIME] for first in range(0, len(notes), AT_A_TIME))
    try:
        # Processes that are not forked: this one has threads, those of the engine among them.
        cleaned = Parallel(n_jobs=-1)(delayed(_clean)(pseudonymiser, part) for part in parts)
    except TerminatedWorkerError as error:
        raise TerminalError(
            "a process that pseudonymised notes was ended", do="see whether the machine ran out of memory"
        ) from error
    return [text for part in cleaned for text in part]


def _clean(pseudonymiser: Pseudonymiser, notes: Sequence[Note]) -> list[str | None]:
    return [None if text is None else pseudonymiser.text(text, identifiers) for text, identifiers in notes]
