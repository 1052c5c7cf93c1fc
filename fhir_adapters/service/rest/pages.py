"""The link from one page to the next: sealed, so that neither an identifier nor a person row stands in a URL.

The key lives as long as the service: a link from before it began is refused, and the client searches again.
"""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken
from pydantic import TypeAdapter

from fhir_adapters.refused import Refused
from fhir_adapters.service.rest.parameters import Search

LIVES_S = 3600
PARAMETER = "_cursor"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a search: what is looked for, by whom, and after which place it begins."""

    search: Search
    client: str
    after: tuple[datetime, int] | None = None

    def from_place(self, after: tuple[datetime, int]) -> "Page":
        """The page that begins after a place."""
        return replace(self, after=after)


_pages: TypeAdapter[Page] = TypeAdapter(Page)


class Seal:
    """Seals and opens the links of one service."""

    def __init__(self) -> None:
        self._fernet = Fernet(Fernet.generate_key())

    def seal(self, page: Page) -> str:
        """The value of the parameter ``_cursor``."""
        return self._fernet.encrypt(orjson.dumps(asdict(page), default=_text)).decode()

    def open(self, sealed: str, client: str) -> Page:
        """The page of a link.

        Raises:
            Refused: it is not ours, too old, or was given to another client.
        """
        try:
            page = _pages.validate_json(self._fernet.decrypt(sealed.encode(), ttl=LIVES_S))
        except (InvalidToken, ValueError) as error:
            raise Refused(400, "expired", "the link to the page is not ours or has expired: search again") from error
        if page.client != client:
            raise Refused(400, "expired", "the link to the page is not ours or has expired: search again")
        return page


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
