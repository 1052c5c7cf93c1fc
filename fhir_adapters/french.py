"""French as clinicians read it: numbers, dates, and narratives that are escaped by construction."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

from passerelle.errors import FhirError

_NOT_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def utc(moment: datetime) -> datetime:
    """The moment in UTC; predictions that were stored come back without a zone and are UTC by contract."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def instant(moment: datetime) -> str:
    """FHIR instant in UTC, to the second: ``2025-03-05T07:00:00Z``."""
    return utc(moment).strftime("%Y-%m-%dT%H:%M:%SZ")


def exact_instant(moment: datetime) -> str:
    """FHIR instant in UTC, to the millisecond: what tells two records of one second apart."""
    return utc(moment).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def local(moment: datetime, timezone: str) -> str:
    """``05/03/2025 à 08:00`` on the hospital's clock."""
    return utc(moment).astimezone(ZoneInfo(timezone)).strftime("%d/%m/%Y à %H:%M")


def number(value: Decimal | float | str) -> str:
    """``0,85``: a decimal comma."""
    return str(value).replace(".", ",")


def significant(value: float, digits: int = 4) -> Decimal:
    """The value with a few significant digits: no screen needs 17, and they change between machines.

    Raises:
        FhirError: the value is not a finite number, which JSON cannot hold.
    """
    exact = Decimal(repr(float(value)))
    if not exact.is_finite():
        raise FhirError("a feature contribution is not a finite number", looked="Prediction.contributions",
                        do="give a number for each contribution, or leave the feature out")  # fmt: skip
    if exact == 0:
        return Decimal("0")
    rounded = round(exact, digits - 1 - exact.adjusted()).normalize()  # 26 stays 26: 26.00 would claim a precision
    return Decimal(format(rounded, "f"))  # spelt out: an exponent is legal JSON, but not every receiver reads 1E+2


def clean(text: str) -> str:
    """Text that XML and FHIR strings can hold, without the control characters."""
    return _NOT_XML.sub("", text).strip()


def narrative(paragraphs: list[str], points: list[str]) -> dict[str, str]:
    """A generated Narrative. Text enters as text nodes, so markup in it is shown and never run."""
    div = ElementTree.Element("div", {"xmlns": "http://www.w3.org/1999/xhtml", "lang": "fr-FR", "xml:lang": "fr-FR"})
    for text in paragraphs:
        ElementTree.SubElement(div, "p").text = clean(text)
    if points:
        items = ElementTree.SubElement(div, "ul")
        for text in points:
            ElementTree.SubElement(items, "li").text = clean(text)
    return {"status": "generated", "div": ElementTree.tostring(div, encoding="unicode")}


def narrative_text(text: dict[str, str]) -> str:
    """What a generated Narrative says, one line for each paragraph and each point."""
    div = ElementTree.fromstring(text["div"])
    return "\n".join(line for node in div.iter() if (line := (node.text or "").strip()))
