"""Writes predictions in Bundles: one transaction for all of them, or batches where the target has no transactions."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from fhir_adapters.delivery import one_by_one
from fhir_adapters.delivery.answers import Answer
from fhir_adapters.delivery.drafts import Draft, Results, exchange
from fhir_adapters.delivery.parcel import Parcel
from fhir_adapters.delivery.replaced import closed, read_older, with_replaces
from fhir_adapters.delivery.result import Result, half_done
from fhir_adapters.delivery.target import Lost, NotSent, Reply, Target
from fhir_adapters.delivery.verify import refusal

SPLIT = {400, 409, 410, 412, 413, 422}  # one prediction among them may be the cause: nothing was done
NO_BUNDLE = {400, 404, 405, 413, 422, 501}  # the target may refuse any Bundle, or one so large: try its parts
Older = dict[int, Reply]  # documents that are replaced, as the target holds them, by position of the parcel


def write(target: Target, parcels: Sequence[Parcel]) -> list[Result]:
    """Send the predictions; a result for each.

    When the target refuses them together, each half is sent alone, until the one that it refuses is found.
    """
    results, older = _read_older(target, parcels)
    ready = [position for position in range(len(parcels)) if position not in results]
    work = _transaction if parcels[0].profile.mode == "transaction" else _batches
    if ready:
        results |= work(target, parcels, ready, older)
    return [results[position] for position in range(len(parcels))]


def _transaction(target: Target, parcels: Sequence[Parcel], ready: list[int], older: Older) -> Results:
    draft = Draft("transaction")
    for position in ready:
        _supports(draft, parcels[position], position)
        _resource(draft, parcels[position], position)
        _rest(draft, parcels[position], position, older)
    return _send(target, parcels, draft, lambda half: _transaction(target, parcels, half, older))


def _batches(target: Target, parcels: Sequence[Parcel], ready: list[int], older: Older) -> Results:
    """What is referred to, then the resources, then what refers to them: a batch has no order in itself."""
    results: Results = {}
    for fill in (_supports, _resource, lambda draft, parcel, position: _rest(draft, parcel, position, older)):
        draft = Draft("batch")
        for position in ready:
            fill(draft, parcels[position], position)
        if not draft.resources:
            continue
        found = _send(target, parcels, draft, lambda half: _batches(target, parcels, half, older))
        results |= {p: _merged(r, results.get(p)) for p, r in found.items()}
        ready = [p for p in ready if results.get(p, Result(Answer.ACK)).answer is Answer.ACK]
    return results


def _merged(result: Result, before: Result | None) -> Result:
    """The later batch decides; the version is that of the resource, which only one of them writes."""
    if before is None or before.version_id is None:
        return result
    return replace(half_done(result), version_id=result.version_id or before.version_id)


def _send(target: Target, parcels: Sequence[Parcel], draft: Draft, again: Callable[[list[int]], Results]) -> Results:
    answer = exchange(target, parcels, draft)
    if not isinstance(answer, Reply):
        return answer
    senders = draft.senders
    if answer.status in SPLIT and len(senders) > 1:
        middle = len(senders) // 2
        return again(senders[:middle]) | again(senders[middle:])
    if answer.status in NO_BUNDLE:
        return {position: _alone(target, parcels[position]) for position in senders}
    return dict.fromkeys(senders, refusal(answer, if_match=bool(draft.if_match)))


def _alone(target: Target, parcel: Parcel) -> Result:
    try:
        return replace(one_by_one.write(target, parcel), bundle_refused=True)
    except NotSent as error:
        return Result(Answer.UNSENT, why=f"no connection: {error}")
    except Lost as error:
        return Result(Answer.DOUBT, why=f"no answer: {error}")


def _read_older(target: Target, parcels: Sequence[Parcel]) -> tuple[Results, Older]:
    """The documents that are replaced; a result where the target did not say."""
    results: Results = {}
    older: Older = {}
    for position, parcel in enumerate(parcels):
        if parcel.replaces is None or parcel.replaces == parcel.resource["id"]:
            continue
        try:
            found = read_older(target, parcel.replaces)
        except (NotSent, Lost) as error:  # nothing has been written yet
            results[position] = Result(Answer.UNSENT, why=f"no answer: {error}")
            continue
        if isinstance(found, Result):
            results[position] = found
        elif found is not None:
            older[position] = found
    return results, older


def _supports(draft: Draft, parcel: Parcel, position: int) -> None:
    for support in parcel.missing_supports:
        draft.add(support, position)


def _resource(draft: Draft, parcel: Parcel, position: int) -> None:
    draft.add(with_replaces(parcel), position, parcel.version_id)


def _rest(draft: Draft, parcel: Parcel, position: int, older: Older) -> None:
    if position in older:
        draft.add(closed(older[position]), position, older[position].version_id)
    if parcel.profile.provenance:
        draft.add(parcel.provenance, position)
