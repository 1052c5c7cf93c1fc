"""Find identifiers in a text whatever their case, their accents, and the blanks or signs inside them.

A text is searched once for all identifiers of a patient: a regular expression for each cost 3.5 ms a letter.
"""

import itertools
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt

MIN_LETTERS = 3
INSIDE_NAME = frozenset(" \t\n\r\xa0\u202f.,-'’")
INSIDE_NUMBER = frozenset(" \t\n\r\xa0\u202f./-")
MAX_INSIDE_NUMBER = 2  # "06 - 12": more signs than that separate two numbers
_BMP = 0x10000


@dataclass(frozen=True)
class Found:
    """Where an identifier stands: ``text[start:end]``."""

    start: int
    end: int
    is_number: bool


@lru_cache(maxsize=100_000)
def fold(word: str) -> str:
    """A word without case and accents."""
    plain = unicodedata.normalize("NFKD", word)
    return "".join(c for c in plain if not unicodedata.combining(c)).casefold().replace("ı", "i")


def find_identifiers(text: str, identifiers: Iterable[str]) -> list[Found]:
    """Every place where an identifier stands, in the order of the text; of two that overlap the longer one.

    A digit does not end a name, nor a letter or an underscore a number: "IPP8001234567" and "DURAND_scan.pdf" are
    found; "DURANDAL" and "80012345678" are not.

    Args:
        text: in the composed form of Unicode (NFC).
        identifiers: as the hospital writes them; those of fewer than three signs are not looked for.
    """
    letters, places = _letters(text)
    found: list[Found] = []
    for value in sorted({value.strip() for value in identifiers}, key=len, reverse=True):
        if len(value) >= MIN_LETTERS:
            for hit in _occurrences(text, letters, places, value):
                if all(hit.end <= other.start or hit.start >= other.end for other in found):
                    found.append(hit)
    return sorted(found, key=lambda hit: hit.start)


@cache
def _folded_letters() -> npt.NDArray[np.uint32]:
    """Code point → the letter or digit that it is without case and accent; 0 for every other sign."""
    table = np.zeros(_BMP, dtype=np.uint32)
    for code in range(_BMP):
        sign = chr(code)
        if sign.isalpha() or sign.isdigit():
            plain = fold.__wrapped__(sign)
            table[code] = ord(plain) if len(plain) == 1 else code
    return table


def _letters(text: str) -> tuple[str, npt.NDArray[np.intp]]:
    """Letters and digits of a text, folded, and the place of each in it."""
    codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    folded = _folded_letters()[np.minimum(codes, _BMP - 1)]
    places = np.flatnonzero(folded)
    return folded[places].tobytes().decode("utf-32-le"), places


def _occurrences(text: str, letters: str, places: npt.NDArray[np.intp], value: str) -> Iterable[Found]:
    wanted = _wanted(value)
    at = letters.find(wanted) if wanted else -1
    while at >= 0:
        here = places[at : at + len(wanted)].tolist()
        if _stands_alone(text, here[0], here[-1]) and _is_written_so(text, here, value):
            yield Found(here[0], here[-1] + 1, any(c.isdigit() for c in value))
        at = letters.find(wanted, at + 1)


@lru_cache(maxsize=10_000)
def _wanted(value: str) -> str:
    return _letters(unicodedata.normalize("NFC", value))[0]


def _stands_alone(text: str, first: int, last: int) -> bool:
    before = text[first - 1] if first else " "
    after = text[last + 1] if last + 1 < len(text) else " "
    return not (_same_kind(text[first], before) or _same_kind(text[last], after))


def _same_kind(sign: str, neighbour: str) -> bool:
    return neighbour.isdigit() if sign.isdigit() else neighbour.isalpha()


def _is_written_so(text: str, here: list[int], value: str) -> bool:
    """Whether nothing but blanks and signs stands between the letters, where the value or a number allows them."""
    if here[-1] - here[0] == len(here) - 1:  # nothing stands between them, as most often
        return True
    inner = _gaps(value)
    for (left, right), own in zip(itertools.pairwise(here), inner, strict=True):
        if right == left + 1:
            continue
        gap = [sign for sign in text[left + 1 : right] if not unicodedata.combining(sign)]
        if own:
            allowed = INSIDE_NAME | own | (INSIDE_NUMBER if text[left].isdigit() else frozenset())
            if not allowed.issuperset(gap):
                return False
        elif gap and not (text[left].isdigit() and len(gap) <= MAX_INSIDE_NUMBER and INSIDE_NUMBER.issuperset(gap)):
            return False
    return True


@lru_cache(maxsize=10_000)
def _gaps(value: str) -> list[frozenset[str]]:
    """Between each letter or digit of a value and the next: the signs that stand there."""
    value = unicodedata.normalize("NFC", value)
    _, places = _letters(value)
    return [frozenset(value[left + 1 : right]) for left, right in itertools.pairwise(places)]
