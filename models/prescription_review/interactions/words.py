"""French names as they are written, brought to one spelling: case, accents, ligatures and punctuation do not count."""

from __future__ import annotations

import re
from functools import lru_cache

from models.prescription_review import columns

_NOT_A_WORD = re.compile(r"[^a-z0-9+]+")
# The same substance in French, English and the Latin of a name: each ending is brought to one sound.
_SOUNDS = (
    ("ae", "e"), ("oe", "e"), ("ph", "f"), ("th", "t"), ("ch", "k"), ("y", "i"), ("qu", "k"), ("c", "k"), ("z", "s"),
    ("h", ""), ("x", "ks"),
)  # fmt: skip
_TWICE = re.compile(r"(.)\1+")
SHORTEST_NAME = 5  # a shorter word is too easily another one


@lru_cache(maxsize=50_000)
def plain(text: str) -> str:
    """Lower case words without accents: "BÊTA- BLOQUANTS" and "bêta-bloquants" are one name."""
    return _NOT_A_WORD.sub(" ", columns.plain(text.lower().replace("æ", "ae"))).strip()


@lru_cache(maxsize=50_000)
def sound(word: str) -> str:
    """A word as both languages say it: simvastatin and simvastatine, amitriptyline and amitriptylin are one."""
    for written, said in _SOUNDS:
        word = word.replace(written, said)
    return _TWICE.sub(r"\1", word).rstrip("e")


def without_others(name: str) -> str:
    """The class that "AUTRES …" or "… (AUTRES)" speaks of, in plain words."""
    return plain(name).removeprefix("autres ").removesuffix(" autres")
