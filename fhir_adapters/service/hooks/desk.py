"""Answers hooks: the orders are judged, the cards are shown, and what was shown is remembered."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fhir_adapters.cds_hooks.cards import card
from fhir_adapters.service.batches import Batches
from fhir_adapters.service.hooks.services import SIGN, VIEW
from fhir_adapters.service.hooks.subject import Subject, subject_of
from fhir_adapters.service.journal import Journal, Signed
from fhir_adapters.service.metrics import Metrics
from fhir_adapters.service.options import ServiceOptions
from fhir_adapters.service.patients import Patients
from fhir_adapters.service.record.history import rows_of
from fhir_adapters.service.record.medication import finder
from fhir_adapters.service.record.moments import moment
from fhir_adapters.service.record.orders import draft_orders, draft_row, reference_of
from fhir_adapters.service.reviewer import Question
from fhir_adapters.service.shown import Shown, ShownCard
from models.contract import Prediction

Json = dict[str, Any]
Findings = list[tuple[Prediction, str | None]]  # with ``Type/id`` of the draft order
RANK = {"high": 0, "moderate": 1, "low": 2, None: 3}


@dataclass(frozen=True, slots=True)
class Desk:
    """Where hooks are answered.

    Args:
        current: the findings about a person that nobody has judged yet.
    """

    options: ServiceOptions
    patients: Patients
    reviews: Batches[Question, list[Prediction]]
    warming: Batches[Question, list[Prediction]]
    current: Callable[[int], Sequence[Prediction]]
    journal: Journal
    shown: Shown
    metrics: Metrics
    clock: Callable[[], datetime]

    async def answer(self, service: Json, request: Json, client: str) -> tuple[Json, Subject]:
        """The cards, within the budget; none when it is exceeded.

        Raises:
            Refused: the patient cannot be known.
        """
        subject, hook = subject_of(request, self.patients), service["hook"]
        try:
            async with asyncio.timeout(self.options.budget_s):
                found = await (self._viewed(subject) if hook == VIEW else self._reviewed(request, subject))
        except TimeoutError:
            self.metrics.over_budget.labels(hook).inc()
            found = []
        found = sorted(found, key=lambda pair: (RANK[pair[0].severity], -pair[0].probability))
        if found:
            self._remember(request, found, subject, client, signed=hook == SIGN)
        site = self.options.site
        cards = [card(prediction, site, draft_order=order) for prediction, order in found]
        self.metrics.cards.labels(hook).inc(len(cards))
        return {"cards": cards}, subject

    async def _reviewed(self, request: Json, subject: Subject) -> Findings:
        drafts = request["context"]["draftOrders"]
        orders, find, at = draft_orders(drafts), finder(drafts), self._now(request)
        rows = [draft_row(order, find, person_id=subject.person_id, at=at) for order in orders]
        if not rows:
            return []
        question = Question(subject.person_id, at, rows, rows_of(request.get("prefetch", {}), at))
        of_order = {
            f"drug_exposure:{row['drug_exposure_id']}": reference_of(order)
            for row, order in zip(rows, orders, strict=True)
        }
        return [(found, of_order.get(found.occasion)) for found in await self.reviews.ask(question)]

    async def _viewed(self, subject: Subject) -> Findings:
        if not subject.known:
            return []
        # Whoever opens a record may order next: what is known is read now, so that the order is judged at once.
        self.warming.mention(Question(subject.person_id, self.clock(), (), {}))
        found = await asyncio.to_thread(self.current, subject.person_id)
        return [(prediction, None) for prediction in found]

    def _now(self, request: Json) -> datetime:
        """The time; in a demo, whose patients live in the past, that of the newest draft."""
        now = self.clock()
        if not self.options.demo:
            return now
        written = (moment(order.get("authoredOn")) for order in draft_orders(request["context"]["draftOrders"]))
        return min(max(filter(None, written), default=now), now)

    def _remember(self, request: Json, found: Findings, subject: Subject, client: str, *, signed: bool) -> None:
        for prediction, _ in found:
            seen = ShownCard(prediction.prediction_id, client, request["context"]["userId"])
            self.shown.remember(seen)
            self.journal.put(seen)
        # Nobody could bring a result back to a patient whom the crosswalk does not know.
        if signed and subject.known:
            self.journal.put(Signed(tuple(prediction for prediction, _ in found)))
