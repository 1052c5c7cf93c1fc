"""Text that comes from the hospital's data, inside a card: shown as it is, never run."""

import re

from fhir_adapters.french import clean

ELLIPSIS = "…"
# What is markup anywhere in a line; the start of a line has more, and our lines never start with such text.
_MARKUP = re.compile(r"[\\`*_\[\]|~]")
_BLOCK = re.compile(r"^(\d{0,9})([-+#=.)])")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_LINK = re.compile(r"(?i)(?<=http):|(?<=https):|(?<=ftp):|(?<=mailto):|(?<=xmpp):|(?<=www)\.")
_TAG = re.compile(r"<(?=[a-zA-Z/!?])")


def markdown(text: str) -> str:
    """One line of GitHub-flavoured markdown that reads as the text: neither tag, nor emphasis, nor link.

    Angle brackets become entities and not backslashes, for screens that take markdown for HTML.

    Example:
        >>> markdown("<b>50_mg</b> *2")
        '&lt;b&gt;50\\\\_mg&lt;/b&gt; \\\\*2'
    """
    line = _LINK.sub(lambda found: f"\\{found[0]}", _MARKUP.sub(lambda found: f"\\{found[0]}", one_line(text)))
    return _BLOCK.sub(lambda found: f"{found[1]}\\{found[2]}", line, count=1).translate(_ENTITIES)


def plain(text: str) -> str:
    """One line of plain text in which a careless screen finds no tag: HTML reads ``< script`` as text.

    Example:
        >>> plain("clairance <30, <script>")
        'clairance <30, < script>'
    """
    return _TAG.sub("< ", one_line(text))


def shortened(text: str, below: int) -> str:
    """The text, or its first words and an ellipsis: fewer than ``below`` characters.

    Example:
        >>> shortened("paracétamol 1 g quatre fois par jour", 20)
        'paracétamol 1 g…'
    """
    if len(text) < below:
        return text
    room = below - 2  # the ellipsis counts
    words = text[: room + 1].rpartition(" ")[0] or text[:room]
    return words.rstrip(" ,;:.-") + ELLIPSIS


def one_line(text: str) -> str:
    """The text on one line, with single spaces."""
    return " ".join(clean(text).split())
