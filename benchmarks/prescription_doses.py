"""Doses of prescription review on real orders: overdoses of 13 drugs, and errors put into the orders of MIMIC-IV demo.

The first set has labels that are used for measuring only: no label of a drug is known to what judges that drug. Nothing
that is learned here is kept.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.goals import Goal
from benchmarks.mimic import drug_orders, prescriptions
from models.bootstrap import cluster_interval
from models.prescription_review import dose_cut
from models.prescription_review.columns import Columns, columns_of
from models.prescription_review.dose_cut import Usage
from models.prescription_review.dose_errors import draw_factors
from models.prescription_review.dose_outliers import cross_scores
from models.prescription_review.knowledge import load_knowledge
from models.prescription_review.orders import prepare_orders
from models.ranking import Ranking

Array = NDArray[np.float64]
DATA = Path(__file__).parent.parent.parent / "shared" / "data"
RESAMPLES = 200
SEEDS = range(10)
MIN_ORDERS = 20  # of a drug, unit and route, in the injected measurement

# The drugs of the labelled set: ATC code of the substance, what one unit of its doses is in the unit of our table, and
# that unit.
DRUGS = {
    "AMPICILINA": ("J01CA01", 1000.0, "mg"),  # g
    "ANLODIPINO": ("C08CA01", 1.0, "mg"),
    "BISACODIL": ("A06AB02", 1.0, "mg"),
    "CETOPROFENO": ("M01AE03", 1.0, "mg"),
    "DIAZEPAM": ("N05BA01", 1.0, "mg"),
    "DICLOFENACO": ("M01AB05", 1.0, "mg"),
    "ENOXAPARINA": ("B01AB05", 1.0, "mg"),
    "HIDRALAZINA": ("C02DB02", 1.0, "mg"),
    "POLIMIXINA": ("J01XB02", 1.0, "UI"),
    "RISPERIDONA": ("N05AX08", 1.0, "mg"),
    "SULFAMETOXAZOL": ("J01EE01", 1.0, "mg"),  # both substances together
    "TENOFOVIR": ("J05AF07", 245.0, "mg"),  # tablets
    "VARFARINA": ("B01AA03", 1.0, "mg"),
}


def measure(folder: Path) -> Iterator[Goal]:
    """Both; nothing where the data is not there.

    Args:
        folder: not used; every measurement has one.
    """
    yield from measure_real()
    yield from measure_injected()


# --- overdoses of 13 drugs -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drug:
    """A drug of the labelled set: its use, its overdoses by level, its distinct prescriptions, and our maximum."""

    usage: Usage
    overdoses: Array  # labelled orders of each level
    triple_level: NDArray[np.int64]  # of each distinct (frequency, dose)
    triple_overdose: NDArray[np.bool_]
    maximum: float  # in the unit of the set

    @property
    def cut(self) -> int:
        """The highest level that is not an overdose for most of its orders."""
        return int(np.flatnonzero(self.overdoses <= self.usage.orders / 2)[-1])

    def f1(self, cut: int) -> tuple[float, float]:
        """F1 over orders and over distinct prescriptions, if all above a cut is flagged."""
        above = np.arange(len(self.usage.level)) > cut
        flagged, right = self.usage.orders[above].sum(), self.overdoses[above].sum()
        shown = self.triple_level > cut
        both = (shown & self.triple_overdose).sum()
        return (
            float(2 * right / max(flagged + self.overdoses.sum(), 1)),
            float(2 * both / max(shown.sum() + self.triple_overdose.sum(), 1)),
        )


def read_drugs(folder: Path) -> dict[str, Drug]:
    """The labelled set, doses rounded to 1e-6."""
    rows = pd.read_csv(folder / "prescriptions_dev.csv.gz")
    rows["dose"] = rows["dose"].round(6)
    rows["daily"] = rows["dose"] * rows["frequency"]
    table = load_knowledge().maximum_daily_dose
    drugs = {}
    for name, orders in rows.groupby("medication"):
        usage = Usage.of(orders["daily"].to_numpy())
        level = usage.levels_of(orders["daily"].to_numpy())
        triples = orders.groupby(["frequency", "dose"])[["daily", "target"]].mean()
        atc, factor, unit = DRUGS[str(name)]
        lines = table[(table["atc"] == atc) & (table["unit"] == unit)]
        drugs[str(name)] = Drug(
            usage,
            np.bincount(level, orders["target"], len(usage.level)),
            usage.levels_of(triples["daily"].to_numpy()),
            triples["target"].to_numpy() > 0.5,
            float(lines["max_daily"].max()) / factor,
        )
    return drugs


Cuts = dict[str, int]
Rule = Callable[[Usage, float], int]


def learned_cuts(drugs: Mapping[str, Drug], *, knowing: bool) -> Cuts:
    """The cut of each drug, by a model that knows the cuts of the others; its ridge is chosen among them too."""
    described = {name: dose_cut.describe(d.usage, d.maximum if knowing else None) for name, d in drugs.items()}
    found = {}
    for name, drug in drugs.items():
        others = [(other.usage, described[o], other.cut) for o, other in drugs.items() if o != name]
        found[name] = dose_cut.fit(others).best_cut(drug.usage, described[name])
    return found


def _threshold(drugs: Mapping[str, Drug], rule: Rule, grid: Array) -> Cuts:
    """The cut of each drug by a rule of one threshold, the best one on the other drugs."""
    cuts = {name: [rule(drug.usage, value) for value in grid] for name, drug in drugs.items()}
    score = {name: np.array([drug.f1(cut)[0] for cut in cuts[name]]) for name, drug in drugs.items()}
    best = {name: int(np.argmax(np.mean([score[o] for o in drugs if o != name], axis=0))) for name in drugs}
    return {name: cuts[name][best[name]] for name in drugs}


def _over_quantile(quantile: float) -> Rule:
    def rule(usage: Usage, times: float) -> int:
        at = int(np.searchsorted(np.cumsum(usage.orders), quantile * usage.orders.sum()))
        return max(usage.cut_at(float(times * usage.level[at])), 0)

    return rule


def _tail(usage: Usage, share: float) -> int:
    return int(np.flatnonzero(usage.share_above <= share)[0])


def _last_usual(usage: Usage, share: float) -> int:
    usual = np.flatnonzero(usage.orders / usage.orders.sum() >= share)
    return int(usual[-1]) if len(usual) else len(usage.level) - 1


BASELINES: dict[str, tuple[Rule, Array]] = {
    "dose over median": (_over_quantile(0.5), np.geomspace(0.9, 20, 80)),
    "dose over P95": (_over_quantile(0.95), np.geomspace(0.9, 5, 80)),
    "share at or above": (_tail, np.geomspace(0.001, 0.1, 60)),
    "highest level of a usual share": (_last_usual, np.geomspace(0.001, 0.1, 60)),
}


def measure_real(folder: Path = DATA / "prescription-outliers") -> Iterator[Goal]:
    """Mean F1 over the drugs, each judged without a label of its own."""
    if not folder.is_dir():
        return
    drugs = read_drugs(folder)
    scores = {name: _scores(drugs, _threshold(drugs, *rule)) for name, rule in BASELINES.items()}
    scores["maximum alone"] = _scores(drugs, {name: drug.usage.cut_at(drug.maximum) for name, drug in drugs.items()})
    scores["best possible"] = _scores(drugs, {name: drug.cut for name, drug in drugs.items()})
    beside = "; ".join(f"{name} {value[:, 0].mean():.3f}" for name, value in scores.items())
    for what, knowing, bar in (
        ("use of the drug alone", False, 0.68),
        ("with our maximum daily doses", True, 0.90),
    ):
        score = _scores(drugs, learned_cuts(drugs, knowing=knowing))
        by_drug = ", ".join(f"{name.lower()} {x:.2f}" for name, x in zip(drugs, score[:, 0], strict=True))
        for unit, column in (("orders", 0), ("distinct prescriptions", 1)):
            low, high = _interval(score[:, column])
            said = f"{beside}; by drug: {by_drug}" if column == 0 else "the same cuts"
            yield Goal(
                "A1", f"overdoses of 13 drugs, each left out, {what}: mean F1 over {unit}",
                bar if column == 0 else None, float(score[:, column].mean()), low, high, said,
            )  # fmt: skip
            if column == 0:
                yield Goal("A1", f"{what}: the weakest drug", 0.001, float(score[:, 0].min()))


def _scores(drugs: Mapping[str, Drug], cuts: Cuts) -> Array:
    return np.array([drug.f1(cuts[name]) for name, drug in drugs.items()])


def _interval(of_drugs: Array) -> tuple[float, float]:
    found = cluster_interval(lambda weight: float(np.average(of_drugs, weights=weight)), np.arange(len(of_drugs)),
                             resamples=2000)  # fmt: skip
    return found.low, found.high


# --- errors put into real orders -------------------------------------------------------------------------------------


def read_orders(shared: Path) -> Columns:
    """Main orders with a plain dose, of drugs, units and routes with 20 of them, by patient in the order of time.

    Which orders these are is decided by what is written (10,316 of 146 kinds); which drugs, units and routes are the
    same is decided as the model does: by substance, in milligrams, by mouth or by tube. The wording is the name and how
    often it is given, as prescribed; nothing of what was dispensed.
    """
    rows = prescriptions(shared)
    dose = pd.to_numeric(rows["dose_val_rx"], errors="coerce")
    rows = rows[(rows["drug_type"] == "MAIN") & (dose > 0)]
    kind = [rows["drug"].str.lower(), rows["dose_unit_rx"], rows["route"]]
    number = rows.groupby(kind)["drug"].transform("size")
    rows = rows[number >= MIN_ORDERS]
    orders = prepare_orders(columns_of(drug_orders(rows)))
    line = orders["drug_exposure_id"]  # the place of the row
    return {name: orders[name] for name in ("unit", "route", "per_day", "dose", "person_id")} | {
        "drug": orders["product"],
        "wording": (rows["drug"].str.lower() + " " + rows["frequency"]).to_numpy()[line],
        "age": rows["age"].to_numpy(float)[line],
    }


def robust_z(orders: Columns) -> Array:
    """Baseline: distance from the median dose of other patients in robust deviations, times the rarity of the dose."""
    frame = pd.DataFrame(orders)
    frame["log"] = np.log(frame["dose"])
    found = np.zeros(len(frame))
    for _, same in frame.groupby(["drug", "unit", "route"]):
        for _, own in same.groupby("person_id"):
            others = same.loc[same["person_id"] != own["person_id"].iloc[0], "log"].to_numpy()
            if not len(others):
                continue
            middle = np.median(others)
            spread = max(1.4826 * float(np.median(np.abs(others - middle))), 0.1)
            rarity = 1 - (np.abs(own["log"].to_numpy()[:, None] - others) < 1e-6).mean(1)
            found[own.index] = np.abs(own["log"] - middle) / spread * rarity
    return found


Statistic = Callable[[Ranking, Ranking, Ranking, Array | None], float]
STATISTICS: dict[str, tuple[Statistic, float | None]] = {
    "AUROC": (lambda every, _x10, _ten, weight: every.auroc(weight), 0.96),
    "average precision": (lambda every, _x10, _ten, weight: every.average_precision(weight), 0.58),
    "tenfold over-doses found at 1 % alerts": (lambda _, x10, _ten, weight: x10.recall_at(0.01, weight), 0.90),
    "tenfold over-doses found at 2 % alerts": (lambda _, x10, _ten, weight: x10.recall_at(0.02, weight), 0.98),
    "tenfold errors, over and under, found at 1 % alerts": (
        lambda _, _x, ten, weight: ten.recall_at(0.01, weight),
        None,
    ),
    "tenfold errors, over and under, found at 2 % alerts": (
        lambda _, _x, ten, weight: ten.recall_at(0.02, weight),
        None,
    ),
}
SCORERS: dict[str, Callable[[Columns], Array]] = {
    "with the patient's earlier orders": cross_scores,
    "other patients' doses only": lambda orders: cross_scores(orders, history=False),
    "robust z times rarity": robust_z,
}


def measure_injected(shared: Path = DATA, seeds: range = SEEDS) -> Iterator[Goal]:
    """Errors put into 1.4 % of the orders, ten times; each order beside those of other patients."""
    if not (shared / "mimic-iv-demo").is_dir():
        return
    orders = read_orders(shared)
    ranked: dict[str, list[tuple[Ranking, Ranking, Ranking]]] = {name: [] for name in SCORERS}
    for seed in seeds:
        factor = draw_factors(len(orders["dose"]), seed)
        written = orders | {"dose": orders["dose"] * factor}
        wrong = [factor != 1, factor == 10, (factor == 10) | (factor == 0.1)]
        for name, scorer in SCORERS.items():
            score = scorer(written)
            every, x10, ten = (Ranking.of(rows.astype(float), score) for rows in wrong)
            ranked[name].append((every, x10, ten))
    *models, baseline = SCORERS
    for model in models:
        for what, (statistic, bar) in STATISTICS.items():
            each = np.array([statistic(*found, None) for found in ranked[model]])
            found = cluster_interval(
                lambda weight, of=ranked[model], by=statistic: float(np.mean([by(*one, weight) for one in of])),
                orders["person_id"],
                resamples=RESAMPLES,
            )
            beside = np.mean([statistic(*one, None) for one in ranked[baseline]])
            said = f"{baseline} {beside:.3f}; {len(each)} seeds {each.min():.3f}–{each.max():.3f}"
            name = f"dose errors in {len(orders['dose']):,} real orders, {model}: {what}"
            yield Goal("A2", name, bar, float(each.mean()), found.low, found.high, said)


if __name__ == "__main__":
    for goal in measure(Path()):
        print(goal.row(), flush=True)
