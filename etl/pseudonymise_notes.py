"""Pseudonymise note text at the door: nothing that names a person passes in clear.

Two sources of knowledge: the identifiers of this very patient and of the staff (crosswalk columns), and the shapes that
identifiers have in French letters. Replaced text keeps a tag (``<NOM>``), so that readers see what stood there.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

MIN_NAME_LETTERS = 3

_NAME = r"[A-ZÀ-ÝŒŠŸŽ][\w'’À-ÿ-]+"  # Œ lies outside À-Ý
_TITLE = r"(?:Dr|Docteur|Pr|Professeur|M\.|Mr|Mme|Mlle|Monsieur|Madame)\.?[ \t]+"
_BORN = r"(?:n[ée]e?(?:\(e\))?\s+le|date\s+de\s+naissance|DDN)\s*:?\s*"
_MONTHS = "janvier|f[ée]vrier|mars|avril|mai|juin|juillet|ao[ûu]t|septembre|octobre|novembre|d[ée]cembre"
_DATE = rf"(?:\d{{1,2}}[/. -]\d{{1,2}}[/. -]\d{{2,4}}|\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}(?:er)? (?:{_MONTHS}) \d{{4}})"
_MAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
# Shapes, most specific first; what the group `keep` holds stays. Read by a data-protection officer; no logic here.
SHAPES: tuple[tuple[str, str], ...] = (
    ("NIR", r"\b[1-37-8] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3}(?: ?\d{2})?\b"),
    ("TEL", r"(?<![\d.])(?:\(?\+33\)?\s?|0033\s?|0)[1-9](?:[^\S\n]?[./-]?\d{2}){4}(?!\d)"),
    (
        "IDENTIFIANT",
        r"(?i)\b(?:IPP|IEP|NDA|INS|(?:n° ?(?:de )?)?(?:dossier|s[ée]jour)(?: n°)?)\s*:?\s*[A-Z]{0,3}\d[A-Z0-9]{4,}\b",
    ),
    ("DATE_NAISSANCE", rf"(?i)(?P<keep>\b{_BORN}){_DATE}(?!\d)"),
    (
        "ADRESSE",
        r"(?i)\b\d{1,4}\s?(?:bis|ter)?,?\s(?:rue|avenue|boulevard|place|chemin|impasse|all[ée]e|route|quai)\s[^\n,;:]{3,60}",
    ),
    # A name has a capital: "M. tuberculosis" stays; "mme durand" goes only when the crosswalk knows the name.
    ("NOM", rf"(?P<keep>\b{_TITLE}){_NAME}(?:[ \t]{_NAME}){{0,2}}"),
    ("NOM", rf"(?P<keep>\bnée?(?:\(e\))?[ \t]+){_NAME}"),  # "née DURAND": the name before marriage
)
_WORD = re.compile(rf"[^\W\d_]{{{MIN_NAME_LETTERS + 1},}}")
_COMPILED = tuple((tag, re.compile(pattern)) for tag, pattern in SHAPES)


@dataclass(frozen=True)
class Pseudonymiser:
    """Replaces the names of staff everywhere, and those of a patient in his own notes.

    Args:
        staff: names that may stand in any note (physicians, correspondents).
    """

    staff: frozenset[str] = frozenset()

    @classmethod
    def knowing(cls, staff: Iterable[str]) -> "Pseudonymiser":
        """With the names of the staff, as the hospital writes them."""
        return cls(frozenset(_words(staff)))

    def text(self, note: str, identifiers: Sequence[str] = ()) -> str:
        """One note without the identifiers it held.

        Args:
            note: the text.
            identifiers: the patient's own: names, address line, telephone, numbers.

        Example:
            >>> Pseudonymiser.knowing(["MARTIN"]).text("Dr Martin a vu Mme DURAND (06 12 34 56 78).", ["Durand", "Zoé"])
            'Dr <NOM> a vu Mme <NOM> (<TEL>).'
        """
        note = unicodedata.normalize("NFC", note)  # an accent may be a sign of its own
        note = _MAIL.sub("<MAIL>", note)  # first: a name inside an address would leave the rest of it
        for value in sorted(identifiers, key=len, reverse=True):
            if len(value.strip()) >= MIN_NAME_LETTERS:
                note = re.sub(_flexible(value), "<IDENTITE>" if any(c.isdigit() for c in value) else "<NOM>", note)
        for tag, pattern in _COMPILED:
            note = pattern.sub(partial(_tagged, tag), note)
        return self._words_of_staff(note) if self.staff else note

    def _words_of_staff(self, note: str) -> str:
        return _WORD.sub(lambda m: "<NOM>" if _fold(m.group()) in self.staff else m.group(), note)


def _tagged(tag: str, match: re.Match[str]) -> str:
    return f"{match.groupdict().get('keep') or ''}<{tag}>"


def _words(names: Iterable[str]) -> set[str]:
    """Each part of a compound name: letters write one part, or another name beside it."""
    return {_fold(word) for name in names for word in _WORD.findall(unicodedata.normalize("NFC", name))}


def _fold(word: str) -> str:
    plain = unicodedata.normalize("NFKD", word)
    return "".join(c for c in plain if not unicodedata.combining(c)).casefold()


_VARIANTS: Mapping[str, str] = {
    "a": "aàâäáã", "c": "cç", "e": "eéèêë", "i": "iîïí", "n": "nñ", "o": "oôöóõ", "u": "uùûüú", "y": "yÿ",
}  # fmt: skip


def _flexible(value: str) -> re.Pattern[str]:
    """A pattern for an identifier whatever its case, accents, and the blanks or signs inside it.

    A digit does not end a name, nor a letter or an underscore a number: "IPP8001234567", "DURAND_scan.pdf".
    """
    parts = []
    for character in _fold(value.strip()):
        if character.isdigit():
            parts.append(character + _INSIDE_NUMBER)
        elif character.isalpha():
            parts.append(f"[{_VARIANTS[character]}]" if character in _VARIANTS else re.escape(character))
        else:
            parts.append(_INSIDE_NAME if character in " \t.,-'’" else re.escape(character))
    body = "".join(parts).removesuffix(_INSIDE_NUMBER)
    before, after = (r"\d" if end.isdigit() else r"[^\W\d_]" for end in (value.strip()[0], value.strip()[-1]))
    return re.compile(rf"(?<!{before}){body}(?!{after})", re.IGNORECASE)


_INSIDE_NUMBER = r"[\s./-]{0,2}"
_INSIDE_NAME = r"[\s.,'’-]*"
