"""What was delivered: the outbox by state and target, the last delivery, and what a clinician reads."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from passerelle.errors import PasserelleError
from passerelle.report.facts import DeliveryFacts, Narrative
from passerelle.report.json_file import read_json
from passerelle.workspace import Workspace

if TYPE_CHECKING:
    from fhir_adapters.outbox import Outbox

EXAMPLES = 3
LOOKED_AT = 200  # resources among which the examples are chosen
# A day of care, or a long number, may lead to a person: neither is needed to show how a result reads.
DAY = re.compile(r"\b\d{1,2}/\d{1,2}/\d{2,4}(?: à \d{1,2}[:h]\d{2})?|\b\d{4}-\d{2}-\d{2}(?:T[\d:.]+Z?)?")
LONG_NUMBER = re.compile(r"(?<!\d)(?<!\d[,.])\d{5,}")  # decimals are no identifier
AGE = re.compile(r"(âge \(ans\) \()(\d+)[,.]\d+")  # to the day it would give the birthday away


def collect_delivery(workspace: Workspace, outbox_url: str | None, report: Path) -> DeliveryFacts | None:
    """Facts of the outbox; None when nothing was ever put into one.

    Args:
        outbox_url: where it is, when it is not the workspace's own.
        report: the file that the last delivery left.
    """
    if outbox_url is None and not (workspace.root / "outbox" / "outbox.sqlite").is_file():
        return None
    from sqlalchemy.exc import SQLAlchemyError

    from fhir_adapters.outbox import open_outbox

    last = read_json(report)
    try:
        outbox = open_outbox(outbox_url or workspace.outbox_url)
        try:
            return _facts(outbox, last if isinstance(last, dict) else {})
        finally:
            outbox.close()
    except (PasserelleError, SQLAlchemyError):  # another version, or a database that does not answer
        return None


def _facts(outbox: "Outbox", last: dict[str, Any]) -> DeliveryFacts:
    status = outbox.status()
    return DeliveryFacts(
        predictions=status["predictions"],
        states={state: rows for state, rows in status["states"].items() if rows},
        targets=status["targets"],
        dead_letters={str(reason): rows for reason, rows in status["dead_letters"].items()},
        oldest_open=status["oldest_open"],
        last=last,
        examples=_examples(outbox),
    )


def _examples(outbox: "Outbox") -> list[Narrative]:
    """Narratives of different findings, those that were delivered first."""
    from sqlalchemy import select

    from fhir_adapters.outbox.schema import outbox as table
    from fhir_adapters.outbox.schema import prediction
    from fhir_adapters.outbox.states import State

    newest = select(prediction.c.payload).join(table, table.c.prediction == prediction.c.id)
    newest = newest.order_by(table.c.state != State.ACKED, table.c.id).limit(LOOKED_AT)
    with outbox.transaction() as connection:
        payloads = list(connection.execute(newest).scalars())
    found: dict[str, Narrative] = {}
    for payload in payloads:
        narrative = _narrative(json.loads(payload)["resource"])
        if narrative is not None:
            found.setdefault(narrative.finding, narrative)
        if len(found) == EXAMPLES:
            break
    return list(found.values())


def _narrative(resource: dict[str, Any]) -> Narrative | None:
    div = (resource.get("text") or {}).get("div")
    if not div:
        return None
    try:
        root = ElementTree.fromstring(div)
    except ElementTree.ParseError:
        return None
    texts: dict[str, list[str]] = {"p": [], "li": []}
    for node in root.iter():
        name = node.tag.rpartition("}")[2]
        if name in texts:
            texts[name].append(without_traces("".join(node.itertext())))
    finding = str((resource.get("code") or {}).get("text") or resource.get("resourceType") or "")
    return Narrative(finding, texts["p"], texts["li"])


def without_traces(text: str) -> str:
    """The text without days and long numbers; ages in whole years.

    Example:
        >>> without_traces("créatinine 245 µmol/L du 03/03/2025, dossier 8001234")
        'créatinine 245 µmol/L du [date], dossier [numéro]'
    """
    return AGE.sub(r"\1\2", LONG_NUMBER.sub("[numéro]", DAY.sub("[date]", " ".join(text.split()))))
