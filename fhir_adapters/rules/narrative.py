"""Narratives: a small, inert part of XHTML (txt-1), with something to read (txt-2)."""

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from fhir_adapters.rules.problem import Problem

XHTML = "{http://www.w3.org/1999/xhtml}"

_TAG_NAMES = """
a abbr acronym b big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i img kbd li
ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt u ul var
"""
_ATTRIBUTE_NAMES = """
abbr align alt axis border cellpadding cellspacing char charoff class colspan dir headers height href hspace id lang
longdesc name rowspan rules scope span src start style summary title type valign value vspace width
{http://www.w3.org/XML/1998/namespace}lang
"""
_TAGS = frozenset(XHTML + name for name in _TAG_NAMES.split())
_ATTRIBUTES = frozenset(_ATTRIBUTE_NAMES.split())
_ACTIVE = ("javascript:", "vbscript:", "data:text")


def narrative(value: dict[str, Any]) -> Iterator[Problem]:
    """Problems of one Narrative."""
    div = value.get("div")
    if not isinstance(div, str):
        return
    if "<!" in div.replace("<!--", ""):  # a DOCTYPE could define entities that grow without end
        yield Problem(".div", "txt-1", "declarations are not allowed in a narrative")
        return
    try:
        root = ElementTree.fromstring(div)
    except ElementTree.ParseError:
        yield Problem(".div", "txt-1", "the narrative is not well-formed XML")
        return
    if root.tag != f"{XHTML}div":
        yield Problem(".div", "txt-1", "the narrative is one div in the XHTML namespace")
    for node in root.iter():
        if node.tag not in _TAGS:
            name = str(node.tag).removeprefix(XHTML)[:20]
            yield Problem(".div", "txt-1", f"the element {name} is not allowed in a narrative")
        if node.attrib:
            yield from _attributes(node.attrib)
    if not "".join(root.itertext()).strip() and root.find(f".//{XHTML}img") is None:
        yield Problem(".div", "txt-2", "the narrative says nothing")


def _attributes(given: dict[str, str]) -> Iterator[Problem]:
    for name, content in given.items():
        if name not in _ATTRIBUTES or content.strip().lower().startswith(_ACTIVE):
            yield Problem(".div", "txt-1", f"the attribute {name[:20]} is not allowed in a narrative")
