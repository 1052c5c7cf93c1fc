"""The page that a person sees who opens the address of a sandbox."""

from html import escape

from fhir_adapters.sandbox.capability import NOTICE
from fhir_adapters.sandbox.repository import Repository
from fhir_adapters.sandbox.store import Version

LAST_CHANGES = 20


def page(repository: Repository) -> str:
    """How many resources of each type there are, and what changed last, with links to the JSON."""
    index, base_url = repository.store.index, repository.base_url
    counts = [(kind, len(index.ids(kind))) for kind in index.types()]
    types = [f'<li><a href="{_href(base_url, kind)}">{escape(kind)}</a>: {count}' for kind, count in counts]
    changes = [_row(base_url, version) for version in reversed(repository.store.log[-LAST_CHANGES:])]
    links = " · ".join(f'<a href="{_href(base_url, path)}">{path}</a>' for path in ("metadata", "_history"))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Passerelle sandbox</title>'
        "<style>body{font:16px/1.5 sans-serif;margin:2rem;max-width:70rem}td{padding:0 1rem 0 0}</style>"
        f"<h1>Passerelle sandbox (FHIR R4)</h1><p><strong>{escape(NOTICE)}</strong></p>"
        f"<p>FHIR base: <code>{escape(base_url)}</code> · {links}</p>"
        f"<h2>Resources</h2><ul>{''.join(types) or '<li>none yet'}</ul>"
        f"<h2>Last changes</h2><table>{''.join(changes) or '<tr><td>none yet'}</table></html>"
    )


def _row(base_url: str, version: Version) -> str:
    link = f'<a href="{_href(base_url, f"{version.path}/_history/{version.version_id}")}">{escape(version.path)}</a>'
    return f"<tr><td>{escape(version.updated)}<td>{escape(version.method)}<td>{link}<td>{escape(version.version_id)}"


def _href(base_url: str, path: str) -> str:
    return escape(f"{base_url}/{path}", quote=True)
