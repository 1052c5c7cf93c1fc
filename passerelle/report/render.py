"""Facts → one HTML page: everything inside it, nothing fetched, readable without a script."""

import base64
import hashlib
import re
import shlex
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from passerelle import __version__
from passerelle.report import charts, wording
from passerelle.report.facts import OUTCOMES, Metric, QualityCheck, ReportFacts, SourceFacts
from passerelle.report.summary import VERDICTS, findings, sentence, worst

SHOWN = 12  # rows of a long list before the fold
SEVERITIES = ("fatal", "convention", "characterization")
_VIEW_BOX = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
STATUSES = ("passed", "failed", "not applicable", "not evaluated")


def render(facts: ReportFacts) -> str:
    """The page of a workspace."""
    found = findings(facts)
    environment = _environment()
    style, script = (_text(environment, name) for name in ("style.css", "filter.html"))
    return environment.get_template("page.html").render(
        report=facts,
        sentence=sentence(facts),
        findings=found,
        level=worst(found),
        verdict=VERDICTS[worst(found)],
        command=_command(facts.workspace),
        version=__version__,
        style=Markup(style),
        script=Markup(script),
        policy=_policy(script),
    )


def _policy(script: str) -> str:
    """The browser itself refuses whatever is not in the page: no request can leave, no other script can run."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'"


def _command(workspace: str) -> Any:
    """``command("run SOURCE")`` → what a person types for this workspace."""
    return lambda text: f"passerelle {text} --workspace {shlex.quote(workspace)}"


def svg_address(svg: str) -> str:
    """A picture as a data address: shown as an image, a script in it could not run."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def by_figure(metrics: Sequence[Metric]) -> dict[str, list[Metric]]:
    """Metrics of the same figure together, in the order in which they came."""
    figures: dict[str, list[Metric]] = {}
    for metric in metrics:
        figures.setdefault(metric.figure, []).append(metric)
    return figures


def failed_kinds(source: SourceFacts) -> list[list[QualityCheck]]:
    """The checks that failed, by name: the gravest first, then the most frequent; in each, the worst first."""
    kinds: dict[tuple[str, str], list[QualityCheck]] = {}
    for check in source.checks:
        if check.status == "failed":
            kinds.setdefault((check.severity, check.check), []).append(check)
    for checks in kinds.values():
        checks.sort(key=lambda check: -(check.violated or 0) / (check.rows or 1))
    return sorted(kinds.values(), key=lambda checks: (_gravity(checks[0].severity), -len(checks), checks[0].check))


def _gravity(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def breakable(name: str) -> Markup:
    """A long technical name that may go on in the next line after a dot, an underscore or a small letter."""
    pieces = re.split(r"(?<=[._])|(?<=[a-z])(?=[A-Z])", name)
    return Markup("<wbr>").join(pieces)


def is_wide(svg: str) -> bool:
    """Whether a picture holds panels side by side and wants the whole width."""
    box = _VIEW_BOX.search(svg)
    return box is not None and float(box[1]) > 1.7 * float(box[2])


def _text(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("passerelle.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "n": wording.number,
        "dec": wording.decimals,
        "sec": wording.seconds,
        "moment": wording.moment,
        "words": wording.words,
        "breakable": breakable,
        "svg_address": svg_address,
        "parts": lambda account: [(outcome, account.outcomes[outcome], outcome) for outcome in OUTCOMES],
    }
    environment.globals |= {
        "charts": charts,
        "share": wording.share,
        "count": wording.count,
        "OUTCOMES": OUTCOMES,
        "SEVERITIES": SEVERITIES,
        "STATUSES": STATUSES,
        "COMPARISON_MEANING": wording.COMPARISON_MEANING,
        "SHOWN": SHOWN,
        "failed_kinds": failed_kinds,
        "by_figure": by_figure,
        "is_wide": is_wide,
        "OUTCOME_MEANING": wording.OUTCOME_MEANING,
        "STEP_MEANING": wording.STEP_MEANING,
        "STATE_MEANING": wording.STATE_MEANING,
        "NONE": wording.NONE,
    }
    return environment
