"""Transactions: every identity is decided first, then everything is written in R4's order, or nothing is."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from fhir_adapters.refused import Refused
from fhir_adapters.sandbox import routes
from fhir_adapters.sandbox.identity import decide
from fhir_adapters.sandbox.interaction import Answer, Interaction
from fhir_adapters.sandbox.operations import Write, carry_out
from fhir_adapters.sandbox.references import Literals, literal_for_conditional, literal_for_full_urls, with_literals
from fhir_adapters.sandbox.repository import Repository
from fhir_adapters.sandbox.validation import require_targets

T = TypeVar("T")
_WRITES = ("DELETE", "POST", "PUT")  # the order that R4 prescribes; GET comes last


def run(
    repository: Repository, entries: Sequence[Interaction], full_urls: Sequence[str], *, atomic: bool
) -> list[tuple[Interaction, Answer]]:
    """Process the entries.

    Args:
        atomic: else the failure of an entry is its own, as at a server that runs a transaction as a batch.
    Returns: each entry with its answer, in the order in which they came.
    """
    done: dict[int, Answer] = {}
    with repository.store.all_or_nothing():
        writes = _decided(repository, entries, done, atomic=atomic)
        writes = _without_twins(writes, refuse=atomic, merge=repository.abilities.merges_twins)
        writes = _with_literals(writes, literal_for_full_urls(writes, full_urls))
        writes = _with_literals(writes, literal_for_conditional(repository, writes.values()))
        for index, write in sorted(writes.items(), key=lambda pair: _WRITES.index(pair[1].method)):
            _step(done, index, partial(carry_out, repository, write), atomic=atomic)
        if repository.abilities.referential_integrity:
            require_targets(repository.store, repository.base_url, [w.body for w in writes.values() if w.body])
        for index, entry in enumerate(entries):
            if entry.method not in _WRITES:
                _step(done, index, partial(routes.perform, repository, entry), atomic=atomic)
    return [(entries[index], done[index]) for index in sorted(done)]


def _decided(
    repository: Repository, entries: Sequence[Interaction], done: dict[int, Answer], *, atomic: bool
) -> dict[int, Write]:
    writes: dict[int, Write] = {}
    for index, entry in enumerate(entries):
        if entry.method in _WRITES:
            write = _tried(done, index, partial(decide, repository, entry), atomic=atomic)
            if write is not None:
                writes[index] = write
            else:
                done.setdefault(index, Answer(204))  # a conditional delete that finds nothing
    return writes


def _without_twins(writes: dict[int, Write], *, refuse: bool, merge: bool) -> dict[int, Write]:
    """Two entries must not write to one identity, whether they name it or find it by one condition."""
    kept: dict[int, Write] = {}
    seen: set[str] = set()
    for index, write in writes.items():
        if write.there:  # nothing is written
            kept[index] = write
            continue
        names = {f"{write.type}/{write.id}", f"{write.type}?{write.condition or write.id}"}
        if seen & names:
            if merge and write.method == "PUT" and write.condition is not None:
                continue  # lost: the answer has an entry less than the request
            if refuse:
                raise Refused(400, "duplicate", "two entries write to one identity").in_entry(index)
        seen |= names
        kept[index] = write
    return kept


def _with_literals(writes: dict[int, Write], literals: Literals) -> dict[int, Write]:
    if not literals:
        return writes
    return {index: replace(write, body=with_literals(write.body, literals)) for index, write in writes.items()}


def _step(done: dict[int, Answer], index: int, work: Callable[[], Answer], *, atomic: bool) -> None:
    answer = _tried(done, index, work, atomic=atomic)
    if answer is not None:
        done[index] = answer


def _tried(done: dict[int, Answer], index: int, work: Callable[[], T], *, atomic: bool) -> T | None:
    try:
        return work()
    except Refused as refused:
        if atomic:
            raise refused.in_entry(index) from None
        done[index] = Answer(refused.status, refused.outcome)
        return None
