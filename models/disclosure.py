"""What may leave a hospital: figures over groups, and no group so small that a person could be recognised."""

from collections.abc import Mapping, Sequence
from typing import Any

MIN_CELL = 10  # fewer rows, positives or negatives are not told


def suppress_subgroups(rows: Sequence[Mapping[str, Any]], min_cell: int = MIN_CELL) -> list[dict[str, Any]]:
    """Subgroups without their figures where one of their cells is small.

    Where one group of a division is hidden, the total would give it away: the next smallest is hidden too.

    Args:
        rows: one a group, with ``by``, ``group``, ``n``, ``positives`` and figures.
    """
    hidden = {(row["by"], row["group"]) for row in rows if _small(row["n"], row["positives"], min_cell)}
    for by in {division for division, _ in hidden}:
        of_division = [row for row in rows if row["by"] == by]
        if sum((by, row["group"]) in hidden for row in of_division) == 1 and len(of_division) > 1:
            shown = [row for row in of_division if (by, row["group"]) not in hidden]
            smallest = min(shown, key=lambda row: (min(row["positives"], row["n"] - row["positives"]), row["group"]))
            hidden.add((by, smallest["group"]))
    return [
        {"by": row["by"], "group": row["group"], "suppressed": True}
        if (row["by"], row["group"]) in hidden
        else {**row, "suppressed": False}
        for row in rows
    ]


def suppress_bins(bins: Sequence[Mapping[str, Any]], min_cell: int = MIN_CELL) -> list[dict[str, Any]]:
    """Bins of a calibration curve; neighbours are joined until no cell is small.

    Args:
        bins: in order of the forecast, with ``n``, ``forecast`` and ``observed`` (shares).
    """
    joined: list[dict[str, Any]] = []
    for row in bins:
        if joined and _small(joined[-1]["n"], _positives(joined[-1]), min_cell):
            joined[-1] = _join(joined[-1], row)
        else:
            joined.append(dict(row))
    if len(joined) > 1 and _small(joined[-1]["n"], _positives(joined[-1]), min_cell):
        last = joined.pop()
        joined[-1] = _join(joined[-1], last)
    return [row for row in joined if not _small(row["n"], _positives(row), min_cell)]


def _positives(row: Mapping[str, Any]) -> int:
    return round(row["n"] * row["observed"])


def _join(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    n = a["n"] + b["n"]
    return {"n": n, **{name: (a["n"] * a[name] + b["n"] * b[name]) / n for name in ("forecast", "observed")}}


def _small(n: int, positives: int, min_cell: int) -> bool:
    return min(n, positives, n - positives) < min_cell
