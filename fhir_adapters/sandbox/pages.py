"""Pages of long answers. A link holds a random word and no parameter: what was searched for stays in the server.

So the pages of a search by POST, made to keep an identity out of every URL, keep it out as well.
"""

import secrets
from collections.abc import Callable
from typing import Any

from fhir_adapters.refused import Refused

Json = dict[str, Any]
MakePage = Callable[[int], Json]  # the Bundle from the n-th result on
KEPT = 1000  # links, of all clients together
PAGE, LARGEST_PAGE = 50, 1000  # results


def page_size(given: dict[str, str]) -> int:
    """How many results a page has, by ``_count``."""
    text = given.get("_count", str(PAGE))
    if not text.isdecimal():
        raise Refused(400, "value", "_count is a whole number")
    return min(int(text), LARGEST_PAGE)


class Pages:
    """The pages that somebody may still ask for. They show what was found at first, whatever is written since."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[MakePage, int]] = {}

    def link(self, base_url: str, make: MakePage, start: int) -> Json:
        """The link to the page that starts with the n-th result."""
        word = secrets.token_urlsafe(16)
        self._kept[word] = make, start
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
        return {"relation": "next", "url": f"{base_url}?_page={word}"}

    def get(self, word: str) -> Json:
        """A page by the word of its link."""
        if word not in self._kept:
            raise Refused(410, "not-found", "this page is no longer kept: search again")
        make, start = self._kept[word]
        return make(start)

    def clear(self) -> None:
        """Forget every page."""
        self._kept.clear()
