"""Every learner on the rows of the shipped model, and whether its reasons name the cause of an injected error.

After `prescription_review.measure`, in the same folder: the hospitals and the trained model are those of that run.
"""

import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable

from benchmarks.goals import Goal, goal_of
from benchmarks.prescription_review import HOME, PATIENTS, opened, settings_of
from etl.demo import chu_demo
from etl.demo.record import TRUTH
from models.bootstrap import cluster_interval
from models.ranking import Ranking
from passerelle.predictions import tracking_uri
from passerelle.settings import Settings

# Injected mechanism → themes under which its cause is named.
CAUSES: dict[str, tuple[str, ...]] = {
    "contre_indication": ("disease", "kidney", "laboratory", "allergy", "pregnancy", "age"),
    "indication_non_traitee": ("missing treatment",), "sous_dosage": ("dose",), "surdosage": ("dose",),
    "non_adapte_renal": ("kidney", "dose"), "doublon": ("duplicate",), "interaction": ("interaction",),
    "effet_indesirable": ("laboratory",), "voie": ("route",), "rythme": ("rhythm", "dose"), "frequence": ("rhythm",),
    "non_recu": ("not given",), "suivi_absent": ("monitoring",),
}  # fmt: skip
REASONS = 3  # told first


def cause_goals(folder: Path) -> Iterator[Goal]:
    """A7: whether an alert about an injected error names its cause among its first reasons: the sentence, if a rule
    gave it, then the contributions that raise the score."""
    from models.prescription_review.features import RULE_FEATURES
    from models.prescription_review.predict import predict
    from models.prescription_review.rules import CATEGORIES
    from models.prescription_review.themes import OF_FEATURE

    home = settings_of(folder, "home")
    with opened(home) as store:
        found = predict(store, tracking_uri=tracking_uri(home))
        alerts = [one for one in found if one.occasion.startswith("drug_exposure:")]
    mechanism = injected(home)
    rules = {name.removeprefix("rule_"): theme for name, theme in OF_FEATURE.items() if name in RULE_FEATURES}
    told: dict[str, list[bool]] = {}
    for alert in alerts:
        name = mechanism.get(int(alert.occasion.removeprefix("drug_exposure:")))
        if name is not None:
            named = [theme for rule, theme in rules.items() if CATEGORIES[rule] == alert.category]
            raising = [OF_FEATURE[c.feature] for c in alert.contributions if c.contribution > 0]
            reasons = (
                [named, *([theme] for theme in raising)][:REASONS]
                if named
                else [[theme] for theme in raising][:REASONS]
            )
            told.setdefault(name, []).append(any(set(some) & set(CAUSES[name]) for some in reasons))
    every = [one for some in told.values() for one in some]
    beside = ", ".join(f"{name} {sum(some)}/{len(some)}" for name, some in sorted(told.items()))
    yield Goal("A7", "alerts about an injected error that name its cause among three reasons", 0.90,
               sum(every) / len(every), *_wilson(sum(every), len(every)), beside)  # fmt: skip


def injected(settings: Settings) -> dict[int, str]:
    """Order of the CDM → how it was made wrong, by the numbers of the lines; for those who measure only."""
    lake = settings.workspace / "lake"
    lines = _rows(lake / "bronze" / HOME / "prescription", ["_row", "ligne_id"])
    traced = _rows(lake / "ops" / "provenance", ["target_id", "source_table", "source_row", "mapping"])
    traced = traced.filter(pc.equal(traced["mapping"], "drug_exposure.prescription"))
    number = dict(zip(lines["_row"].to_pylist(), lines["ligne_id"].to_pylist(), strict=True))
    truth = chu_demo.patient_tables(PATIENTS)[TRUTH]
    mechanism = dict(zip(truth["ligne_id"].to_pylist(), truth["mechanism"].to_pylist(), strict=True))
    pairs = zip(traced["target_id"].to_pylist(), traced["source_row"].to_pylist(), strict=True)
    found = ((target, mechanism.get(number.get(row))) for target, row in pairs)
    return {target: name for target, name in found if name is not None}


def _rows(table: Path, columns: list[str]) -> pa.Table:
    return pq.ParquetDataset([str(path) for path in DeltaTable(str(table)).file_uris()]).read(columns=columns)


def _wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson)."""
    z, share = 1.96, hits / n
    middle, half = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def methods(folder: Path) -> Iterator[Goal]:
    """Every learner on the same rows: fitted on the training part, judged on the test part of the shipped model."""
    from models.learners import LEARNERS
    from models.learners import fit as fit_learner
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
    scores = {"shipped: gradient boosting, monotone in the rules": lambda: trained.artefact.learner.predict(features)}
    kinds = [FEATURES.index(name) for name in CATEGORICAL]
    scores |= {
        name: lambda name=name: fit_learner(
            name, rows.features, rows.positive, categorical=kinds, weight=rows.weight, seed=0
        ).score(features)
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
        said = f"AUROC {area.value:.3f} ({area.low:.3f} to {area.high:.3f}); {seconds:.0f} s CPU"
        yield goal_of("methods", f"orders, temporal split, AUPRC: {name}", None, precision, said)
