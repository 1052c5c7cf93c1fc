"""The report: one self-contained HTML page of what happened in a workspace, to be read and signed.

path = write_report(Workspace(Path("W")))    # W/report/index.html
"""

from pathlib import Path

from passerelle.workspace import Workspace


def write_report(workspace: Workspace, *, outbox_url: str | None = None) -> Path:
    """Write the report of a workspace; what is absent is said, with the command that gives it.

    Args:
        outbox_url: SQLAlchemy URL of the outbox, where it is not the workspace's own.
    """
    from passerelle.report.collect import collect
    from passerelle.report.render import render

    page = render(collect(workspace, outbox_url))
    path = workspace.report
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(page, encoding="utf-8")
    unfinished.replace(path)  # whoever reads it meanwhile sees the old page or the new one, never half of one
    return path


__all__ = ["write_report"]
