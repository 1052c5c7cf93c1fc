"""Makes items ready for one target: real references, the form that it takes, our rules."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from fhir_adapters.bundle import path_of
from fhir_adapters.delivery.adapt import adapt
from fhir_adapters.delivery.answers import Answer
from fhir_adapters.delivery.options import DeliveryOptions
from fhir_adapters.delivery.parcel import Parcel
from fhir_adapters.delivery.patients import Patients, SearchRefused, SeveralPatients
from fhir_adapters.delivery.probe import TargetProfile
from fhir_adapters.delivery.resolve import resolve
from fhir_adapters.delivery.result import Result
from fhir_adapters.delivery.target import Lost, NotSent
from fhir_adapters.outbox import Item
from fhir_adapters.reidentifier import IdentityNotFound, Reidentifier
from fhir_adapters.rules import errors


@dataclass(slots=True)
class Prepared:
    """Items of one claim: those that can be sent, and why the others cannot."""

    items: Sequence[Item]
    parcels: list[Parcel] = field(default_factory=list)
    results: dict[int, Result] = field(default_factory=dict)  # by id of the item
    secrets: set[str] = field(default_factory=set)  # words that must not be written down


@dataclass(frozen=True, slots=True)
class Preparation:
    """What every item of a delivery needs."""

    options: DeliveryOptions
    patients: Patients
    reidentifier: Reidentifier

    def look_up(self, items: Sequence[Item]) -> None:
        """Look the patients of items up together, before they are made ready."""
        wanted = {item.person_id: item.key for item in items if item.person_id is not None}
        # What the target does not answer is asked again for each item, and told there.
        with contextlib.suppress(SearchRefused, NotSent, Lost):
            self.patients.prepare(wanted)

    def prepare(self, items: Sequence[Item], profile: TargetProfile) -> Prepared:
        """Make items ready."""
        prepared = Prepared(items)
        for item in items:
            ready = self._ready(item, profile, prepared.secrets)
            if isinstance(ready, Result):
                prepared.results[item.id] = ready
            else:
                prepared.parcels.append(ready)
        return prepared

    def _ready(self, item: Item, profile: TargetProfile, secrets: set[str]) -> Parcel | Result:
        try:
            real = resolve(item, self.patients, self.reidentifier)
        except IdentityNotFound:
            return Result(Answer.REJECTED, why="the patient is not in the crosswalk")
        except SeveralPatients as error:
            return Result(Answer.REJECTED, why=str(error))
        except SearchRefused as error:
            return Result(Answer.BUSY, why=str(error))
        except (NotSent, Lost) as error:  # while looking for a patient nothing has been written
            return Result(Answer.UNSENT, why=f"no answer: {error}")
        secrets.update(real.secrets)
        content = adapt(real.content, profile, self.options)
        if content is None:
            kind = real.content.resource["resourceType"]
            return Result(Answer.REJECTED, why=f"the target takes no {kind}, in no form that we have")
        known = {path: state.server_id for path, state in item.supports_known.items()}
        new = [support for support in content.supports if path_of(support) not in known]
        problems = [str(p) for r in (content.resource, content.provenance, *new) for p in errors(r)]
        if problems:
            return Result(Answer.REJECTED, why="rules", outcome="\n".join(problems))
        return Parcel(item, profile, content, item.known, {}).with_supports(known)
