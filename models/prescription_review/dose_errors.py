"""How a dose goes wrong when it is written: by which factor, how often. Used to teach and to measure, never to alert.

An error is put into the dose before anything is computed from it. Columns that another person fills in afterwards
(product chosen, units dispensed, amount given) would contradict it, so whoever injects must not use them.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Over-doses and how they divide: our assumption, made so that a doubled dose is common and a tenfold one is not rare.
OVER = {2.0: 0.40, 3.0: 0.25, 5.0: 0.15, 10.0: 0.20}
UNDER = {1 / 2: 1 / 3, 1 / 4: 1 / 3, 1 / 10: 1 / 3}
# Too much is 19.2 % of pharmacists' interventions (Bedouch 2008), too little about 8 % (our assumption).
SHARE_OVER = 0.7
RATE = 0.014  # of all orders

FACTORS: Array = np.array([*OVER, *UNDER])
SHARES: Array = np.array([*(SHARE_OVER * x for x in OVER.values()), *((1 - SHARE_OVER) * x for x in UNDER.values())])


def draw_factors(orders: int, seed: int, rate: float = RATE) -> Array:
    """What each order's dose is multiplied by, shape (orders,): 1 for most, another factor for a share ``rate``."""
    generator = np.random.default_rng(seed)
    factor = np.ones(orders)
    wrong = generator.choice(orders, round(rate * orders), replace=False)
    factor[wrong] = generator.choice(FACTORS, len(wrong), p=SHARES)
    return factor
