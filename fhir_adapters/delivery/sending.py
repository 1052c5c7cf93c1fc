"""Sends what was made ready, and says how each attempt ended; nothing is written down here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from fhir_adapters.delivery import in_bundles, one_by_one
from fhir_adapters.delivery.answers import Answer
from fhir_adapters.delivery.parcel import Parcel
from fhir_adapters.delivery.preparation import Prepared
from fhir_adapters.delivery.report import DeliveryReport
from fhir_adapters.delivery.result import Result, half_done
from fhir_adapters.delivery.target import Lost, NotSent, Target
from fhir_adapters.delivery.verify import Found, find_resource
from fhir_adapters.outbox import Job, KeyState, Kind
from fhir_adapters.people import closed_by_a_person, with_what_people_wrote

TOO_LATE = Result(Answer.DOUBT, why="its lease ran out before it was sent")


@dataclass(frozen=True, slots=True)
class Sender:
    """Writes to one target."""

    server: Target
    clock: Callable[[], datetime]
    report: DeliveryReport
    max_bytes: int  # of one Bundle

    def send(self, prepared: Prepared) -> dict[int, Result]:
        """One attempt of each parcel: those that are only to be sent go together, the others alone. By item id."""
        results = dict(prepared.results)
        together: list[Parcel] = []
        for parcel in prepared.parcels:
            if parcel.profile.mode == "single" or _looks_first(parcel):
                results[parcel.item.id] = self._alone(parcel)
            else:
                together.append(parcel)
        for parcels in self._packed(together):
            results |= self._sent(parcels)
        return results

    def _packed(self, parcels: Sequence[Parcel]) -> list[list[Parcel]]:
        """Parcels by Bundle, none larger than the target takes."""
        packs: list[list[Parcel]] = []
        size = 0
        for parcel in parcels:
            if not packs or size + parcel.item.size > self.max_bytes:
                packs.append([])
                size = 0
            packs[-1].append(parcel)
            size += parcel.item.size
        return packs

    def _sent(self, parcels: list[Parcel]) -> dict[int, Result]:
        now = self.clock()
        held = [parcel for parcel in parcels if parcel.item.lease_until > now]
        written = in_bundles.write(self.server, held) if held else []
        results = {parcel.item.id: TOO_LATE for parcel in parcels}
        results |= {parcel.item.id: result for parcel, result in zip(held, written, strict=True)}
        for parcel in held:
            if results[parcel.item.id].answer is Answer.CONFLICT:
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
        if _looks_first(parcel):
            found = find_resource(self.server, parcel)
            if isinstance(found, Result):
                return found
            if found.resource is None:
                return Result(Answer.GONE, why="nothing to withdraw: the target does not have it")
        result = self._write(parcel)
        return self._after_conflict(parcel) if result.answer is Answer.CONFLICT else result

    def _write(self, parcel: Parcel) -> Result:
        if parcel.profile.mode == "single":
            return one_by_one.write(self.server, parcel)
        return in_bundles.write(self.server, [parcel])[0]

    def _verify(self, parcel: Parcel) -> Result:
        """Look before sending again; complete what a target did by half."""
        found = find_resource(self.server, parcel)
        if isinstance(found, Result):
            return half_done(found)  # the doubt remains
        if found.resource is None or not parcel.holds_our_content(found.resource):
            return Result(Answer.BUSY, why="verified: not there", retry_after_s=0.0)
        return self._confirm(parcel, found)

    def _after_conflict(self, parcel: Parcel) -> Result:
        """Someone changed the resource since we last wrote it: keep what people did, then write over it once."""
        found = find_resource(self.server, parcel)
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
        done = one_by_one.complete(self.server, parcel, found.server_id)
        if done.answer is not Answer.ACK:
            return half_done(done)
        self.report.already_there += 1
        return Result(Answer.ACK, 200, server_id=found.server_id, version_id=found.version_id, why="verified")


def _looks_first(parcel: Parcel) -> bool:
    item = parcel.item
    return item.job is Job.VERIFY or (item.kind is Kind.RETRACT and item.known is None)
