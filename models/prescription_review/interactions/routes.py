"""Routes as interactions tell them apart, and which of them act where they are put. Read by a pharmacist."""

from __future__ import annotations

from functools import lru_cache

from models.prescription_review.routes import OTHER, route_of

# Where interactions need a coarser route than doses do; an injection without a site is none that they know.
_COARSER = {
    "tube": "oral", "buccal": "sublingual", "topical": "skin", "nasal": "nose", "parenteral": "", OTHER: "",
    **dict.fromkeys(("intrathecal", "epidural", "perineural"), "nerve"),
}  # fmt: skip
# Where no route is written, the beginning of the ATC code says the form.
_FORMS = {
    "S01": "eye", "S02": "ear", "R01A": "nose", "R03A": "inhaled", "R03B": "inhaled", "D0": "skin", "D1": "skin",
    "M02A": "skin", "G01": "vaginal", "G02BB": "vaginal", "G02CC": "vaginal", "C05A": "rectal", "N01AB": "inhaled",
}  # fmt: skip

# French words for the sentence.
NAMES = {
    "oral": "orale", "sublingual": "sublinguale", "iv": "intraveineuse", "sc": "sous-cutanée", "im": "intramusculaire",
    "rectal": "rectale", "transdermal": "transdermique", "skin": "cutanée", "eye": "ophtalmique", "ear": "auriculaire",
    "nose": "nasale", "inhaled": "inhalée", "vaginal": "vaginale", "line": "dans le cathéter ou le circuit",
    "nerve": "péridurale ou péri-nerveuse", "intradermal": "intradermique", "rinse": "rinçage ou irrigation",
}  # fmt: skip
ORDER = ("", *NAMES)  # a route's number is its place
# Little of it reaches the blood: route -> ATC groups that are given by it for the whole body (hormones, opioids…).
LOCAL = {
    "skin": (), "eye": (), "ear": (), "line": (), "intradermal": (), "rinse": (),
    "nose": ("H", "N", "G"), "inhaled": ("N", "B", "G", "H"), "vaginal": ("G02B", "G03"),
}  # fmt: skip


@lru_cache(maxsize=20_000)
def route_number(written: str, concept: int, atc: str) -> int:
    """Which of ``ORDER`` an order is given by: what is written, else the concept, else the form its code says."""
    route = route_of(written, concept)
    found = _COARSER.get(route, route)
    if not route:
        found = next((form for begin, form in _FORMS.items() if atc.startswith(begin)), "")
    return ORDER.index(found)


@lru_cache(maxsize=20_000)
def is_local(route: int, atc: str) -> bool:
    """Whether an order acts where it is put: the route, but for drugs that are given by it for the whole body."""
    groups = LOCAL.get(ORDER[route])
    return groups is not None and not atc.startswith(groups or ("-",))
