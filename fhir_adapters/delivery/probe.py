"""What a target says it can do, and how we will write to it."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from fhir_adapters.delivery.options import DeliveryOptions
from fhir_adapters.delivery.target import Lost, NotSent, Target
from passerelle.errors import TargetBusy, TerminalError

Json = dict[str, Any]
WRITTEN = ("DetectedIssue", "Device", "Provenance")


@dataclass(frozen=True, slots=True)
class TargetProfile:
    """How to write to a target."""

    software: str
    mode: Literal["transaction", "single"]
    client_ids: bool  # PUT [type]/<our id> creates; else conditional create, then PUT by the server's id
    versioned: bool  # If-Match is honoured
    provenance: bool
    patient_search: bool

    def as_json(self) -> Json:
        """For the table of targets."""
        return asdict(self)


def probe(target: Target, options: DeliveryOptions) -> TargetProfile:
    """Read the CapabilityStatement.

    Raises:
        TargetBusy: no answer, or not now.
        TerminalError: not a FHIR R4 server, or one that does not take what we send.
    """
    statement = _statement(target)
    version = str(statement.get("fhirVersion", ""))
    if not version.startswith("4.0"):
        raise TerminalError(
            f"the target speaks FHIR {version or 'of an unknown version'}, not R4",
            looked="fhirVersion of its CapabilityStatement",
            do="give the base URL of its R4 (4.0.1) endpoint",
        )
    rest = next((r for r in _dicts(statement, "rest") if r.get("mode") == "server"), {})
    types = {str(r.get("type")): r for r in _dicts(rest, "resource")}
    client_ids = _client_ids(types, options)
    _require_writes(types, client_ids)
    system = {i.get("code") for i in _dicts(rest, "interaction")}
    return TargetProfile(
        software=str(_dict(statement, "software").get("name", "unknown")),
        mode="transaction" if options.transactions and client_ids and "transaction" in system else "single",
        client_ids=client_ids,
        versioned=types["DetectedIssue"].get("versioning") in ("versioned", "versioned-update"),
        provenance=options.provenance and _can(types, "Provenance", "update" if client_ids else "create"),
        patient_search=_can(types, "Patient", "search-type"),
    )


def _statement(target: Target) -> Json:
    try:
        reply = target.get("metadata")
    except (NotSent, Lost) as error:
        raise TargetBusy(
            f"the FHIR server does not answer: {error}",
            looked=f"{target.base_url}/metadata",
            do="check the address and that the server runs; nothing was sent, the outbox keeps everything",
        ) from error
    if reply.status in (429, 500, 502, 503, 504):
        raise TargetBusy(f"the FHIR server answers {reply.status}", looked=f"{target.base_url}/metadata", do="later")
    if reply.status != 200 or reply.body.get("resourceType") != "CapabilityStatement":
        raise TerminalError(
            f"no CapabilityStatement there (HTTP {reply.status})",
            looked=f"{target.base_url}/metadata",
            do="give the base URL of a FHIR server, such as https://server/fhir",
        )
    return reply.body


def _client_ids(types: dict[str, Json], options: DeliveryOptions) -> bool:
    if options.write != "auto":
        return options.write == "client_id"
    return all(_can(types, name, "update") and types[name].get("updateCreate") is True for name in WRITTEN[:2])


def _require_writes(types: dict[str, Json], client_ids: bool) -> None:
    needed = "update" if client_ids else "create"
    missing = [name for name in WRITTEN[:2] if not _can(types, name, needed)]
    if missing:
        raise TerminalError(
            f"the target does not take {' and '.join(missing)} ({needed})",
            looked="rest.resource of its CapabilityStatement",
            do="ask its editor to allow it; until then the predictions wait in the outbox",
        )


def _can(types: dict[str, Json], name: str, interaction: str) -> bool:
    return interaction in {i.get("code") for i in _dicts(types.get(name, {}), "interaction")}


def _dicts(node: Json, name: str) -> Iterator[Json]:
    value = node.get(name)
    return (item for item in (value if isinstance(value, list) else ()) if isinstance(item, dict))


def _dict(node: Json, name: str) -> Json:
    value = node.get(name)
    return value if isinstance(value, dict) else {}
