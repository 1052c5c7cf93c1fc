"""How suspect the dose of an order is, learned from a hospital's own orders without labels.

Each order of other patients is shown to a learner as it stands and once with every error that could have been made;
the learner tells the two apart from where the dose lies among the doses of other patients, of all and of those who get
the drug as often a day, and from what the patient was ordered before. Nothing else is used than dose, rhythm, drug,
unit, route, patient and the order of time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, Rows, codes, pairs, take
from models.prescription_review.dose_errors import FACTORS, SHARES
from models.prescription_review.dose_neighbours import EQUAL, WEIGHTS, WINDOWS, Neighbours
from models.splits import person_folds
from passerelle.errors import TerminalError

Array = NDArray[np.float64]

KEY = ("drug", "unit", "route")
RHYTHM = "per_day"  # 1 g is usual three times a day, and not four times
MIN_ORDERS = 50
ERRORS_TAUGHT = 0.2  # of the weight: more than happens, for of 1 % a learner sees little
# How much of it each kind of error has: as it is made, and more the further it takes the dose, for tenfold harms much
# more than double.
GRAVITY = SHARES * np.abs(np.log(FACTORS)) ** 1.5
GRAVITY /= GRAVITY.sum()
TREES = 200
PARAMETERS = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 200,
    "lambda_l2": 10.0,
    "feature_fraction": 0.5,
    "extra_trees": True,  # thresholds drawn at random: of a hundred patients the best ones are those of a few
    "seed": 0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}
OF = ("", "rhythm_")  # beginnings of the measures beside all others, and beside those of the same rhythm
# A dose that fewer others have, or that explains itself better as an error of theirs, is never less suspect for it.
RISING = frozenset(
    {
        f"{of}{weight}_{name}"
        for of in OF
        for weight in WEIGHTS
        for name in ("source", "error_ratio", "error_ratio_unseen")
    }
    | {"earlier_nearest"}
)
FALLING = frozenset(
    {f"{of}{weight}_{name}" for of in OF for weight in WEIGHTS for name in ("equal", "unseen")}
    | {f"{of}within_{width}" for of in OF for width in WINDOWS}
    | {"earlier_equal"}
)


class NotEnoughOrders(TerminalError):
    """Too few orders with a dose to learn what is usual."""


@dataclass(frozen=True)
class Usual:
    """The doses of some orders, in the form in which another order is looked up among them."""

    people: pd.Index
    keys: tuple[pd.MultiIndex, ...]  # of each of ``OF``
    neighbours: tuple[Neighbours, ...]

    @classmethod
    def of(cls, orders: Columns) -> Usual:
        """Args: orders that all have a dose."""
        people = pd.Index(orders["person_id"]).unique()
        keys = tuple(index.unique() for index in _indexes(orders))
        person, dose = people.get_indexer(pd.Index(orders["person_id"])), orders["dose"].astype(float)
        numbers = (key.get_indexer(index) for key, index in zip(keys, _indexes(orders), strict=True))
        return cls(people, keys, tuple(Neighbours.of(number, person, dose) for number in numbers))

    def features(self, orders: Columns, row: Rows, factor: Array, *, history: bool) -> Columns:
        """One row a question: the order at ``row``, its dose times ``factor``, beside the doses of other patients."""
        person, dose = self.people.get_indexer(pd.Index(orders["person_id"])), orders["dose"].astype(float)
        asked = dose[row] * factor
        features: Columns = {}
        for of, keys, index, others in zip(OF, self.keys, _indexes(orders), self.neighbours, strict=True):
            measures = others.describe(keys.get_indexer(index)[row], person[row], asked)
            features |= {f"{of}{name}": measure for name, measure in measures.items()}
        features["digits"] = _significant_digits(asked)
        if history:
            features |= _beside_earlier(codes(*(orders[name] for name in (*KEY, "person_id"))), dose, row, asked)
        return features


@dataclass(frozen=True)
class DoseOutliers:
    """What is usual, and the learner that judges a dose beside it."""

    usual: Usual
    learner: Any
    history: bool

    @classmethod
    def learn(cls, orders: Columns, *, history: bool = True) -> DoseOutliers:
        """Learn from orders as they were written; the errors that a few of them hold do little harm.

        Args:
            orders: drug, unit, route, dose, per_day (NaN: not written) and person_id, in the order of time; a dose that
                is missing or not above 0 is left out.
            history: use the patient's own earlier orders of the same drug; without it, other patients' doses only.

        Raises:
            NotEnoughOrders: fewer than ``MIN_ORDERS`` have a dose.
        """
        orders = take(orders, _dosed(orders["dose"]))
        number = len(orders["dose"])
        if number < MIN_ORDERS:
            raise NotEnoughOrders(
                what=f"{number} orders with a dose are too few to learn usual doses from",
                looked="columns drug, unit, route, dose, per_day and person_id of the orders given",
                do=f"give at least {MIN_ORDERS}, of several patients",
            )
        usual = Usual.of(orders)
        row = np.tile(np.arange(number), len(FACTORS) + 1)
        factor = np.repeat(np.r_[1.0, FACTORS], number)
        weight = np.repeat(np.r_[1 - ERRORS_TAUGHT, ERRORS_TAUGHT * GRAVITY], number)
        features = usual.features(orders, row, factor, history=history)
        return cls(usual, _train(features, (factor != 1).astype(float), weight), history)

    def score(self, orders: Columns) -> Array:
        """How suspect each dose is, 0 to 1, graver errors more; shape (n,), NaN without a dose. A rank, no chance.

        The patient's own orders are never among those that show what is usual, whether or not they were learned from.

        Args:
            orders: in the order of time; earlier orders of the same patients belong among them.
        """
        found = np.full(len(orders["dose"]), np.nan)
        dosed = np.flatnonzero(_dosed(orders["dose"]))
        if len(dosed):
            features = self.usual.features(
                take(orders, dosed), np.arange(len(dosed)), np.ones(len(dosed)), history=self.history
            )
            found[dosed] = self.learner.predict(np.column_stack(list(features.values())), num_threads=1)
        return found


def cross_scores(orders: Columns, *, folds: int = 5, seed: int = 0, history: bool = True) -> Array:
    """Each order scored by a learner that saw none of its patient's, beside the doses of all other patients."""
    fold = person_folds(orders["person_id"], folds, seed)
    everyone, scores = Usual.of(take(orders, _dosed(orders["dose"]))), np.full(len(fold), np.nan)
    for number in np.unique(fold):
        part = np.flatnonzero(fold == number)
        model = DoseOutliers.learn(take(orders, fold != number), history=history)
        scores[part] = replace(model, usual=everyone).score(take(orders, part))
    return scores


def _dosed(dose: NDArray[Any]) -> NDArray[np.bool_]:
    value = dose.astype(float)
    return np.isfinite(value) & (value > 0)


def _indexes(orders: Columns) -> tuple[pd.MultiIndex, pd.MultiIndex]:
    """What orders must have in common to be compared: of each of ``OF``."""
    drug = [orders[name] for name in KEY]
    return pd.MultiIndex.from_arrays(drug), pd.MultiIndex.from_arrays([*drug, np.nan_to_num(orders[RHYTHM], nan=-1.0)])


def _beside_earlier(group: Rows, dose: Array, row: Rows, asked: Array) -> Columns:
    """Each dose asked about beside the earlier orders of the same patient, drug, unit and route."""
    later, earlier = pairs(group, group)
    later, earlier = later[earlier < later], earlier[earlier < later]
    count = np.bincount(later, minlength=len(dose))
    first = np.cumsum(count) - count
    of_question = count[row]
    question = np.repeat(np.arange(len(row)), of_question)
    inside = np.arange(len(question)) - np.repeat(np.cumsum(of_question) - of_question, of_question)
    other = earlier[first[row][question] + inside]
    change = np.log(asked[question]) - np.log(dose[other])
    nearest, last = np.full(len(row), np.inf), np.full(len(row), np.nan)
    np.minimum.at(nearest, question, np.abs(change))
    last[question] = change  # in the order of time: the last one stays
    equal = np.bincount(question, np.abs(change) < EQUAL, len(row))
    return {
        "earlier_orders": of_question.astype(float),
        "earlier_equal": equal / np.maximum(of_question, 1),
        "earlier_nearest": np.where(of_question > 0, nearest, np.nan),
        "earlier_last": last,
    }


def _significant_digits(dose: Array) -> Array:
    """Digits other than zeros at either end: 2 for 0.25, 1 for 500. At most six are looked at."""
    whole = np.round(dose / 10.0 ** (np.floor(np.log10(dose)) - 5)).astype(np.int64)
    digits = np.full(len(dose), 6.0)
    for _ in range(5):
        tenth = (whole % 10 == 0) & (whole > 0)
        whole = np.where(tenth, whole // 10, whole)
        digits -= tenth
    return digits


def _train(features: Columns, wrong: Array, weight: Array) -> Any:
    import lightgbm

    names = list(features)
    data = lightgbm.Dataset(np.column_stack(list(features.values())), wrong, weight=weight / weight.mean())
    monotone = [int(name in RISING) - int(name in FALLING) for name in names]
    return lightgbm.train({**PARAMETERS, "monotone_constraints": monotone}, data, num_boost_round=TREES)
