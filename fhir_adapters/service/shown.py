"""Which card was shown to whom: feedback names the card alone, and a mitigation wants its author."""

import contextlib
import sqlite3
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

DAYS = 90  # how long a card is remembered
IN_MEMORY = 10_000
_TABLE = """CREATE TABLE IF NOT EXISTS shown_card
    (uuid TEXT PRIMARY KEY, client TEXT NOT NULL, user_id TEXT NOT NULL, shown_at TEXT NOT NULL) WITHOUT ROWID"""


@dataclass(frozen=True, slots=True)
class ShownCard:
    """A card, the client that showed it, and the professional who saw it."""

    uuid: str
    client: str
    user_id: str


class Shown:
    """Cards by their uuid: the newest in memory, all of them in a file. No patient is in it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        self._path = path
        self._recent: OrderedDict[str, ShownCard] = OrderedDict()
        with self._open() as connection:
            connection.execute(_TABLE)
            connection.execute("DELETE FROM shown_card WHERE shown_at < datetime('now', ?)", (f"-{DAYS} days",))

    def remember(self, card: ShownCard) -> None:
        """Keep it in memory, until it is written."""
        self._recent[card.uuid] = card
        if len(self._recent) > IN_MEMORY:
            self._recent.popitem(last=False)

    def write(self, cards: Sequence[ShownCard]) -> None:
        """Keep them in the file; who saw a card last is its author."""
        if cards:
            with self._open() as connection:
                statement = "INSERT OR REPLACE INTO shown_card VALUES (?, ?, ?, datetime('now'))"
                connection.executemany(statement, [(card.uuid, card.client, card.user_id) for card in cards])

    def find(self, uuid: str) -> ShownCard | None:
        """The card; None when it was never shown, or so long ago that it is forgotten."""
        if uuid in self._recent:
            return self._recent[uuid]
        with self._open() as connection:
            query = "SELECT uuid, client, user_id FROM shown_card WHERE uuid = ?"
            row = connection.execute(query, (uuid,)).fetchone()
        return None if row is None else ShownCard(*row)

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, timeout=10)
        try:
            with connection:
                yield connection
        finally:
            connection.close()
