"""Work that no request waits for, in a thread of its own, in the order in which it came."""

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import structlog

Item = TypeVar("Item")
_log = structlog.get_logger(__name__)
MOST = 500  # items in one go
FULL = 20_000  # items that may wait
PAUSE_S = 1.0  # after a failure


class Background(Generic[Item]):
    """Hands items to ``work``, several at once; what fails is tried again until the service ends.

    Args:
        rest_s: between two goes, so that more come together.
    """

    def __init__(self, name: str, work: Callable[[Sequence[Item]], None], *, rest_s: float = 0.2) -> None:
        self._name, self._work, self._rest_s = name, work, rest_s
        self._waiting: queue.Queue[Item] = queue.Queue(FULL)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.failures = 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def put(self, item: Item) -> bool:
        """Add an item; False when too many wait already, and this one is lost."""
        try:
            self._waiting.put_nowait(item)
        except queue.Full:
            _log.error("background_full", work=self._name)
            return False
        return True

    @property
    def healthy(self) -> bool:
        """Whether the last go was done, and there is room for more."""
        return self.failures == 0 and not self._waiting.full()

    def close(self, timeout_s: float = 10.0) -> None:
        """Do what waits, then end."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        items: list[Item] = []
        while not (self._ending.is_set() and not items and self._waiting.empty()):
            if not items:
                items = self._next()
            if items and self._done(items):
                items = []
            elif items and self._ending.is_set():
                return
            self._ending.wait(self._rest_s if not self.failures else PAUSE_S)

    def _next(self) -> list[Item]:
        items: list[Item] = []
        while len(items) < MOST and not self._waiting.empty():
            items.append(self._waiting.get_nowait())
        return items

    def _done(self, items: Sequence[Item]) -> bool:
        try:
            self._work(items)
        except Exception as error:  # noqa: BLE001  a database that is away comes back
            self.failures += 1
            _log.error("background_failed", work=self._name, items=len(items), error=type(error).__name__)
            return False
        self.failures = 0
        return True
