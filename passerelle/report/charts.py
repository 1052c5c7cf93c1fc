"""Small SVG figures, drawn with the page's own colours (CSS classes), so they follow light, dark and print.

Every figure is the picture of a table that stands beside it; screen readers get the text, not the shapes.
"""

from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup, escape

from passerelle.report.facts import Metric, Timeline
from passerelle.report.wording import number, share

SMALLEST = 0.6  # percent of a bar: what exists is seen
SHADES = 5
CELL, GAP, LABEL, TOP = 22, 2, 172, 34
NAMES, LONGEST = 196, 25  # width of long names beside the cells, and their letters
WIDEST, PAGE, MARGIN = 52, 1040, 24  # of a cell; of the whole figure; for the last label


def stacked_bar(parts: Sequence[tuple[str, int, str]], height: int = 12) -> Markup:
    """One bar of 100 %: parts as (CSS class, size, what it is)."""
    shown = [(css, size, name) for css, size, name in parts if size > 0]
    total = sum(size for _, size, _ in shown)
    widths = _widths([100 * size / total for _, size, _ in shown]) if total else []
    title = ", ".join(f"{name} {number(size)}" for _, size, name in shown) or "nothing"
    pieces, x = [], 0.0
    for (css, size, name), width in zip(shown, widths, strict=True):
        tip = escape(f"{name}: {number(size)}")
        pieces.append(
            f'<rect class="f-{escape(css)}" x="{x:.2f}" width="{width:.2f}" height="{height}">'
            f"<title>{tip}</title></rect>"
        )
        x += width
    return Markup(
        f'<svg class="bar" role="img" aria-label="{escape(title)}" viewBox="0 0 100 {height}" height="{height}" '
        f'preserveAspectRatio="none"><rect class="f-none" width="100" height="{height}"/>{"".join(pieces)}</svg>'
    )


def _widths(percents: list[float]) -> list[float]:
    """Percent of each part, the smallest widened so that they are seen, at the cost of the largest."""
    widths = [max(percent, SMALLEST) for percent in percents]
    widths[widths.index(max(widths))] -= sum(widths) - 100
    return widths


def bar(value: float, largest: float, css: str = "accent") -> Markup:
    """A plain bar; its number stands beside it."""
    width = max(100 * value / largest, SMALLEST) if largest > 0 and value > 0 else 0
    return Markup(
        f'<svg class="bar" aria-hidden="true" viewBox="0 0 100 10" height="10" preserveAspectRatio="none">'
        f'<rect class="f-none" width="100" height="10"/>'
        f'<rect class="f-{escape(css)}" width="{width:.2f}" height="10"/></svg>'
    )


def interval(metric: Metric, low: float = 0.0, high: float = 1.0) -> Markup:
    """A figure with its interval on a common axis; nothing when it does not lie on it."""
    if metric.value is None or not low <= metric.value <= high:
        return Markup("")

    def place(value: float) -> float:
        return 100 * (min(max(value, low), high) - low) / (high - low)

    css = "model" if metric.is_model else "baseline"
    whisker = ""
    if metric.low is not None and metric.high is not None:
        left, right = place(metric.low), place(metric.high)
        whisker = f'<rect class="f-{css}" x="{left:.2f}%" y="6" width="{max(right - left, 0.4):.2f}%" height="2"/>'
    grid = "".join(f'<rect class="f-grid" x="{x}%" y="0" width="1" height="14"/>' for x in (0, 25, 50, 75, 99.8))
    return Markup(
        f'<svg class="interval" aria-hidden="true" height="14">{grid}'
        f'{whisker}<circle class="f-{css}" cx="{place(metric.value):.2f}%" cy="7" r="4"/></svg>'
    )


def shade(value: float, largest: float) -> int:
    """0 for nothing, else 1 (little) to 5 (the most)."""
    return 0 if value <= 0 or largest <= 0 else min(SHADES, 1 + int(SHADES * value / largest * 0.9999))


def heat_map(timeline: Timeline) -> Markup:
    """Rows of each table by period, each table against its own largest period; an empty cell is outlined."""
    columns = len(timeline.periods)
    pitch = _pitch(columns)
    width, height = LABEL + columns * pitch + MARGIN, TOP + len(timeline.counts) * (CELL + GAP)
    rows = [_row(timeline, place, name, pitch) for place, name in enumerate(timeline.counts)]
    label = f"Rows of {len(timeline.counts)} tables by {timeline.unit}; the numbers are in the table below the figure"
    return Markup(
        f'<svg class="heat" role="img" aria-label="{escape(label)}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">{"".join(_axis(timeline.periods, pitch))}{"".join(rows)}</svg>'
    )


def share_map(periods: Sequence[str], rows: Mapping[str, Sequence[tuple[int, int]]], unit: str) -> Markup:
    """Shares of the stays of each period, as (having, stays); outlined where there are stays and none has it."""
    pitch = _pitch(len(periods), NAMES)
    width, height = NAMES + len(periods) * pitch + MARGIN, TOP + len(rows) * (CELL + GAP)
    cells = []
    for place, (name, shares) in enumerate(rows.items()):
        y = TOP + place * (CELL + GAP)
        text = f"{escape(_fitting(name))}<title>{escape(name)}</title>"
        cells.append(f'<text class="name" x="{NAMES - 10}" y="{y + 15}">{text}</text>')
        for column, (having, stays) in enumerate(shares):
            if stays:
                tip = escape(f"{name}, {periods[column]}: {share(having, stays)} of {number(stays)} stays")
                cells.append(
                    f'<rect class="h{shade(having, stays)}" x="{NAMES + column * pitch}" y="{y}" '
                    f'width="{pitch - GAP}" height="{CELL}" rx="2"><title>{tip}</title></rect>'
                )
    label = f"Shares of the stays by {unit}, {len(rows)} rows"
    return Markup(
        f'<svg class="heat" role="img" aria-label="{escape(label)}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">{"".join(_axis(periods, pitch, NAMES))}{"".join(cells)}</svg>'
    )


def _pitch(columns: int, left: int = LABEL) -> int:
    return min(WIDEST, max(CELL, (PAGE - left - MARGIN) // columns - GAP)) + GAP


def _fitting(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def scale() -> Markup:
    """The shades from nothing to the most."""
    cells = [f'<rect class="h{i}" x="{i * 18 + 1}" y="1" width="14" height="12" rx="2"/>' for i in range(SHADES + 1)]
    return Markup(f'<svg width="{18 * (SHADES + 1)}" height="14">{"".join(cells)}</svg>')


def _axis(periods: Sequence[str], pitch: int, left: int = LABEL) -> Iterable[str]:
    """Labels above the columns, as many as fit without touching."""
    each = max(1, -(-9 * max(map(len, periods)) // pitch))
    for place in range(0, len(periods), each):
        yield f'<text x="{left + place * pitch}" y="{TOP - 10}">{escape(periods[place])}</text>'


def _row(timeline: Timeline, place: int, name: str, pitch: int) -> str:
    y, rows = TOP + place * (CELL + GAP), timeline.counts[name]
    cells = [f'<text class="name" x="{LABEL - 10}" y="{y + 15}">{escape(name)}</text>']
    for column, count in enumerate(rows):
        tip = escape(f"{name}, {timeline.periods[column]}: {number(count)}")
        cells.append(
            f'<rect class="h{shade(count, max(rows))}" x="{LABEL + column * pitch}" y="{y}" width="{pitch - GAP}" '
            f'height="{CELL}" rx="2"><title>{tip}</title></rect>'
        )
    return "".join(cells)
