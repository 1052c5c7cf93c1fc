"""A delivery in a process of its own, which is killed at a precise point: what a machine that fails looks like."""

import contextlib
import multiprocessing
import os
import signal

from fhir_adapters.delivery import deliver
from fhir_adapters.delivery.settlement import Settlement
from fhir_adapters.delivery.target import Target
from fhir_adapters.outbox import Outbox, open_outbox
from passerelle.errors import TargetBusy

POINTS = ("before a request", "after a request", "before the answer is written down", "while it is", "after it is")
# One process is kept that has everything imported; each worker is forked from it, in milliseconds.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.fhir_adapters.killed_worker", "tests.fhir_adapters.fhir_helpers"])


def deliver_and_die(database, url, options, limit, point, number):
    """Deliver in a worker that is killed at the n-th time it comes to a point; or ends, when it never does."""
    worker = CONTEXT.Process(target=_work, args=(database, url, options, limit, point, number))
    worker.start()
    worker.join(60)
    assert worker.exitcode in (0, -signal.SIGKILL), worker.exitcode


def _work(database, url, options, limit, point, number):
    from tests.fhir_adapters.fhir_helpers import Hospital

    left = [number]

    def here(name):
        if name == point:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    _around(Target, "_request", lambda: here(POINTS[0]), lambda: here(POINTS[1]))
    _around(Settlement, "settle", lambda: here(POINTS[2]), lambda: here(POINTS[4]))
    _around(Settlement, "_target", lambda: here(POINTS[3]), lambda: None)
    outbox: Outbox = open_outbox(database)
    with contextlib.suppress(TargetBusy):  # a machine at work beside it may be slower than an impatient client waits
        deliver(outbox, url, Hospital(), options=options, limit=limit)
    outbox.close()


def _around(owner, name, before, after):
    honest = getattr(owner, name)

    def wrapped(*arguments, **named):
        before()
        try:
            return honest(*arguments, **named)
        finally:
            after()

    setattr(owner, name, wrapped)
