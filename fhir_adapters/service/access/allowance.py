"""How much each client may ask: so many requests a minute, a few seconds of them at once."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

BURST_S = 10.0  # of the rate, that may come at once
MOST_CLIENTS = 10_000  # remembered; those not seen for longest are forgotten first


class Allowance:
    """A token bucket a client."""

    def __init__(self, a_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._a_second, self._clock, self._lock = a_minute / 60, clock, threading.Lock()
        self._most = max(1.0, self._a_second * BURST_S)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # what is left, and since when

    def wait_s(self, client: str) -> int:
        """Take one request; 0 when there was one left, else in how many seconds there will be."""
        now = self._clock()
        with self._lock:
            left, since = self._left.get(client, (self._most, now))
            left = min(self._most, left + (now - since) * self._a_second)
            taken = left >= 1.0
            self._left[client] = (left - taken, now)
            self._left.move_to_end(client)
            if len(self._left) > MOST_CLIENTS:
                self._left.popitem(last=False)
        return 0 if taken else max(1, math.ceil((1.0 - left) / self._a_second))
