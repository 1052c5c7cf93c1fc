"""Rotate keys: the crosswalk is closed with a new one; the keys of the ids themselves are refused, and why."""

from typing import Any

from etl.crosswalk import Crosswalk
from etl.identity import renew_crosswalk_secret, secrets_from
from passerelle.errors import UsageError
from passerelle.settings import Settings
from passerelle.workspace import Workspace

CROSSWALK = "crosswalk"
WHY = "rotate the key of the crosswalk"


def rotate(settings: Settings, only: str) -> dict[str, Any]:
    """Close the crosswalk of every source of a workspace with a new key.

    The new key stands in the keys file, and the former one beside it, before the first crosswalk is written; each of
    them is replaced in one rename. Killed at any moment, every crosswalk opens: with the one key or with the other.
    """
    if only != CROSSWALK:
        raise _refused(only)
    workspace = Workspace(settings.workspace)
    workspace.manifest()  # says so when there is none
    if settings.secret_crosswalk is not None and settings.secret_crosswalk_before is None:
        raise UsageError(
            "the key of the crosswalk is in your settings, where this command cannot write",
            looked="PASSERELLE_SECRET_CROSSWALK",
            do="set the new one there and the former one as PASSERELLE_SECRET_CROSSWALK_BEFORE, then run this again; "
            "afterwards remove the former one",
        )
    with workspace.locked():
        former = None if settings.secret_crosswalk is not None else renew_crosswalk_secret(settings.keys_file)
        secrets, keys = secrets_from(settings)
        crosswalk = Crosswalk(workspace.lake.identity, secrets.crosswalk, secrets.retired)
        rows = {source: crosswalk.rotate(source, why=WHY) for source in workspace.manifest()["sources"]}
    return {"rotated": only, "keys": keys, "former": former and str(former), "rows": rows}


def _refused(only: str) -> UsageError:
    return UsageError(
        f"the key of {only} is not rotated in place: every id made with it would change, in the lake, in what was "
        "published and in the results that were delivered",
        looked="--only",
        do="make a second workspace with other keys: PASSERELLE_KEYS_FILE=NEW_FILE passerelle run SOURCE --workspace "
        "NEW; the identifiers in the two crosswalks tell which ids are the same; delete the old workspace afterwards",
    )
