"""Every learner on the same rows, beside the one that ships.

After `prescription_review.measure`, in the same folder: the hospitals and the trained model are those of that run.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.goals import Goal, goal_of
from benchmarks.prescription_review import opened, settings_of
from models.bootstrap import cluster_interval
from models.ranking import Ranking
from models.splits import person_folds

THIRDS = 3


def methods(folder: Path) -> Iterator[Goal]:
    """Fitted on one training patient in three, for a forest on all is slow; judged on the test part."""
    from models.learners import LEARNERS
    from models.learners import fit as fit_learner
    from models.prescription_review import learners
    from models.prescription_review.config import load_config
    from models.prescription_review.features import CATEGORICAL, FEATURES
    from models.prescription_review.fitting import training_rows
    from models.prescription_review.knowledge import load_knowledge
    from models.prescription_review.train import fit

    config = load_config()
    with opened(settings_of(folder, "home")) as store:
        trained = fit(store, config, load_knowledge(), 0)
    cases, label = trained.cases, trained.labels["label"].to_numpy()
    rows = training_rows(cases, trained.labels, trained.part, config, 0)
    test = (trained.part == "test") & ~np.isnan(label)
    features, positive, person = (
        trained.artefact.features(cases.only(test)),
        label[test],
        cases.rows["person_id"][test],
    )
    third = person_folds(rows.person, THIRDS, 0) == 0
    few, outcome, weight = rows.features[third], rows.positive[third], rows.weight[third]
    shipped, trees = "shipped: gradient boosting, monotone in the rules", trained.artefact.trees
    kinds = [FEATURES.index(name) for name in CATEGORICAL]
    on_all = f"{shipped}, on all {len(third):,} orders"
    scores = {
        on_all: lambda: trained.artefact.learner.predict(features),
        f"{shipped}, on {third.sum():,} orders as those below": lambda: learners.fit_trees(
            few, outcome, config.learner, 0, trees, weight
        ).predict(features),
    }
    scores |= {
        name: lambda name=name: fit_learner(name, few, outcome, categorical=kinds, weight=weight, seed=0).score(
            features
        )
        for name in LEARNERS
    }
    dose = FEATURES.index("dose_error_ratio")
    scores["dose outliers, no label"] = lambda: np.nan_to_num(features[:, dose], nan=-99)
    scores["number of alerts of the rules"] = lambda: features[:, FEATURES.index("rules_grave")]
    for name, score in scores.items():
        started = time.process_time()
        ranking = Ranking.of(positive, score())
        seconds = time.process_time() - started
        area = cluster_interval(ranking.auroc, person, resamples=200)
        precision = cluster_interval(ranking.average_precision, person, resamples=200).as_dict()
        said = f"AUROC {area.value:.3f} ({area.low:.3f} to {area.high:.3f})"
        if name != on_all:  # that one was fitted before
            said += f"; {seconds:.0f} s CPU"
        yield goal_of("methods", f"orders, temporal split, AUPRC: {name}", None, precision, said)
