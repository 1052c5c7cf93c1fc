"""``deliver``: takes items one by one, sends them, and settles each by the answer."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import httpx

from fhir_adapters.delivery import in_transaction, one_by_one
from fhir_adapters.delivery.adapt import adapt
from fhir_adapters.delivery.answers import Answer
from fhir_adapters.delivery.options import DeliveryOptions
from fhir_adapters.delivery.pace import remember_target
from fhir_adapters.delivery.parcel import Parcel
from fhir_adapters.delivery.probe import TargetProfile, probe
from fhir_adapters.delivery.rebase import closed_by_a_person, rebase
from fhir_adapters.delivery.report import DeliveryReport
from fhir_adapters.delivery.resolve import Resolved, Resolver, SearchRefused, SeveralPatients
from fhir_adapters.delivery.result import Result
from fhir_adapters.delivery.settlement import Settlement
from fhir_adapters.delivery.target import Lost, NotSent, Target
from fhir_adapters.delivery.verify import Found, find_subject
from fhir_adapters.outbox import Item, Job, KeyState, Outbox
from fhir_adapters.outbox.claim import Claimer
from fhir_adapters.reidentifier import IdentityNotFound, Reidentifier
from fhir_adapters.rules import errors

Progress = Callable[[int, int], None]
DEFAULT_OPTIONS = DeliveryOptions()


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
    Raises:
        TargetBusy: the server does not answer.
        TerminalError: it is no FHIR R4 server, or it does not take what we send.
    """
    started = time.monotonic()
    with Target(base_url, timeout_s=options.timeout_s, auth=auth) as server:
        profile = probe(server, options)
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
        self._resolver = Resolver(reidentifier, server, search_patients=profile.patient_search)
        self._settlement = Settlement(outbox, options, report)
        self._claimer = Claimer(outbox.owner, report.target, options.lease)

    def run(self, as_of: datetime | None, limit: int | None, on_progress: Progress | None) -> None:
        """Work until nothing is due, the limit is reached, or the target must be left alone."""
        self._start(as_of)
        total, attempts = self._outbox.open_count(self._report.target), 0
        while self._report.stopped is None and (limit is None or attempts < limit):
            if not self._settlement.ready():
                return
            claimed = self._outbox.claim(self._claimer, as_of)
            self._report.expired += claimed.expired
            self._report.superseded += claimed.superseded
            if claimed.item is None:
                if not self._settlement.wait_for(self._outbox.next_due(self._report.target)):
                    return
                continue
            attempts += 1
            self._attempt(claimed.item)
            if on_progress is not None:
                on_progress(self._report.acked + self._report.dead + self._report.cancelled, total)

    def _start(self, as_of: datetime | None) -> None:
        swept = self._outbox.sweep(self._report.target, as_of or self._outbox.clock())
        self._report.recovered, self._report.expired = swept["recovered"], swept["expired"]
        with self._outbox.transaction() as connection:
            now = self._outbox.clock()
            until = remember_target(connection, self._report.target, self._server.base_url, self._profile, now)
        self._settlement.not_before = until

    def _attempt(self, item: Item) -> None:
        sent_at = self._outbox.clock()
        resolved: Resolved | None = None
        try:
            resolved = self._resolver.resolve(item)
            result = self._work(self._parcel(item, resolved))
        except IdentityNotFound:
            result = Result(Answer.REJECTED, why="the patient is not in the crosswalk")
        except SeveralPatients as error:
            result = Result(Answer.REJECTED, why=str(error))
        except SearchRefused as error:
            result = Result(Answer.BUSY, why=str(error))
        except NotSent as error:
            result = Result(Answer.UNSENT, why=f"no connection: {error}")
        except Lost as error:
            # While looking for a patient nothing has been written yet, so there is nothing to verify.
            doubt = Answer.UNSENT if resolved is None else Answer.DOUBT
            result = Result(doubt, why=f"no answer: {error}")
        if resolved is not None:
            result = replace(result, outcome=resolved.redact(result.outcome))
        self._settlement.settle(item, result, sent_at)

    def _parcel(self, item: Item, resolved: Resolved) -> Parcel:
        subject, device, provenance = (
            adapt(resource, self._options) for resource in (resolved.subject, resolved.device, resolved.provenance)
        )
        device_id = item.device_known.server_id if item.device_known else None
        return Parcel(item, self._profile, subject, device, provenance, item.known, device_id)

    def _work(self, parcel: Parcel) -> Result:
        problems = [str(p) for r in (parcel.subject, parcel.provenance, parcel.device) for p in errors(r)]
        if problems:
            return Result(Answer.REJECTED, why="rules", outcome="\n".join(problems))
        if parcel.item.job is Job.VERIFY:
            return self._verify(parcel)
        result = self._write(parcel)
        return self._after_conflict(parcel) if result.answer is Answer.CONFLICT else result

    def _write(self, parcel: Parcel) -> Result:
        if self._profile.mode == "transaction":
            result = in_transaction.write(self._server, parcel)
            if result.http_status != 413:
                return result  # else too large as a whole: try its parts
        return one_by_one.write(self._server, parcel)

    def _verify(self, parcel: Parcel) -> Result:
        """Look before sending again; complete what a target did by half."""
        found = find_subject(self._server, parcel)
        if isinstance(found, Result):
            return found
        if found.resource is None or not parcel.holds_our_content(found.resource):
            return Result(Answer.BUSY, why="verified: not there", retry_after_s=0.0)
        return self._confirm(parcel, found)

    def _after_conflict(self, parcel: Parcel) -> Result:
        """Someone changed the resource since we last wrote it: keep what people did, then write over it once."""
        found = find_subject(self._server, parcel)
        if isinstance(found, Result):
            return found
        if found.resource is None:
            return self._write(replace(parcel, known=None))
        if parcel.holds_our_content(found.resource):
            return self._confirm(parcel, found)
        if closed_by_a_person(found.resource):
            return Result(Answer.GONE, why="a person closed it at the target")
        known = KeyState(found.server_id or "", found.version_id, 0, "")
        merged = replace(parcel, subject=rebase(parcel.subject, found.resource), known=known)
        return self._write(merged)

    def _confirm(self, parcel: Parcel, found: Found) -> Result:
        assert found.server_id is not None  # a resource that was read has an id
        done = one_by_one.complete(self._server, parcel, found.server_id)
        if done.answer is not Answer.ACK:
            return done
        self._report.already_there += 1
        return Result(Answer.ACK, 200, server_id=found.server_id, version_id=found.version_id, why="verified")
