"""``deliver``: takes items, sends them, and settles each by the answer."""

import contextlib
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import httpx

from fhir_adapters.delivery import in_bundles, one_by_one
from fhir_adapters.delivery.adapt import adapt
from fhir_adapters.delivery.answers import Answer
from fhir_adapters.delivery.options import DeliveryOptions
from fhir_adapters.delivery.pace import remember_target, trial_of
from fhir_adapters.delivery.parcel import Parcel
from fhir_adapters.delivery.patients import Patients, SearchRefused, SeveralPatients
from fhir_adapters.delivery.probe import TargetProfile, probe
from fhir_adapters.delivery.report import DeliveryReport
from fhir_adapters.delivery.resolve import Resolved, redacted, resolve
from fhir_adapters.delivery.result import Result, half_done
from fhir_adapters.delivery.settlement import Settlement
from fhir_adapters.delivery.target import Lost, NotSent, Target
from fhir_adapters.delivery.verify import Found, find_resource
from fhir_adapters.exact_json import dumps
from fhir_adapters.outbox import Item, Job, KeyState, Kind, Outbox
from fhir_adapters.outbox.claim import Claimer
from fhir_adapters.people import closed_by_a_person, with_what_people_wrote
from fhir_adapters.reidentifier import IdentityNotFound, Reidentifier
from fhir_adapters.rules import errors

Progress = Callable[[int, int], None]
DEFAULT_OPTIONS = DeliveryOptions()
ENTRIES_OF_ONE = 2  # of most predictions: the resource and its Provenance


def deliver(  # noqa: PLR0913  the ninth decision of whoever delivers
    outbox: Outbox,
    base_url: str,
    reidentifier: Reidentifier,
    *,
    target: str = "default",
    limit: int | None = None,
    on_progress: Progress | None = None,
    as_of: datetime | None = None,
    options: DeliveryOptions = DEFAULT_OPTIONS,
    auth: httpx.Auth | None = None,
    tls: ssl.SSLContext | None = None,
) -> DeliveryReport:
    """Deliver what is due to a FHIR server, and say what became of it.

    Whatever the target does there is at most one current resource for each prediction, and nothing is lost:
    interrupt it at any moment and call it again.

    Args:
        base_url: of the FHIR R4 server. Everything else about it is asked from it.
        reidentifier: the way back to the patients; opened for each patient that is sent, and only then.
        target: name of the server in the outbox.
        limit: at most so many attempts.
        on_progress: called with (settled, total) items.
        as_of: the time at which a prediction must still hold; now when not given. A replay of old data gives
            the time of the data, else everything would have expired.
        tls: for a server that asks for our certificate, or has one of its own authority.
    Raises:
        TargetBusy: the server does not answer.
        TerminalError: it is no FHIR R4 server, or it does not take what we send.
    """
    started = time.monotonic()
    with Target(base_url, timeout_s=options.timeout_s, auth=auth, tls=tls) as server:
        with outbox.transaction() as connection:
            trial = trial_of(connection, target, server.base_url)
        profile = probe(server, options, trial)
        report = DeliveryReport(target, profile.software, profile.mode)
        courier = _Courier(outbox, server, profile, reidentifier, options, report)
        courier.run(as_of, limit, on_progress)
        report.requests = server.requests
    report.remaining = outbox.open_count(target)
    report.seconds = round(time.monotonic() - started, 3)
    return report


class _Courier:
    """One delivery to one target."""

    def __init__(
        self, outbox: Outbox, server: Target, profile: TargetProfile, reidentifier: Reidentifier,
        options: DeliveryOptions, report: DeliveryReport,
    ) -> None:  # fmt: skip
        self._outbox, self._server, self._profile = outbox, server, profile
        self._options, self._report = options, report
        self._reidentifier = reidentifier
        self._patients = Patients(reidentifier, server, search=profile.patient_search)
        self._settlement = Settlement(outbox, options, report)
        self._claimer = Claimer(outbox.owner, report.target, options.lease)

    def run(self, as_of: datetime | None, limit: int | None, on_progress: Progress | None) -> None:
        """Work until nothing is due, the limit is reached, or the target must be left alone."""
        self._start(as_of)
        total, attempts = self._outbox.open_count(self._report.target), 0
        while self._report.stopped is None and (limit is None or attempts < limit):
            if not self._settlement.ready():
                return
            together = 1 if self._profile.mode == "single" else max(1, self._options.max_entries // ENTRIES_OF_ONE)
            wanted = together if limit is None else min(together, limit - attempts)
            claimed = self._outbox.claim(self._claimer, as_of, wanted)
            self._report.expired += claimed.expired
            self._report.superseded += claimed.superseded
            if not claimed.items:
                if not self._settlement.wait_for(self._outbox.next_due(self._report.target)):
                    return
                continue
            attempts += len(claimed.items)
            self._attempt(claimed.items)
            if on_progress is not None:
                on_progress(self._report.acked + self._report.dead + self._report.cancelled, total)

    def _start(self, as_of: datetime | None) -> None:
        swept = self._outbox.sweep(self._report.target, as_of or self._outbox.clock())
        self._report.recovered, self._report.expired = swept["recovered"], swept["expired"]
        with self._outbox.transaction() as connection:
            now = self._outbox.clock()
            until = remember_target(connection, self._report.target, self._server.base_url, self._profile, now)
        self._settlement.not_before = until

    def _attempt(self, items: list[Item]) -> None:
        """One attempt of each item: those that are only to be sent go together, the others alone."""
        sent_at = self._outbox.clock()
        results: dict[int, Result] = {}
        resolved: dict[int, Resolved] = {}
        together: list[Parcel] = []
        self._look_up_patients(items)
        for item in items:
            ready = self._ready(item, resolved)
            if isinstance(ready, Result):
                results[item.id] = ready
            elif self._profile.mode == "single" or self._looks_first(item):
                results[item.id] = self._alone(ready)
            else:
                together.append(ready)
        for parcels in self._packed(together):
            results |= self._sent(parcels)
        if any(r.bundle_refused and r.answer is Answer.ACK for r in results.values()):
            self._profile = replace(self._profile, mode="single")  # statements lie
            self._report.mode = "single"
        # What went together may come back together: of each answer the words of all are taken out.
        secrets = {secret for one in resolved.values() for secret in one.secrets}
        told = [(item, results[item.id]) for item in items]
        clean = [(item, replace(result, outcome=redacted(result.outcome, secrets))) for item, result in told]
        self._settlement.settle(clean, sent_at)

    def _look_up_patients(self, items: list[Item]) -> None:
        wanted = {item.person_id: item.key for item in items if item.person_id is not None}
        # What the target does not answer is asked again for each item, and told there.
        with contextlib.suppress(SearchRefused, NotSent, Lost):
            self._patients.prepare(wanted)

    def _ready(self, item: Item, resolved: dict[int, Resolved]) -> Parcel | Result:
        """The item with its real references, in the form that the target takes; or why it cannot be sent."""
        try:
            real = resolved[item.id] = resolve(item, self._patients, self._reidentifier)
        except IdentityNotFound:
            return Result(Answer.REJECTED, why="the patient is not in the crosswalk")
        except SeveralPatients as error:
            return Result(Answer.REJECTED, why=str(error))
        except SearchRefused as error:
            return Result(Answer.BUSY, why=str(error))
        except (NotSent, Lost) as error:  # while looking for a patient nothing has been written
            return Result(Answer.UNSENT, why=f"no answer: {error}")
        content = adapt(real.content, self._profile, self._options)
        if content is None:
            kind = real.content.resource["resourceType"]
            return Result(Answer.REJECTED, why=f"the target takes no {kind}, in no form that we have")
        problems = [str(p) for r in content.resources for p in errors(r)]
        if problems:
            return Result(Answer.REJECTED, why="rules", outcome="\n".join(problems))
        known = {path: state.server_id for path, state in item.supports_known.items()}
        return Parcel(item, self._profile, content, item.known, {}).with_supports(known)

    def _looks_first(self, item: Item) -> bool:
        return item.job is Job.VERIFY or (item.kind is Kind.RETRACT and item.known is None)

    def _packed(self, parcels: list[Parcel]) -> list[list[Parcel]]:
        """Parcels by Bundle, none larger than the target takes."""
        packs: list[list[Parcel]] = []
        size = 0
        for parcel in parcels:
            own = sum(len(dumps(resource)) for resource in (parcel.resource, parcel.provenance))
            if not packs or size + own > self._options.max_bytes:
                packs.append([])
                size = 0
            packs[-1].append(parcel)
            size += own
        return packs

    def _sent(self, parcels: list[Parcel]) -> dict[int, Result]:
        now = self._outbox.clock()
        held = [parcel for parcel in parcels if parcel.item.lease_until > now]
        results = dict(
            zip((p.item.id for p in held), in_bundles.write(self._server, held) if held else (), strict=True)
        )
        for parcel in parcels:
            result = results.setdefault(
                parcel.item.id, Result(Answer.DOUBT, why="its lease ran out before it was sent")
            )
            if result.answer is Answer.CONFLICT:
                results[parcel.item.id] = self._alone(parcel, conflict=True)
        return results

    def _alone(self, parcel: Parcel, *, conflict: bool = False) -> Result:
        """One parcel by itself; what the target never answers is a doubt."""
        try:
            return self._after_conflict(parcel) if conflict else self._work(parcel)
        except NotSent as error:
            unsent = Result(Answer.UNSENT, why=f"no connection: {error}")
            return half_done(unsent) if parcel.item.job is Job.VERIFY else unsent
        except Lost as error:
            return Result(Answer.DOUBT, why=f"no answer: {error}")

    def _work(self, parcel: Parcel) -> Result:
        if parcel.item.job is Job.VERIFY:
            return self._verify(parcel)
        if self._looks_first(parcel.item):
            found = find_resource(self._server, parcel)
            if isinstance(found, Result):
                return found
            if found.resource is None:
                return Result(Answer.GONE, why="nothing to withdraw: the target does not have it")
        result = self._write(parcel)
        return self._after_conflict(parcel) if result.answer is Answer.CONFLICT else result

    def _write(self, parcel: Parcel) -> Result:
        if self._profile.mode == "single":
            return one_by_one.write(self._server, parcel)
        return in_bundles.write(self._server, [parcel])[0]

    def _verify(self, parcel: Parcel) -> Result:
        """Look before sending again; complete what a target did by half."""
        found = find_resource(self._server, parcel)
        if isinstance(found, Result):
            return half_done(found)  # the doubt remains
        if found.resource is None or not parcel.holds_our_content(found.resource):
            return Result(Answer.BUSY, why="verified: not there", retry_after_s=0.0)
        return self._confirm(parcel, found)

    def _after_conflict(self, parcel: Parcel) -> Result:
        """Someone changed the resource since we last wrote it: keep what people did, then write over it once."""
        found = find_resource(self._server, parcel)
        if isinstance(found, Result):
            return found
        if found.resource is None:
            return self._write(replace(parcel, known=None))
        if parcel.holds_our_content(found.resource):
            return self._confirm(parcel, found)
        if closed_by_a_person(found.resource) and parcel.item.kind is not Kind.RETRACT:
            return Result(Answer.GONE, why="a person closed it at the target")
        known = KeyState(found.server_id or "", found.version_id, 0, parcel.item.sha256)
        merged = replace(parcel.content, resource=with_what_people_wrote(parcel.resource, found.resource))
        return self._write(replace(parcel, content=merged, known=known))

    def _confirm(self, parcel: Parcel, found: Found) -> Result:
        assert found.server_id is not None  # a resource that was read has an id
        done = one_by_one.complete(self._server, parcel, found.server_id)
        if done.answer is not Answer.ACK:
            return half_done(done)
        self._report.already_there += 1
        return Result(Answer.ACK, 200, server_id=found.server_id, version_id=found.version_id, why="verified")
