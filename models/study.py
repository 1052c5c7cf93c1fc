"""A study over several centres: what is evaluated, the aggregate result of one centre, the results of all as one.

No row of a person leaves a centre: figures, their intervals, and groups whose cells hold at least ten.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.disclosure import suppress_bins, suppress_subgroups
from models.pooling import PLAIN, RATIO, SHARE, Pooled, pool, pool_intervals

FORMAT = "passerelle study result 1"
FIGURES = ("auroc", "average_precision")
TOLD = ("centre", "rows", "persons", "positives", "suppressed", "trained_here")  # of each centre, beside what is pooled


def centre_result(report: Mapping[str, Any], centre: str, plan: Mapping[str, Any]) -> dict[str, Any]:
    """The aggregate result of an evaluation.

    Args:
        report: an evaluation report as JSON.
        centre: the name that the centre gives itself.
        plan: the plan of the study, whose ``min_cell`` rules.
    """
    found, min_cell = report["evaluation"], plan["min_cell"]
    negatives = found["rows"] - found["positives"]
    small = min(found["positives"], negatives, found["persons"]) < min_cell
    result = {
        "format": FORMAT,
        "study": {name: plan[name] for name in ("model", "model_version", "model_sha256", "contract")},
        "centre": centre,
        "snapshot_id": report["snapshot_id"],
        # These rows taught the model: their figures say how well it remembers.
        "trained_here": report["snapshot_id"] == plan["trained_on"],
        "min_cell": min_cell,
        "suppressed": small,
    }
    if small:  # nothing about so few
        return result
    line = found["calibration"]
    return {
        **result,
        "rows": found["rows"],
        "persons": found["persons"],
        "positives": found["positives"],
        "scores": {name: {figure: scores[figure] for figure in FIGURES} for name, scores in found["scores"].items()},
        "calibration": {
            **{name: line[name] for name in ("slope", "slope_error", "intercept", "ece", "brier", "brier_skill")},
            "expected": found["rows"] * line["mean_forecast"],
            "bins": suppress_bins(line["bins"], min_cell),
        },
        "subgroups": suppress_subgroups(found["subgroups"], min_cell),
    }


def merge_results(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Pooled discrimination, calibration and subgroups of the centres of one study that did not train the model."""
    told = [result for result in results if not (result["suppressed"] or result["trained_here"])]
    names = list(dict.fromkeys(name for result in told for name in result["scores"]))
    return {
        "study": results[0]["study"],
        "centres": [{name: result.get(name) for name in TOLD} for result in results],
        "discrimination": {
            name: {
                figure: pool_intervals(
                    [r["scores"][name][figure] for r in told if name in r["scores"]], SHARE
                ).as_json()
                for figure in FIGURES
            }
            for name in names
        },
        "calibration": {
            "slope": _slopes(told).as_json(),
            "observed_over_expected": _observed_over_expected(told).as_json(),
        },
        "subgroups": _subgroups(told),
    }


def _slopes(results: Sequence[Mapping[str, Any]]) -> Pooled:
    lines = [
        r["calibration"] for r in results if None not in (r["calibration"]["slope"], r["calibration"]["slope_error"])
    ]
    return pool([line["slope"] for line in lines], [line["slope_error"] ** 2 for line in lines], PLAIN)


def _observed_over_expected(results: Sequence[Mapping[str, Any]]) -> Pooled:
    """The variance of the log of a count over what was expected: (1 − share) / count (Debray et al., BMJ 2017)."""
    effects = [float(np.log(r["positives"] / r["calibration"]["expected"])) for r in results]
    variances = [(1 - r["positives"] / r["rows"]) / r["positives"] for r in results]
    return pool(effects, variances, RATIO)


def _subgroups(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    rows = [row for result in results for row in result["subgroups"]]
    groups = dict.fromkeys((row["by"], row["group"]) for row in rows)
    pooled = []
    for by, group in groups:
        of_group = [row for row in rows if (row["by"], row["group"]) == (by, group)]
        told = [row for row in of_group if not row["suppressed"]]
        aurocs = [row["auroc"] for row in told if row["auroc"]]
        pooled.append(
            {
                "by": by,
                "group": group,
                "n": sum(row["n"] for row in told),
                "positives": sum(row["positives"] for row in told),
                "suppressed_in": len(of_group) - len(told),
                "auroc": pool_intervals(aurocs, SHARE).as_json(),
            }
        )
    return pooled
