"""What a server can do. The sandbox stands in for lesser ones: one switch for each behaviour of a real server."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Abilities:
    """Every default is what R4 asks for; each other value was seen at a server that hospitals run."""

    update_create: bool = True  # PUT [type]/<id of the client> creates; else 405
    transactions: bool = True  # else 422
    batches: bool = True  # else 422
    conditional_create: bool = True  # If-None-Exist, ifNoneExist; else 412
    conditional_update: bool = True  # PUT and DELETE [type]?search; else 405
    validates: bool = True  # requests are held against our R4 rules
    referential_integrity: bool = False  # a literal reference must lead to a resource of this server
    writable: frozenset[str] | None = None  # the only types that may be written; None: all
    takes_ai_mark: bool = True  # else AIAST is an unknown code: 422
    takes_extensions: bool = True  # else an extension that R4 does not define: 422
    transactions_as_batch: bool = False  # each entry for itself, and nobody is told
    merges_twins: bool = False  # of two conditional updates of one identity, the second is dropped in silence
    races: bool = False  # a condition is looked up, and acted on only a moment later
    bars_in_identifiers: bool = True  # else a search for an identifier with "|" in its value finds nothing
    stale_if_match: Literal[412, 409] = 412
    unchanged_makes_version: bool = True
    opaque_versions: bool = False  # versions are no numbers
    max_bytes: int | None = None  # of a body; beyond: 413
    max_entries: int | None = None  # of a Bundle
    max_conditional_entries: int | None = None
    too_many_entries: Literal[413, 400] = 413
    claims: Literal["truth", "everything", "little"] = "truth"  # what the CapabilityStatement says of all this


NO_TRANSACTIONS = Abilities(transactions=False, batches=False, claims="everything")
BATCH_ONLY = Abilities(transactions=False)
SILENT_BATCH = Abilities(
    transactions_as_batch=True, bars_in_identifiers=False, opaque_versions=True,
    max_entries=50, max_conditional_entries=8, too_many_entries=400,
)  # fmt: skip
SMALL_BUNDLES = Abilities(max_entries=25, max_bytes=256 * 1024)
SERVER_IDS = Abilities(update_create=False)
CONDITIONAL_UPDATE_ONLY = Abilities(update_create=False, conditional_create=False)
STRICT_REFERENCES = Abilities(
    referential_integrity=True, stale_if_match=409, unchanged_makes_version=False, merges_twins=True, claims="little"
)
PLAIN_R4 = Abilities(takes_ai_mark=False, takes_extensions=False)
READ_MOSTLY = Abilities(
    update_create=False, transactions=False, batches=False, conditional_create=False, conditional_update=False,
    writable=frozenset({"DocumentReference"}),
)  # fmt: skip
