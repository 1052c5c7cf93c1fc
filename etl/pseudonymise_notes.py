"""Pseudonymise note text at the door: nothing that names a person passes in clear.

Two sources of knowledge: the identifiers of this very patient and of the staff (crosswalk columns), and the shapes that
identifiers have in French letters. Replaced text keeps a tag (``<NOM>``), so that readers see what stood there.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from etl.find_identifiers import MIN_LETTERS, Found, find_identifiers, fold

_NAME = r"[A-ZÀ-ÝŒŠŸŽ][\w'’À-ÿ-]+"  # Œ lies outside À-Ý
_TITLE = r"(?:Dr|Docteur|Pr|Professeur|M\.|Mr|Mme|Mlle|Monsieur|Madame)\.?[ \t]+"
_BORN = r"(?:n[ée]e?(?:\(e\))?\s+le|date\s+de\s+naissance|DDN)\s*:?\s*"
_MONTHS = "janvier|f[ée]vrier|mars|avril|mai|juin|juillet|ao[ûu]t|septembre|octobre|novembre|d[ée]cembre"
_DATE = rf"(?:\d{{1,2}}[/. -]\d{{1,2}}[/. -]\d{{2,4}}|\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}(?:er)? (?:{_MONTHS}) \d{{4}})"
_MAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
# Shapes, most specific first; what the group `keep` holds stays. Read by a data-protection officer; no logic here.
# A lookahead at the beginning names the signs that a shape can begin with: it changes nothing, and halves the time.
SHAPES: tuple[tuple[str, str], ...] = (
    ("NIR", r"\b[1-37-8] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3}(?: ?\d{2})?\b"),
    ("TEL", r"(?=[(+0])(?<![\d.])(?:\(?\+33\)?\s?|0033\s?|0)[1-9](?:[^\S\n]?[./-]?\d{2}){4}(?!\d)"),
    (
        "IDENTIFIANT",
        r"(?i)\b(?=[inds])(?:IPP|IEP|NDA|INS|(?:n° ?(?:de )?)?(?:dossier|s[ée]jour)(?: n°)?)\s*:?\s*"
        r"[A-Z]{0,3}\d[A-Z0-9]{4,}\b",
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
_WORD = re.compile(rf"[^\W\d_]{{{MIN_LETTERS + 1},}}")
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
        if "@" in note:
            note = _MAIL.sub("<MAIL>", note)  # first: a name inside an address would leave the rest of it
        note = _without(note, find_identifiers(note, identifiers))
        for tag, pattern in _COMPILED:
            note = pattern.sub(partial(_tagged, tag), note)
        return self._words_of_staff(note) if self.staff else note

    def _words_of_staff(self, note: str) -> str:
        if self.staff.isdisjoint(map(fold, set(_WORD.findall(note)))):
            return note
        return _WORD.sub(lambda m: "<NOM>" if fold(m.group()) in self.staff else m.group(), note)


def _without(note: str, found: Sequence[Found]) -> str:
    parts, done = [], 0
    for hit in found:
        parts += [note[done : hit.start], "<IDENTITE>" if hit.is_number else "<NOM>"]
        done = hit.end
    return "".join([*parts, note[done:]])


def _tagged(tag: str, match: re.Match[str]) -> str:
    return f"{match.groupdict().get('keep') or ''}<{tag}>"


def _words(names: Iterable[str]) -> set[str]:
    """Each part of a compound name: letters write one part, or another name beside it."""
    return {fold(word) for name in names for word in _WORD.findall(unicodedata.normalize("NFC", name))}
