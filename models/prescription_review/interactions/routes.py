"""Routes of administration, as finely as interactions need them. Read by a pharmacist; no logic but the look-up.

What is not known is "" and never a guess: a route decides whether an alert interrupts.
"""

from __future__ import annotations

from functools import lru_cache

from models.prescription_review.interactions.words import plain

# As hospitals write it (plain words) -> route.
_WRITTEN = {
    **dict.fromkeys(
        ("po", "oral", "orale", "per os", "voie orale", "by mouth", "po ng", "ng", "nd", "og", "gt", "jt", "g tube",
         "peg", "sng", "sonde nasogastrique", "gastrostomie", "dysphagia"),
        "oral",
    ),
    **dict.fromkeys(("sl", "sublingual", "sublinguale", "voie sublinguale", "bu", "buccal", "buccale"), "sublingual"),
    **dict.fromkeys(
        ("iv", "ivd", "ivl", "ivse", "iv drip", "iv bolus", "ivpca", "ivpb", "iv push", "intraveineuse", "intravenous",
         "voie intraveineuse", "perfusion", "ij", "io", "replace", "intraosseuse"),
        "iv",
    ),
    **dict.fromkeys(("sc", "subcut", "sq", "sous cutanee", "subcutaneous", "voie sous cutanee"), "sc"),
    **dict.fromkeys(("im", "intramusculaire", "intramuscular", "voie intramusculaire"), "im"),
    **dict.fromkeys(("pr", "rectal", "rectale", "voie rectale"), "rectal"),
    **dict.fromkeys(("td", "transdermique", "transdermal", "patch", "dispositif transdermique"), "transdermal"),
    **dict.fromkeys(("tp", "topique", "topical", "cutanee", "cutaneous", "voie cutanee", "locale"), "skin"),
    **dict.fromkeys(
        ("both eyes", "left eye", "right eye", "ophtalmique", "ophthalmic", "voie ophtalmique",
         "collyre"),
        "eye",
    ),
    **dict.fromkeys(("left ear", "right ear", "both ears", "auriculaire", "otic", "voie auriculaire"), "ear"),
    **dict.fromkeys(("nu", "nas", "nasal", "nasale", "in", "intranasal", "voie nasale"), "nose"),
    **dict.fromkeys(("ih", "neb", "inh", "inhalee", "inhalation", "voie inhalee", "nebulisation"), "inhaled"),
    **dict.fromkeys(("vg", "vag", "vaginal", "vaginale", "voie vaginale"), "vaginal"),
    **dict.fromkeys(("dwell", "verrou", "catheter lock", "dialys", "dialysis", "circuit de dialyse"), "line"),
    **dict.fromkeys(
        ("ed", "epidural", "peridurale", "periphnerve", "perineural", "infiltration", "it", "intrathecal",
         "intrathecale"),
        "nerve",
    ),
    **dict.fromkeys(("id", "intradermique", "intradermal"), "intradermal"),
    **dict.fromkeys(("irrigation", "ir", "lavage", "bain de bouche", "mouthwash", "gargarisme"), "rinse"),
}  # fmt: skip
# Standard concepts of the OMOP vocabulary.
_CONCEPTS = {
    4132161: "oral", 4171047: "iv", 4142048: "sc", 4302612: "im", 4290759: "rectal", 4292110: "sublingual",
    4262099: "transdermal", 4263689: "skin", 4184451: "eye", 4023156: "ear", 4262914: "nose", 40486069: "inhaled",
    45956874: "inhaled", 4057765: "vaginal", 4225555: "nerve",
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
    text = plain(written)
    found = _WRITTEN.get(text, "") or _CONCEPTS.get(concept, "")
    if not found and not text:
        found = next((form for begin, form in _FORMS.items() if atc.startswith(begin)), "")
    return ORDER.index(found)


@lru_cache(maxsize=20_000)
def is_local(route: int, atc: str) -> bool:
    """Whether an order acts where it is put: the route, but for drugs that are given by it for the whole body."""
    groups = LOCAL.get(ORDER[route])
    return groups is not None and not atc.startswith(groups or ("-",))
