"""How many reviews of its own a hospital needs before a model that comes from elsewhere gains by them.

After `prescription_review.measure`, in the same folder: the hospitals and the trained model are those of that run.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.goals import Goal, goal_of
from benchmarks.prescription_review import opened, settings_of
from models.bootstrap import cluster_interval
from models.calibration import expected_calibration_error
from models.ranking import Ranking
from models.splits import person_folds
from passerelle.predictions import tracking_uri

ONE_IN = (64, 16, 4, 1)  # patients whose reviews are known
RESAMPLES = 200


def measure(folder: Path) -> Iterator[Goal]:
    """The same orders judge every one: the last of the other hospital."""
    from models.prescription_review.artefact import Artefact
    from models.prescription_review.config import load_config
    from models.prescription_review.fitting import adapt_artefact
    from models.prescription_review.knowledge import load_knowledge
    from models.prescription_review.scoring import scores_of
    from models.prescription_review.train import described
    from models.registry import Registry

    knowledge = load_knowledge()
    came = Artefact.read(Registry(tracking_uri(settings_of(folder, "home"))).load(load_config().model).folder)
    with opened(settings_of(folder, "away")) as store:
        cases, labels, part, cut = described(store, came.config, knowledge)
    label = labels["label"].to_numpy(float)
    judged = (part == "test") & ~np.isnan(label)
    last = cases.only(judged)

    def told(known: np.ndarray, words: str) -> Iterator[Goal]:
        taught = labels.where(pd.Series(known, index=labels.index))
        there = adapt_artefact(came, cases, taught, part, cut, knowledge)
        number = int((known & (part != "test") & (part != "left_out") & ~np.isnan(label)).sum())
        for unit, sample in scores_of(there, last, label[judged]).items():
            (score,) = sample.scores.values()
            ranking = Ranking.of(sample.positive, score)
            error = expected_calibration_error(sample.probability, sample.positive)
            interval = cluster_interval(ranking.average_precision, sample.person, resamples=RESAMPLES).as_dict()
            beside = f"AUROC {ranking.auroc():.3f}, ECE {error:.3f}"
            what = f"{unit}, other hospital, adapted by {words} ({number:,} orders): AUPRC"
            yield goal_of("A4" if unit == "patients" else "A5", what, None, interval, beside)

    yield from told(np.zeros(len(label), dtype=bool), "no review")
    for one_in in ONE_IN:
        of_some = person_folds(cases.rows["person_id"], one_in, 0) == 0
        words = f"the reviews of one patient in {one_in}" if one_in > 1 else "all its reviews"
        yield from told(of_some, words)
