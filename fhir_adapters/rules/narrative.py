"""Narratives: a small, inert part of XHTML (txt-1), with something to read (txt-2).

The part is that of chapters 7 to 11 and 15 of HTML 4.0, less what is deprecated, and links and images.
"""

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from fhir_adapters.rules.problem import Problem

XHTML = "{http://www.w3.org/1999/xhtml}"
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"

_ANYWHERE = """
a abbr acronym address b bdo big blockquote br cite code dfn div dl em h1 h2 h3 h4 h5 h6 hr i img kbd map ol p pre q
samp small span strong sub sup table tt ul var
"""
_INSIDE = {
    "area": "map",
    "caption": "table",
    "col": "colgroup table",
    "colgroup": "table",
    "dd": "dl",
    "dt": "dl",
    "li": "ol ul",
    "tbody": "table",
    "td": "tr",
    "tfoot": "table",
    "th": "tr",
    "thead": "table",
    "tr": "table tbody tfoot thead",
}
_ON_ANY = "abbr align axis char charoff class colspan dir headers id lang rowspan scope span style title valign width"
_ON_SOME = {
    "alt": "area img",
    "border": "img table",
    "cellpadding": "table",
    "cellspacing": "table",
    "charset": "a",
    "cite": "blockquote q",
    "coords": "a area",
    "height": "img",
    "href": "a area",
    "hreflang": "a",
    "hspace": "img",
    "longdesc": "img",
    "name": "a img map",
    "rel": "a",
    "rev": "a",
    "rules": "table",
    "shape": "a area",
    "src": "img",
    "start": "ol",
    "summary": "table",
    "tabindex": "a area",
    "type": "a li ol ul",
    "value": "li",
    "vspace": "img",
}
_NO_TEXT = {"dl", "map", "ol", "table", "tbody", "tfoot", "thead", "tr", "ul"}
_ACTIVE = ("javascript:", "vbscript:", "data:text")
_HOLDERS = {name: set(holders.split()) for name, holders in _INSIDE.items()}
_TAGS = set(_ANYWHERE.split()) | _INSIDE.keys()
_ATTRIBUTES = {**dict.fromkeys(_ON_ANY.split(), _TAGS), XML_LANG: _TAGS}
_ATTRIBUTES |= {name: set(tags.split()) for name, tags in _ON_SOME.items()}


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
    yield from _node(root, "")
    if not "".join(root.itertext()).strip() and root.find(f".//{XHTML}img") is None:
        yield Problem(".div", "txt-2", "the narrative says nothing")


def _node(node: ElementTree.Element, holder: str) -> Iterator[Problem]:
    tag = node.tag.removeprefix(XHTML)
    if tag not in _TAGS:
        yield Problem(".div", "txt-1", f"the element {tag[:20]} is not allowed in a narrative")
    elif holder not in _HOLDERS.get(tag, {holder}):
        yield Problem(".div", "txt-1", f"the element {tag} is not allowed here in a narrative")
    if tag in _NO_TEXT and any(text and not text.isspace() for text in (node.text, *(inner.tail for inner in node))):
        yield Problem(".div", "txt-1", f"the element {tag} holds elements, not text")
    for name, content in node.attrib.items():
        if tag not in _ATTRIBUTES.get(name, ()) or content.strip().lower().startswith(_ACTIVE):
            yield Problem(".div", "txt-1", f"the attribute {name[:20]} is not allowed here in a narrative")
    for inner in node:
        yield from _node(inner, tag)
