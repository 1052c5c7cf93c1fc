"""Who holds a lease: a process of a machine. One that is gone leaves its leases at once, not when they run out."""

import os
import socket
import uuid


def new_owner() -> str:
    """``machine/process/number``; the number tells two workers of one process apart."""
    return f"{socket.gethostname()[:60]}/{os.getpid()}/{uuid.uuid4().hex[:16]}"


def is_gone(owner: str | None) -> bool:
    """True when the owner ran on this machine and its process is no more. A doubt is False: its lease will run out."""
    machine, _, rest = (owner or "").partition("/")
    process = rest.partition("/")[0]
    if os.name != "posix" or machine != socket.gethostname()[:60] or not process.isdigit():
        return False
    try:
        os.kill(int(process), 0)  # asks, and does nothing
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
