"""How long to wait: backoff of an item, and the breaker of a target."""

import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, update

from fhir_adapters.delivery.options import DeliveryOptions
from fhir_adapters.delivery.probe import TargetProfile
from fhir_adapters.outbox.schema import target_state

Random = Callable[[float, float], float]


def backoff_s(attempts: int, options: DeliveryOptions, uniform: Random = random.uniform) -> float:
    """Exponential with full jitter and a cap: many items that failed together do not come back together."""
    ceiling = min(options.backoff_cap_s, options.backoff_base_s * 2.0 ** min(attempts - 1, 30))
    return uniform(0.0, ceiling)


def trial_of(connection: Connection, target: str, base_url: str) -> dict[str, Any] | None:
    """What a target was seen to do, if it was ever tried at this address."""
    mine = (target_state.c.target == target) & (target_state.c.base_url == base_url)
    found = connection.execute(select(target_state.c.trial).where(mine)).scalar_one_or_none()
    return None if found is None else json.loads(found)


def remember_trial(connection: Connection, target: str, base_url: str, trial: dict[str, Any], now: datetime) -> None:
    """Keep what a target was seen to do."""
    values = {"base_url": base_url, "trial": json.dumps(trial), "probed_at": now}
    mine = target_state.c.target == target
    if connection.execute(update(target_state).where(mine).values(values)).rowcount == 0:
        rest = {"target": target, "capability": "{}", "failures": 0}
        connection.execute(insert(target_state).values(values | rest))


def remember_target(
    connection: Connection, target: str, base_url: str, profile: TargetProfile, now: datetime
) -> datetime | None:
    """Keep what the probe found. Returns until when the breaker is open, if it is."""
    values = {"base_url": base_url, "capability": json.dumps(profile.as_json()), "probed_at": now}
    mine = target_state.c.target == target
    if connection.execute(update(target_state).where(mine).values(values)).rowcount == 0:
        connection.execute(insert(target_state).values({"target": target, "failures": 0} | values))
    return connection.execute(select(target_state.c.open_until).where(mine)).scalar_one()


def pause_target(connection: Connection, target: str, failures: int, until: datetime | None) -> None:
    """Nothing is sent to the target before ``until``, by any worker that starts then."""
    values = {"failures": failures, "open_until": until}
    connection.execute(update(target_state).where(target_state.c.target == target).values(values))


def after(now: datetime, seconds: float) -> datetime:
    """The moment some seconds later."""
    return now + timedelta(seconds=seconds)
