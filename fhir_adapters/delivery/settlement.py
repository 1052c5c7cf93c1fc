"""What follows from an answer: for the item, and for the target."""

import time
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from fhir_adapters.delivery.answers import Answer
from fhir_adapters.delivery.options import DeliveryOptions
from fhir_adapters.delivery.pace import after, backoff_s, pause_target
from fhir_adapters.delivery.report import DeliveryReport
from fhir_adapters.delivery.result import Result
from fhir_adapters.outbox import Item, Outbox
from fhir_adapters.outbox import settle as rows
from fhir_adapters.outbox.items import Attempt, KeyState

_FAILURES = {Answer.UNSENT, Answer.DOUBT}  # of the target, not of the item
_SHORTEST_WAIT_S = 0.02


class Settlement:
    """Settles the items of one delivery, and keeps its pace."""

    def __init__(self, outbox: Outbox, options: DeliveryOptions, report: DeliveryReport) -> None:
        self._outbox, self._options, self._report = outbox, options, report
        self._failures = 0
        self.support_ids: dict[str, str] = {}  # Devices and Groups that the target was seen to have, in this delivery
        self.not_before: datetime | None = None  # the target asked for a pause, or fails

    def ready(self) -> bool:
        """Wait until the target may be asked again; False when that is too far away."""
        if self.not_before is None or self.not_before <= self._outbox.clock():
            return True
        if self.wait_for(self.not_before):
            return True
        self._report.stopped = f"the target is left alone until {self.not_before.isoformat(timespec='seconds')}"
        return False

    def wait_for(self, moment: datetime | None) -> bool:
        """Sleep until a moment, if the waiting that this delivery may do allows it."""
        if moment is None:
            return False
        seconds = max((moment - self._outbox.clock()).total_seconds(), _SHORTEST_WAIT_S)
        if self._report.waited_s + seconds > self._options.wait_s:
            return False
        time.sleep(seconds)
        self._report.waited_s = round(self._report.waited_s + seconds, 3)
        return True

    def settle(self, ended: Sequence[tuple[Item, Result]], sent_at: datetime) -> None:
        """Write the ledger, the new states of items and what is known of the target, in one transaction."""
        with self._outbox.transaction() as connection:
            now = self._outbox.clock()
            rows.record(connection, [(item, _line(result, sent_at)) for item, result in ended], now)
            self._remember_supports(connection, ended)
            self._acknowledge(connection, ended, now)
            for item, result in ended:
                if not _is_acked(result):
                    self._state(connection, item, result, now)
            if ended:
                self._target(connection, ended[0][0].target, [result for _, result in ended], now)

    def _remember_supports(self, connection: Connection, ended: Sequence[tuple[Item, Result]]) -> None:
        new = {
            path: KeyState(id_, None, 1, "")
            for item, result in ended
            for path, id_ in result.support_ids.items()
            if path not in item.supports_known and path not in self.support_ids
        }
        if new:
            rows.know(connection, ended[0][0].target, list(new.items()))
            self.support_ids |= {path: state.server_id for path, state in new.items()}

    def _acknowledge(self, connection: Connection, ended: Sequence[tuple[Item, Result]], now: datetime) -> None:
        written = [(item, str(result.server_id), result.version_id) for item, result in ended if _is_acked(result)]
        rows.acked(connection, written, now)
        self._report.acked += len(written)

    def _state(self, connection: Connection, item: Item, result: Result, now: datetime) -> None:
        """What becomes of an item that was not acknowledged."""
        answer, why = result.answer, result.why or result.answer.value
        if answer is Answer.GONE and result.http_status is None:
            rows.cancelled(connection, item, why, now)
            self._report.cancelled += 1
        elif answer in (Answer.REJECTED, Answer.SEVERAL, Answer.GONE) or self._exhausted(item, result):
            rows.dead(connection, item, why, result.outcome, now)
            self._report.dead += 1
            self._report.dead_reasons[why] = self._report.dead_reasons.get(why, 0) + 1
        elif answer is Answer.DOUBT:
            wait = max(self._options.verify_after_s, self._wait_s(item, result) if item.attempts > 1 else 0.0)
            rows.unknown(connection, item, after(now, wait), why, now)
            self._report.unknown += 1
        else:
            if answer is Answer.STALE and result.server_id is not None:
                rows.know(connection, item.target, [(item.key, KeyState(result.server_id, result.version_id, 0, ""))])
            rows.retry(connection, item, after(now, self._wait_s(item, result)), why, now)
            self._report.retried += 1

    def _wait_s(self, item: Item, result: Result) -> float:
        if result.answer is Answer.STALE:
            return 0.0
        if result.retry_after_s is not None:
            return result.retry_after_s
        return backoff_s(item.attempts, self._options)

    def _exhausted(self, item: Item, result: Result) -> bool:
        """An item that always gets an answer and never a good one. A target that is away exhausts nobody."""
        answered = result.http_status is not None and result.answer in (Answer.DOUBT, Answer.CONFLICT)
        return answered and item.attempts >= self._options.max_attempts

    def _target(self, connection: Connection, target: str, results: list[Result], now: datetime) -> None:
        """What the answers to one request or to several say about the target as a whole."""
        failures, answers = self._failures, {result.answer for result in results}
        if Answer.ACK in answers:  # a read that works proves nothing about writes
            self._failures = 0
        elif answers & _FAILURES:
            self._failures += 1
        pauses = [r.retry_after_s or 0.0 for r in results if r.answer is Answer.BUSY and r.http_status in (429, 503)]
        pause = max(pauses, default=0.0)  # what it asks for holds for everything we send
        if Answer.CONFIGURATION in answers:
            refused = next(result for result in results if result.answer is Answer.CONFIGURATION)
            self._report.stopped = f"the target refuses every item: {refused.why}"
        elif not pause and self._failures >= self._options.breaker_after:
            pause = self._options.breaker_pause_s
        if pause or failures != self._failures:
            self.not_before = after(now, pause) if pause else None
            pause_target(connection, target, self._failures, self.not_before)


def _is_acked(result: Result) -> bool:
    return result.answer is Answer.ACK and result.server_id is not None


def _line(result: Result, sent_at: datetime) -> Attempt:
    return Attempt(
        result.answer, sent_at, result.http_status, result.entry_status, result.server_id, result.version_id,
        result.outcome,
    )  # fmt: skip
