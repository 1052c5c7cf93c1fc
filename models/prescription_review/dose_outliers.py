"""How suspect the dose of an order is, learned from a hospital's own orders without labels.

Each order of other patients is shown to two learners as it stands and once with every error that could have been made.
Both tell the two apart, from where the dose lies among the doses of other patients: of all, of those whose order is
worded alike, of those as old, and of those who had the drug as often before; and from what the patient was ordered
before. To one of them an error counts as often as it is made, to the other the more the further it takes the dose:
what is likely wrong comes first, and what is less likely and graver among it.

Nothing else is used than dose, drug, unit, route, wording, patient, age and the order of time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, Rows, codes, pairs, take
from models.prescription_review.dose_errors import FACTORS, RATE, SHARES
from models.prescription_review.dose_neighbours import EQUAL, WEIGHTS, WINDOWS, Neighbours
from models.splits import person_folds
from passerelle.errors import TerminalError

Array = NDArray[np.float64]

KEY = ("drug", "unit", "route")
MIN_ORDERS = 50
ERRORS_TAUGHT = 0.2  # of the weight: more than happens, for of 1 % a learner sees little
# How much of it each kind of error has: as it is made; and for the second learner by the power of how far it takes the
# dose, so that tenfold is most of it, for tenfold harms much more than double.
LIKELY = SHARES
GRAVE = SHARES * np.abs(np.log(FACTORS)) ** 5
GRAVE /= GRAVE.sum()
GRAVEST = 0.015  # of the orders: among these the second learner has a say
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
# Whose doses an order is laid beside, by the beginning of the measures' names, and what these have in common besides
# the drug: what is usual once, as a loading dose, is not usual three times a day, nor at any age, nor the fourth time.
BESIDE: dict[str, tuple[str, ...]] = {
    "": (),
    "wording_": ("wording", "per_day"),
    "age_": ("age_band",),
    "nth_": ("number",),
}
AGES = (18, 65, 80)  # years: children, adults, the old, the very old
MANY = 3  # earlier orders: no more of them are told apart
# A dose that fewer others have, or that explains itself better as an error of theirs, is never less suspect for it.
RISING = frozenset(
    {
        f"{of}{weight}_{name}"
        for of in BESIDE
        for weight in WEIGHTS
        for name in ("source", "error_ratio", "error_ratio_unseen")
    }
    | {"earlier_nearest"}
)
FALLING = frozenset(
    {f"{of}{weight}_{name}" for of in BESIDE for weight in WEIGHTS for name in ("equal", "unseen")}
    | {f"{of}within_{width}" for of in BESIDE for width in WINDOWS}
    | {"earlier_equal"}
)


class NotEnoughOrders(TerminalError):
    """Too few orders with a dose to learn what is usual."""


@dataclass(frozen=True)
class Usual:
    """The doses of some orders, in the form in which another order is looked up among them."""

    people: pd.Index
    keys: tuple[pd.MultiIndex, ...]  # of each of ``BESIDE``
    neighbours: tuple[Neighbours, ...]

    @classmethod
    def of(cls, orders: Columns) -> Usual:
        """Args: orders that all have a dose."""
        people = pd.Index(orders["person_id"]).unique()
        person, dose = people.get_indexer(pd.Index(orders["person_id"])), orders["dose"].astype(float)
        indexes = _indexes(orders)
        keys = tuple(index.unique() for index in indexes)
        numbers = (key.get_indexer(index) for key, index in zip(keys, indexes, strict=True))
        return cls(people, keys, tuple(Neighbours.of(number, person, dose) for number in numbers))

    def features(self, orders: Columns, row: Rows, factor: Array, *, history: bool) -> Columns:
        """One row a question: the order at ``row``, its dose times ``factor``, beside the doses of other patients."""
        person, dose = self.people.get_indexer(pd.Index(orders["person_id"])), orders["dose"].astype(float)
        asked = dose[row] * factor
        features: Columns = {}
        for of, keys, index, others in zip(BESIDE, self.keys, _indexes(orders), self.neighbours, strict=True):
            measures = others.describe(keys.get_indexer(index)[row], person[row], asked)
            features |= {f"{of}{name}": measure for name, measure in measures.items()}
        features |= {name: orders[name].astype(float)[row] for name in ("per_day", "age")}
        features["digits"] = _significant_digits(asked)
        features["earlier_orders"] = _earlier_orders(orders)[row].astype(float)
        if history:
            features |= _beside_earlier(codes(*(orders[name] for name in (*KEY, "person_id"))), dose, row, asked)
        return features


@dataclass(frozen=True)
class Learner:
    """Trees that tell errors from orders, and how often they find an order so suspect."""

    trees: Any
    score: Array  # rising, shape (S,)
    share: Array  # of the orders that score so high or higher, errors among them as often as made; shape (S,)

    @classmethod
    def fit(cls, features: Columns, factor: Array, errors: Array) -> Learner:
        """Args: what is asked, with which factor (1: as it stands), and the weight of each of ``FACTORS``."""
        import lightgbm

        kind = (factor[:, None] == np.r_[1.0, FACTORS]).argmax(axis=1)
        table, names = np.column_stack(list(features.values())), list(features)
        weight = np.r_[1 - ERRORS_TAUGHT, ERRORS_TAUGHT * errors][kind]
        data = lightgbm.Dataset(table, (kind > 0).astype(float), weight=weight / weight.mean())
        monotone = [int(name in RISING) - int(name in FALLING) for name in names]
        trees = lightgbm.train({**PARAMETERS, "monotone_constraints": monotone}, data, num_boost_round=TREES)
        score, place = np.unique(trees.predict(table, num_threads=1), return_inverse=True)
        often = np.bincount(place, np.r_[1 - RATE, RATE * SHARES][kind])
        so_high = np.cumsum(often[::-1])[::-1]
        return cls(trees, score, so_high / so_high[0])

    def rarity(self, features: Columns) -> Array:
        """The share of the orders that are at least as suspect, shape (n,)."""
        score = self.trees.predict(np.column_stack(list(features.values())), num_threads=1)
        return np.interp(score, self.score, self.share)


@dataclass(frozen=True)
class DoseOutliers:
    """What is usual, and the two learners that judge a dose beside it."""

    usual: Usual
    likely: Learner
    grave: Learner
    history: bool

    @classmethod
    def learn(cls, orders: Columns, *, history: bool = True) -> DoseOutliers:
        """Learn from orders as they were written; the errors that a few of them hold do little harm.

        Args:
            orders: drug, unit, route, dose, per_day (intakes, NaN: not written), wording (of drug and instructions,
                without the dose), age (years, NaN: not known) and person_id, in the order of time; a dose that is
                missing or not above 0 is left out.
            history: use the patient's own earlier orders of the same drug; without it, other patients' doses only.

        Raises:
            NotEnoughOrders: fewer than ``MIN_ORDERS`` have a dose.
        """
        orders = take(orders, _dosed(orders["dose"]))
        number = len(orders["dose"])
        if number < MIN_ORDERS:
            raise NotEnoughOrders(
                what=f"{number} orders with a dose are too few to learn usual doses from",
                looked="columns drug, unit, route, dose, per_day, wording, age and person_id of the orders given",
                do=f"give at least {MIN_ORDERS}, of several patients",
            )
        usual = Usual.of(orders)
        row = np.tile(np.arange(number), len(FACTORS) + 1)
        factor = np.repeat(np.r_[1.0, FACTORS], number)
        features = usual.features(orders, row, factor, history=history)
        likely, grave = (Learner.fit(features, factor, errors) for errors in (LIKELY, GRAVE))
        return cls(usual, likely, grave, history)

    def score(self, orders: Columns) -> Array:
        """How suspect each dose is: the share of orders that are less so. Shape (n,), NaN without a dose.

        The rarer of what the two learners say (as Tippett combines p-values), of grave errors among the rarest only.

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
            likely, grave = (learner.rarity(features) for learner in (self.likely, self.grave))
            found[dosed] = 1 - np.where(grave <= GRAVEST, np.minimum(likely, grave), likely)
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


def _indexes(orders: Columns) -> tuple[pd.MultiIndex, ...]:
    """What orders must have in common to be compared: of each of ``BESIDE``."""
    told = orders | {
        "per_day": np.nan_to_num(orders["per_day"].astype(float), nan=-1.0),
        "age_band": np.digitize(orders["age"].astype(float), AGES),  # one that is not known is with the oldest
        "number": np.minimum(_earlier_orders(orders), MANY),
    }
    return tuple(pd.MultiIndex.from_arrays([told[name] for name in (*KEY, *names)]) for names in BESIDE.values())


def _earlier_orders(orders: Columns) -> Rows:
    """How many orders of the same drug, unit and route each patient had before."""
    treatment = pd.Series(codes(*(orders[name] for name in (*KEY, "person_id"))))
    return np.asarray(treatment.groupby(treatment).cumcount(), dtype=np.int64)


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
