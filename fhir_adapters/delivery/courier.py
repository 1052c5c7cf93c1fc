"""``deliver``: takes items, sends them, and settles each by the answer."""

import ssl
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

import httpx

from fhir_adapters.bundle import path_of
from fhir_adapters.delivery.answers import Answer
from fhir_adapters.delivery.options import DeliveryOptions
from fhir_adapters.delivery.pace import remember_target, trial_of
from fhir_adapters.delivery.parcel import Parcel
from fhir_adapters.delivery.patients import Patients
from fhir_adapters.delivery.preparation import Preparation, Prepared
from fhir_adapters.delivery.probe import TargetProfile, probe
from fhir_adapters.delivery.report import DeliveryReport
from fhir_adapters.delivery.resolve import redacted
from fhir_adapters.delivery.result import Result
from fhir_adapters.delivery.sending import Sender
from fhir_adapters.delivery.settlement import Settlement
from fhir_adapters.delivery.target import Target
from fhir_adapters.outbox import Item, Outbox
from fhir_adapters.outbox.claim import Claimer
from fhir_adapters.reidentifier import Reidentifier

Progress = Callable[[int, int], None]
DEFAULT_OPTIONS = DeliveryOptions()
ENTRIES_OF_ONE = 2  # of most predictions: the resource and its Provenance
AHEAD = 4  # Bundles whose items are claimed, and whose patients are looked up, together
HANDOVER_S = 0.0005  # between threads of the interpreter
GIVEN_BACK = Result(Answer.BUSY, why="the target is left alone", retry_after_s=0.0)


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
    """One delivery to one target.

    While one claim is on its way, in a thread of its own, the next one is made ready: a target that answers slowly
    costs its time only, and so do our rules.
    """

    def __init__(
        self, outbox: Outbox, server: Target, profile: TargetProfile, reidentifier: Reidentifier,
        options: DeliveryOptions, report: DeliveryReport,
    ) -> None:  # fmt: skip
        self._outbox, self._server, self._profile = outbox, server, profile
        self._options, self._report = options, report
        patients = Patients(reidentifier, server, search=profile.patient_search)
        self._preparation = Preparation(options, patients, reidentifier)
        self._sender = Sender(server, outbox.clock, report, options.max_bytes)
        self._settlement = Settlement(outbox, options, report)
        self._claimer = Claimer(outbox.owner, report.target, options.lease)
        self._claimed: list[Item] = []

    def run(self, as_of: datetime | None, limit: int | None, on_progress: Progress | None) -> None:
        """Work until nothing is due, the limit is reached, or the target must be left alone."""
        self._start(as_of)
        total, left = self._outbox.open_count(self._report.target), limit
        with ThreadPoolExecutor(1) as thread, _quick_handover():
            on_its_way: _OnItsWay | None = None
            while True:
                prepared = self._next(as_of, left)
                left = left if left is None else left - len(prepared.items)
                following: _OnItsWay | None = None
                if on_its_way is not None:
                    if prepared.items and on_its_way.went_well() and not self._lacks_supports(prepared):
                        following = self._send(prepared, thread)  # the target need not wait for our bookkeeping
                    self._settle(on_its_way)
                    if on_progress is not None:
                        on_progress(self._report.acked + self._report.dead + self._report.cancelled, total)
                if not prepared.items and on_its_way is None and not self._wait(left):
                    self._give_back()
                    return
                on_its_way = following or (self._send(prepared, thread) if prepared.items else None)

    def _start(self, as_of: datetime | None) -> None:
        swept = self._outbox.sweep(self._report.target, as_of or self._outbox.clock())
        self._report.recovered, self._report.expired = swept["recovered"], swept["expired"]
        with self._outbox.transaction() as connection:
            now = self._outbox.clock()
            until = remember_target(connection, self._report.target, self._server.base_url, self._profile, now)
        self._settlement.not_before = until

    def _wait(self, left: int | None) -> bool:
        """Until an item is due; False when there is nothing to wait for."""
        if self._report.stopped is not None or left == 0:
            return False
        return self._settlement.wait_for(self._outbox.next_due(self._report.target))

    def _next(self, as_of: datetime | None, left: int | None) -> Prepared:
        """The next items, made ready; none when the target must be left alone, or when nothing is due."""
        if self._report.stopped is not None or not self._settlement.ready():
            return Prepared(())
        together = 1 if self._profile.mode == "single" else max(1, self._options.max_entries // ENTRIES_OF_ONE)
        if not self._claimed:
            self._claim(as_of, together * AHEAD if left is None else min(together * AHEAD, left))
        some, self._claimed = self._claimed[:together], self._claimed[together:]
        return self._preparation.prepare(some, self._profile)

    def _claim(self, as_of: datetime | None, limit: int) -> None:
        """Items for several Bundles, whose patients are looked up together."""
        if limit == 0:
            return
        claimed = self._outbox.claim(self._claimer, as_of, limit)
        self._report.expired += claimed.expired
        self._report.superseded += claimed.superseded
        self._claimed = claimed.items
        self._preparation.look_up(claimed.items)

    def _send(self, prepared: Prepared, thread: ThreadPoolExecutor) -> "_OnItsWay":
        sent_at = self._outbox.clock()
        if self._report.stopped is not None or not self._settlement.ready():  # since the items were claimed
            self._claimed, prepared = [], Prepared([*prepared.items, *self._claimed])
            results = dict.fromkeys((item.id for item in prepared.items), GIVEN_BACK)
            return _OnItsWay(prepared, thread.submit(lambda: results), sent_at)
        there = self._settlement.support_ids
        prepared.parcels = [parcel.with_supports(_there_of(parcel, there)) for parcel in prepared.parcels]
        return _OnItsWay(prepared, thread.submit(self._sender.send, prepared), sent_at)

    def _lacks_supports(self, prepared: Prepared) -> bool:
        """True when it would write a Device that the Bundle before it may have written."""
        there = self._settlement.support_ids
        return any(path_of(s) not in there for parcel in prepared.parcels for s in parcel.missing_supports)

    def _give_back(self) -> None:
        """What was claimed and is not sent: the target must be left alone."""
        if self._claimed:
            self._settlement.settle([(item, GIVEN_BACK) for item in self._claimed], self._outbox.clock())

    def _settle(self, sent: "_OnItsWay") -> None:
        results = sent.results.result()
        if any(r.bundle_refused and r.answer is Answer.ACK for r in results.values()):
            self._profile = replace(self._profile, mode="single")  # statements lie
            self._report.mode = "single"
        # What went together may come back together: of each answer the words of all are taken out.
        told = [(item, results[item.id]) for item in sent.prepared.items]
        clean = [(item, replace(r, outcome=redacted(r.outcome, sent.prepared.secrets))) for item, r in told]
        self._settlement.settle(clean, sent.at)


@dataclass(frozen=True, slots=True)
class _OnItsWay:
    """A claim that the other thread is sending."""

    prepared: Prepared
    results: "Future[dict[int, Result]]"
    at: datetime

    def went_well(self) -> bool:
        """True when everything was acknowledged; waits for the answer."""
        return all(
            result.answer is Answer.ACK and not result.bundle_refused for result in self.results.result().values()
        )


@contextmanager
def _quick_handover() -> Iterator[None]:
    """The thread that sends asks for the interpreter some times for each request, and the target waits as long.

    By default each time takes 5 ms while the next Bundle is made ready: a quarter of what a fast server needs for one.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(HANDOVER_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _there_of(parcel: Parcel, ids: dict[str, str]) -> dict[str, str]:
    """What a parcel refers to and the target has by now."""
    return {path: ids[path] for support in parcel.missing_supports if (path := path_of(support)) in ids}
