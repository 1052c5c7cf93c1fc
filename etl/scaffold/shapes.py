"""What the values of one column are: type, date format, codes of a vocabulary, numbers and names of people."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import lru_cache, partial

from etl.scaffold import patterns

MOST = 0.95  # share of the values that must have a shape; the rest are the defects that every record has
SOME = 0.5
NEARLY_ALL = 0.995
FREE_TEXT_LENGTH = 40
TESTED = 2_000  # values that a shape is tried on
# "admittime", "birthdate", "datenaissance" are two words each; "update" is one.
_GLUED = re.compile(r"^(?!update|candidate)([a-z]{3,})(time|date)$|^(date)(?!d)([a-z]{4,})$")


@lru_cache(maxsize=50_000)
def words(name: str) -> tuple[str, ...]:
    """The words of a column's name.

    Example:
        >>> words("NumSéjour"), words("DATE_DE_NAISSANCE"), words("nom.usuel2")
        (('num', 'sejour'), ('date', 'de', 'naissance'), ('nom', 'usuel', '2'))
    """
    spaced = re.sub(r"(?<=[a-zà-ÿ0-9])(?=[A-ZÀ-Ý])", " ", name)
    plain = unicodedata.normalize("NFKD", spaced)
    folded = "".join(c for c in plain if not unicodedata.combining(c)).lower()
    parts = re.findall(r"[a-z]+[0-9]*|[0-9]+", re.sub(r"(?<=[a-z]{3})(?=[0-9]\b)", " ", folded))
    return tuple(word for part in parts for word in _GLUED.sub(r"\1\3 \2\4", part).split())


def share(
    values: Sequence[str], shape: str, check: Callable[[str], bool] | None = None, *, every: bool = False
) -> float:
    """Share of the values that have a shape, tried on some of them or on every one; 0 when there is none."""
    if not values:
        return 0.0
    pattern, values = re.compile(shape), values if every else values[:: len(values) // TESTED + 1]
    return sum(pattern.fullmatch(v) is not None and (check is None or check(v)) for v in values) / len(values)


def is_nir(value: str) -> bool:
    """A French social security number: its shape, and its key when it is written; not the code of a medicine's package.

    Example:
        >>> is_nir("1 55 08 14 168 025 88"), is_nir("155081416802500"), is_nir("1550814168025")
        (True, False, True)
    """
    digits = re.sub(r"[\s.]", "", value).upper()
    if not re.fullmatch(r"[1-478][0-9]{2}(?:0[1-9]|1[0-2]|[2-9][0-9])(?:[0-9]{2}|2[AB])[0-9]{6}(?:[0-9]{2})?", digits):
        return False
    if is_cip13(digits):
        return False
    number = int(digits[:13].replace("2A", "19").replace("2B", "18"))
    return len(digits) == 13 or int(digits[13:]) == 97 - number % 97


def is_cip13(value: str) -> bool:
    """The code of a French package of a medicine: an EAN-13 that begins with 34009.

    Example:
        >>> is_cip13("3400921922974"), is_cip13("3400921922975")
        (True, False)
    """
    if not re.fullmatch(r"34009[0-9]{8}", value):
        return False
    return sum(int(digit) * (3 if i % 2 else 1) for i, digit in enumerate(value)) % 10 == 0


def is_loinc(value: str) -> bool:
    """A LOINC code: its last digit is the Luhn key of the others.

    Example:
        >>> is_loinc("2160-0"), is_loinc("2160-1")
        (True, False)
    """
    body, _, key = value.partition("-")
    doubled = [sum(divmod(int(d) * (2 - i % 2), 10)) for i, d in enumerate(reversed(body))]
    return key == str(-sum(doubled) % 10)


def is_ean13(value: str) -> bool:
    """A CIP or UCD code of 13 digits: its last digit is the key of an article number."""
    total = sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(value[:12]))
    return value[12] == str(-total % 10)


KEYS: dict[str, Callable[[str], bool]] = {"LOINC": is_loinc, "CIP13": is_ean13, "UCD13": is_ean13}


def type_of(values: Sequence[str], name: str = "") -> tuple[str, str | None]:
    """Type and, for dates, format in which a column reads; texts that only look like numbers stay texts.

    Example:
        >>> type_of(["03/04/2024 10:15"]), type_of(["007", "012"]), type_of(["1", "20"]), type_of(["1,5"])
        (('timestamp', 'dd/MM/yyyy HH:mm'), ('string', None), ('bigint', None), ('string', None))
    """
    if not values:
        return "string", None
    for kind, pattern, shape in patterns.DATE_FORMATS:
        if share(values, shape) >= MOST and share(values, shape, partial(_is_day, pattern)) >= SOME:
            return kind, pattern or None
    # A letter among the codes makes them texts: as numbers those rows would be set aside.
    enough = 1.0 if any_word(name, patterns.NUMBER_WORDS | set(patterns.ANALYSIS)) else NEARLY_ALL
    if share(values, r"-?(?:0|[1-9][0-9]{0,17})", every=True) >= enough:
        return "bigint", None
    if share(values, r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE]-?[0-9]+)?", every=True) >= enough:
        return "double", None
    if share(values, r"(?i)true|false|t|f") == 1 and len({v.lower() for v in values}) > 1:
        return "boolean", None
    return "string", None


def _is_day(pattern: str, value: str) -> bool:
    """Whether it is a day of the calendar, of the last two centuries."""
    compact = pattern or "yyyy-MM-dd"
    places = {part: compact.index(part) for part in ("yyyy", "MM", "dd")}
    try:
        year, month, day = (int(value[at : at + len(part)]) for part, at in places.items())
        date(year, month, day)
    except ValueError:
        return False
    return 1850 <= year <= 2300  # a de-identified record may have moved its dates far ahead


def code_of(values: Sequence[str], name: str) -> str | None:
    """The vocabulary that the codes of a column probably belong to."""
    named = set(words(name))
    distinct = sorted(set(values))
    for vocabulary, (shape, hints, needed) in patterns.CODES.items():
        hinted = bool(hints & named) or any(hint in word for hint in hints for word in named if len(hint) > 3)
        if (needed and not hinted) or not distinct:
            continue
        enough = MOST if not hinted else 0.8
        clean = [v.strip().upper() for v in distinct]
        if share(clean, shape, KEYS.get(vocabulary)) >= enough and (hinted or _telling(clean, vocabulary)):
            return vocabulary
    return None


def _telling(codes: Sequence[str], vocabulary: str) -> bool:
    """Without a word that names it, a column of ward codes like A12 is no classification of diseases."""
    if vocabulary in ("CIM10", "ATC"):
        return len(codes) >= 5 and sum(len(code) >= 4 for code in codes) >= len(codes) / 2
    return len(codes) >= 2


def is_free_text(values: Sequence[str], name: str) -> bool:
    """Sentences: long, with blanks, seldom the same."""
    if not values or any_word(name, patterns.LABEL_WORDS):
        return False
    values = values[:: len(values) // TESTED + 1]
    long = sum(len(v) >= FREE_TEXT_LENGTH and " " in v.strip() for v in values) / len(values)
    hinted = bool(set(words(name)) & patterns.FREE_TEXT_WORDS)
    varied = len(set(values)) > len(values) * 0.2
    spaced = sum(v.strip().count(" ") >= 2 for v in values) / len(values)
    return (long >= SOME and varied) or (hinted and spaced >= 0.2 and varied) or any("\n" in v for v in values)


def direct_identifier(values: Sequence[str]) -> str | None:
    """The kind of direct identifier that the values are, whatever the column's name."""
    for kind, test in (
        ("numbers like a NIR", lambda v: share(v, r".*", is_nir)),
        ("telephone numbers", lambda v: share(v, patterns.PHONE)),
        ("mail addresses", lambda v: share(v, patterns.MAIL)),
        ("postal addresses", lambda v: share(v, patterns.STREET)),
    ):
        if test([value.strip() for value in values]) >= SOME:
            return kind
    return None


def looks_like_names(values: Sequence[str]) -> bool:
    """Words with a capital, almost each of them another one: names of people, unless they are labels."""
    distinct = set(values)
    if len(distinct) < 5 or len(distinct) < 0.3 * len(values):
        return False
    short = all(len(v) <= 40 for v in distinct)
    return short and share(sorted(distinct), patterns.PERSON_NAME) >= MOST


def any_word(name: str, wanted: Iterable[str]) -> bool:
    """Whether one of the words stands in the name."""
    return bool(set(words(name)) & set(wanted))
