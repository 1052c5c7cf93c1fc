"""The words of many texts at once: each different word is looked at once, however many texts have it."""

import re
from collections.abc import Callable

import numpy as np
import pyarrow as pa

MIN_LETTERS = 4  # shorter words are no names: every letter has them
WORD = re.compile(rf"[^\W\d_]{{{MIN_LETTERS},}}")
# Bytes of UTF-8 that may be of a letter: those of ASCII letters, and all that are not ASCII.
_MAY_BE_LETTER = np.array([byte >= 0x80 or chr(byte).isalpha() for byte in range(256)])


def words_of(texts: pa.StringArray, wanted: Callable[[str], bool]) -> dict[int, set[str]]:
    """Place of each text that has wanted words → those words.

    The bytes of all texts are cut where letters begin and end. What lies between two cuts is put in a dictionary, whose
    entries are few; only they become words.

    Args:
        texts: without nulls.
    """
    begins, cut = _cut(texts)
    runs = cut.dictionary_encode()
    entries = runs.indices.to_numpy()
    words = [{word for word in WORD.findall(run) if wanted(word)} for run in runs.dictionary.to_pylist()]
    hits = np.flatnonzero(np.array([bool(of_run) for of_run in words], dtype=bool)[entries])
    texts_hit = np.searchsorted(begins, hits, side="right") - 1
    found: dict[int, set[str]] = {}
    for text, entry in zip(texts_hit.tolist(), entries[hits].tolist(), strict=True):
        found.setdefault(text, set()).update(words[entry])
    return found


def _cut(texts: pa.StringArray) -> tuple[np.ndarray, pa.StringArray]:
    """Number of the run that each text begins with; the runs: of letters, and of what lies between them."""
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    first, size = int(ends[0]), int(ends[-1] - ends[0])
    letter = _MAY_BE_LETTER[np.frombuffer(data, dtype=np.uint8)[first : first + size]]
    begin = np.ones(size + 1, dtype=bool)
    begin[1:size] = letter[1:] != letter[:-1]
    begin[ends - first] = True
    cuts = np.flatnonzero(begin).astype(np.int32)
    runs = pa.StringArray.from_buffers(len(cuts) - 1, pa.py_buffer(cuts + np.int32(first)), data)
    return np.searchsorted(cuts, ends[:-1] - first), runs
