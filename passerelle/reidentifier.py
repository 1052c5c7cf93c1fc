"""Wires the crosswalk to delivery: the only place where a prediction finds its patient again; every time is logged."""

from dataclasses import dataclass, field
from functools import cached_property

from etl.crosswalk import Crosswalk
from fhir_adapters.identifiers import INS_NIR
from fhir_adapters.reidentifier import EncounterIdentity, Origin, PatientIdentity
from passerelle.provenance import natural_keys


@dataclass
class CrosswalkReidentifier:
    """Persons and stays of every source of a workspace.

    Args:
        crosswalk: opened once, for a stated reason; the opening is in the access log.
        sources: names of the sources.
        why: reason that the log keeps.
        person_attribute: which identifier is the hospital's own (IPP, subject_id…): the key of the person table.
    """

    crosswalk: Crosswalk
    sources: tuple[str, ...]
    why: str
    person_attribute: dict[str, str]
    stay_attribute: dict[str, str]
    system: str = "urn:passerelle:{source}:{kind}"
    asked: dict[str, int] = field(default_factory=dict)

    @cached_property
    def _known(self) -> tuple[dict[int, dict[str, str]], dict[int, dict[str, str]]]:
        people: dict[tuple[str, int], dict[str, str]] = {}
        stays: dict[tuple[str, int], dict[str, str]] = {}
        for source in self.sources:
            rows = self.crosswalk.open(source, why=self.why)
            for kind, hashed, identifier, attribute in zip(
                *(rows[name].to_pylist() for name in ("kind", "hash", "identifier", "attribute")), strict=True
            ):
                known = {"person": people, "stay": stays}.get(kind)
                if known is not None:
                    known.setdefault((source, hashed), {"_source": source})[attribute] = identifier
        return (
            {int(facts["person_id"]): facts for facts in people.values() if "person_id" in facts},
            {int(facts["visit_occurrence_id"]): facts for facts in stays.values() if "visit_occurrence_id" in facts},
        )

    def identify(self, person_id: int, reason: str) -> PatientIdentity | None:
        """The patient of a person row, or None when nobody knows."""
        facts = self._known[0].get(person_id)
        if facts is None:
            return None
        self.asked[reason] = self.asked.get(reason, 0) + 1
        source = facts["_source"]
        own = self.person_attribute[source]
        hidden = tuple(value for name, value in facts.items() if name not in {own, "_source", "person_id", "ins"})
        return PatientIdentity(
            ipp=facts[own],
            ipp_system=self.system.format(source=source, kind="person"),
            ins=facts.get("ins"),
            hidden=hidden,
        )

    def encounter(self, visit_occurrence_id: int) -> EncounterIdentity | None:
        """The stay of a visit row, or None."""
        facts = self._known[1].get(visit_occurrence_id)
        if facts is None:
            return None
        source = facts["_source"]
        return EncounterIdentity(
            iep=facts[self.stay_attribute[source]], iep_system=self.system.format(source=source, kind="stay")
        )

    def origin(self, table: str, row_id: int) -> Origin | None:
        """A logical reference to the source row of an OMOP row: its kind and the hash of its natural key."""
        found = self.origins.get((table, row_id))
        if found is None:
            return None
        return Origin(type=RESOURCES.get(table), system="urn:passerelle:source-row", value=f"{found:016x}")

    def person_of(self, system: str, value: str) -> int | None:
        """The person row of an IPP or an INS; None when nobody has it."""
        return self._by_identifier[0].get((system, value))

    def visit_of(self, system: str, value: str) -> int | None:
        """The visit row of a stay's number."""
        return self._by_identifier[1].get((system, value))

    @cached_property
    def _by_identifier(self) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], int]]:
        people: dict[tuple[str, str], int] = {}
        for person_id, facts in self._known[0].items():
            source = facts["_source"]
            people[self.system.format(source=source, kind="person"), facts[self.person_attribute[source]]] = person_id
            if "ins" in facts:
                people[INS_NIR, facts["ins"]] = person_id
        stays = {
            (self.system.format(source=source, kind="stay"), facts[self.stay_attribute[source]]): visit_id
            for visit_id, facts in self._known[1].items()
            if self.stay_attribute[source := facts["_source"]] in facts
        }
        return people, stays

    @cached_property
    def origins(self) -> dict[tuple[str, int], int]:
        """(CDM table, id) → hash of the natural key, for the tables that evidence comes from."""
        return natural_keys(self.crosswalk.folder.parent, tuple(RESOURCES))


# FHIR resource that a row of a CDM table comes from in a hospital's system.
RESOURCES = {
    "drug_exposure": "MedicationRequest",
    "measurement": "Observation",
    "condition_occurrence": "Condition",
    "observation": "Observation",
    "procedure_occurrence": "Procedure",
}
