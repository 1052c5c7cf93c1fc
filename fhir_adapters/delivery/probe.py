"""What a target says it can do, and how we will write to it."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from fhir_adapters.delivery.options import DeliveryOptions
from fhir_adapters.delivery.target import Foreign, Lost, NotSent, Target
from passerelle.errors import TargetBusy, TerminalError

Json = dict[str, Any]
RESULTS = ("DetectedIssue", "RiskAssessment", "DocumentReference", "Observation")  # what a clinician is to see
SUPPORTS = ("Device", "Group")
Mode = Literal["transaction", "batch", "single"]
Create = Literal["if_none_exist", "conditional_update", "search_first"]  # the last has no guard but our single writer


@dataclass(frozen=True, slots=True)
class TargetProfile:
    """How to write to a target."""

    software: str
    mode: Mode
    client_ids: bool  # PUT [type]/<our id> creates; else the target chooses ids
    create: Create  # where it chooses them, how a resource is created once
    versioned: bool  # If-Match is honoured
    provenance: bool
    patient_search: bool
    types: tuple[str, ...]  # that it takes
    recreate_deleted: bool = False  # the hospital's choice

    def as_json(self) -> Json:
        """For the table of targets."""
        return asdict(self)


def probe(target: Target, options: DeliveryOptions, trial: Mapping[str, Any] | None = None) -> TargetProfile:
    """Read the CapabilityStatement; of a target whose mode and way of writing are declared, nothing is asked.

    Args:
        trial: what the target was seen to do (``try_writing``), which its statement may hide or invent.
    Raises:
        TargetBusy: no answer, or not now.
        TerminalError: not a FHIR R4 server, or one that takes nothing of what we send.
    """
    statement = _assumed() if options.declared else _statement(target)
    version = str(statement.get("fhirVersion", ""))
    if not version.startswith("4.0"):
        raise TerminalError(
            f"the target speaks FHIR {version or 'of an unknown version'}, not R4",
            looked="fhirVersion of its CapabilityStatement",
            do="give the base URL of its R4 (4.0.1) endpoint",
        )
    rest = next((r for r in _dicts(statement, "rest") if r.get("mode") == "server"), {})
    types = {str(r.get("type")): r for r in _dicts(rest, "resource")}
    said = _Said(types, {str(i.get("code")) for i in _dicts(rest, "interaction")}, trial or {})
    client_ids = said.client_ids(options)
    taken = tuple(name for name in (*RESULTS, *SUPPORTS) if said.writes(name, client_ids))
    if not set(taken) & {*RESULTS}:
        raise TerminalError(
            f"the target takes none of {', '.join(RESULTS)} ({'update' if client_ids else 'create'})",
            looked="rest.resource of its CapabilityStatement",
            do="ask its editor to allow one; until then the predictions wait in the outbox",
        )
    return TargetProfile(
        software=str(_dict(statement, "software").get("name", "unknown")),
        mode=said.mode(options) if client_ids else "single",
        client_ids=client_ids,
        create=said.create(options),
        versioned=said.versioned,
        provenance=options.provenance and said.writes("Provenance", client_ids),
        patient_search=_can(types, "Patient", "search-type"),
        types=taken,
        recreate_deleted=options.recreate_deleted,
    )


@dataclass(frozen=True, slots=True)
class _Said:
    """A CapabilityStatement, corrected by what was seen."""

    types: dict[str, Json]
    system: set[str]
    trial: Mapping[str, Any]

    def writes(self, name: str, client_ids: bool) -> bool:
        return _can(self.types, name, "update" if client_ids else "create")

    def client_ids(self, options: DeliveryOptions) -> bool:
        if options.write != "auto":
            return options.write == "client_id"
        seen = self.trial.get("client_ids")
        if seen is not None:
            return bool(seen)
        ours = [name for name in (*RESULTS, *SUPPORTS) if name in self.types]
        return any(self._creates_by_update(name) for name in ours) and all(
            self._creates_by_update(name) for name in ours if self.writes(name, True)
        )

    def create(self, options: DeliveryOptions) -> Create:
        if options.write in ("conditional_create", "conditional_update"):
            return "if_none_exist" if options.write == "conditional_create" else "conditional_update"
        ours = [self.types[name] for name in (*RESULTS, *SUPPORTS) if name in self.types]
        if any(resource.get("conditionalCreate") is True for resource in ours):
            return "if_none_exist"
        updates = any(resource.get("conditionalUpdate") is True for resource in ours)
        return "conditional_update" if updates else "search_first"

    def mode(self, options: DeliveryOptions) -> Mode:
        if options.mode != "auto":
            return options.mode
        if self.trial.get("atomic", "transaction" in self.system):
            return "transaction"
        return "batch" if "batch" in self.system else "single"

    @property
    def versioned(self) -> bool:
        seen = self.trial.get("versioned")
        ours = [self.types[name] for name in RESULTS if name in self.types]
        said = all(r.get("versioning") in ("versioned", "versioned-update") for r in ours)
        return said if seen is None else bool(seen)

    def _creates_by_update(self, name: str) -> bool:
        return _can(self.types, name, "update") and self.types[name].get("updateCreate") is True


def _assumed() -> Json:
    """The statement of a target that has none, or whose hospital has said how to write to it."""
    codes = ["create", "read", "update", "search-type"]
    resource = {
        "interaction": [{"code": code} for code in codes],
        "versioning": "versioned-update",
        "updateCreate": True,
    }
    types = (*RESULTS, *SUPPORTS, "Provenance", "Patient")
    rest = {"mode": "server", "resource": [{"type": name} | resource for name in types]}
    return {"fhirVersion": "4.0.1", "software": {"name": "as declared"}, "rest": [rest]}


def _statement(target: Target) -> Json:
    try:
        reply = target.get("metadata")
    except Foreign as error:
        raise _no_statement(target, "no JSON") from error
    except (NotSent, Lost) as error:
        raise TargetBusy(
            f"the FHIR server does not answer: {error}",
            looked=f"{target.base_url}/metadata",
            do="check the address and that the server runs; nothing was sent, the outbox keeps everything",
        ) from error
    if reply.status in (429, 500, 502, 503, 504):
        raise TargetBusy(f"the FHIR server answers {reply.status}", looked=f"{target.base_url}/metadata", do="later")
    if reply.status != 200 or reply.body.get("resourceType") != "CapabilityStatement":
        raise _no_statement(target, f"HTTP {reply.status}")
    return reply.body


def _no_statement(target: Target, what: str) -> TerminalError:
    return TerminalError(
        f"no CapabilityStatement there ({what})",
        looked=f"{target.base_url}/metadata",
        do="give the base URL of a FHIR server, such as https://server/fhir",
    )


def _can(types: dict[str, Json], name: str, interaction: str) -> bool:
    return interaction in {i.get("code") for i in _dicts(types.get(name, {}), "interaction")}


def _dicts(node: Json, name: str) -> Iterator[Json]:
    value = node.get(name)
    return (item for item in (value if isinstance(value, list) else ()) if isinstance(item, dict))


def _dict(node: Json, name: str) -> Json:
    value = node.get(name)
    return value if isinstance(value, dict) else {}
