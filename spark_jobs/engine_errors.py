"""What may be repeated of a library's error: its kind, never the value that it tripped over."""

import re

# Libraries whose messages quote the values they read.
QUOTE_VALUES = ("pyspark", "pyarrow", "psycopg", "sqlalchemy", "adbc_driver_manager")
# Words with which an engine speaks of the query, not of the data.
OF_THE_QUERY = (
    "attribute ",
    "cannot resolve",
    "unknown function",
    "Cannot coerce",
    "cannot extract",
    "table not found",
)
FULL = ("No space left on device", "StorageFull", "File too large", "Disk quota exceeded")
MAX_LETTERS = 300


def without_values(error: BaseException) -> str:
    """The first useful line of an error.

    Example:
        >>> import pyarrow as pa
        >>> without_values(pa.ArrowInvalid("Could not parse 'DURAND' as int64"))
        'Could not parse'
    """
    text = str(error).strip()
    first = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)[:MAX_LETTERS]
    if not type(error).__module__.startswith(QUOTE_VALUES) or first.startswith(OF_THE_QUERY):
        return first
    named = re.match(r"\[[A-Z_.]+\]", first)  # Apache Spark names its errors
    return named.group() if named else re.split(r"['\":0-9(\[]", first, maxsplit=1)[0].strip() or type(error).__name__


def disk_is_full(error: BaseException) -> bool:
    """Whether there was no room to write; engines say it in their own words."""
    return any(words in str(error) for words in FULL)
