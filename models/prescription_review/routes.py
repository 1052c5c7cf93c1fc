"""Routes of administration as hospitals write them. Read by a pharmacist; no logic but the look-up.

What is not known is never a guess: a route decides what a maximum is, and whether an interaction interrupts.
"""

from __future__ import annotations

from functools import lru_cache

from models.prescription_review.interactions.words import plain

OTHER = "other"  # something is written that is not here
# Plain words (lower case, no accent, no punctuation), without "voie" before them -> route.
WRITTEN: dict[str, str] = {
    **dict.fromkeys(("po", "oral", "orale", "per os", "bouche", "po ng", "dysphagia", "by mouth"), "oral"),
    **dict.fromkeys(
        ("ng", "nd", "og", "gt", "jt", "ng og", "sng", "peg", "gpe", "sonde", "sonde nasogastrique",
         "sonde naso gastrique", "gastrostomie", "jejunostomie", "enterale", "enteral", "enteral tube only not oral",
         "g tube", "j tube", "nasogastric", "nasogastrique", "sonde enterale", "sonde gastrique"),
        "tube",
    ),
    **dict.fromkeys(
        ("sl", "sublinguale", "sublingual", "bu", "buccal", "buccale", "perlinguale", "transmuqueuse"), "buccal"
    ),
    **dict.fromkeys(
        ("iv", "ivd", "ivl", "ivse", "ivs", "ivpb", "ivpca", "ivci", "iv drip", "iv bolus", "iv push", "iv infusion",
         "iv flush", "iv continu", "iv lente", "iv directe", "intraveineuse", "intraveineuse directe",
         "intraveineuse lente", "intravenous", "injectable intraveineuse", "perfusion", "perfusion iv", "pse", "picc",
         "cvl", "ij", "io", "intraosseuse", "replace"),
        "iv",
    ),
    **dict.fromkeys(("im", "intramusculaire", "intramuscular"), "im"),
    **dict.fromkeys(
        ("sc", "s c", "sq", "sous cutanee", "subcut", "subcutaneous", "sc infusion", "subcut infusion", "scpca"), "sc"
    ),
    **dict.fromkeys(("injectable", "parenterale", "parenteral", "injection"), "parenteral"),
    **dict.fromkeys(
        ("it", "ith", "itpca", "intrathecale", "intrathecal", "intrarachidienne", "rachianesthesie"), "intrathecal"
    ),
    **dict.fromkeys(("ed", "edpca", "peridurale", "epidurale", "epidural"), "epidural"),
    **dict.fromkeys(("periphnerve", "perineural", "perineurale", "infiltration"), "perineural"),
    **dict.fromkeys(
        ("inh", "ih", "inhalation", "inhalee", "inhaled", "neb", "nebulisation", "nebulisee", "aerosol", "aero",
         "intratracheale", "et"),
        "inhaled",
    ),
    **dict.fromkeys(
        ("td", "transdermique", "transdermal", "patch", "percutanee", "dispositif transdermique"), "transdermal"
    ),
    **dict.fromkeys(("pr", "rectale", "rectal", "intrarectale"), "rectal"),
    **dict.fromkeys(
        ("tp", "top", "topique", "topical", "locale", "cutanee", "cutaneous", "application locale"), "topical"
    ),
    **dict.fromkeys(
        ("oph", "ophtalmique", "oculaire", "ophthalmic", "both eyes", "left eye", "right eye", "ou", "intravitreal",
         "conjonctivale", "collyre"),
        "eye",
    ),
    **dict.fromkeys(("auriculaire", "otic", "both ears", "left ear", "right ear", "au"), "ear"),
    **dict.fromkeys(("nasale", "nasal", "nas", "nu", "in", "intranasale", "intranasal"), "nasal"),
    **dict.fromkeys(("pv", "vg", "vag", "vaginale", "vaginal", "intravaginale"), "vaginal"),
    **dict.fromkeys(("id", "intradermique", "intradermal"), "intradermal"),
    **dict.fromkeys(("dwell", "verrou", "catheter lock", "dialys", "dialysis", "circuit de dialyse"), "line"),
    # "ir" is an irrigation on American lists, rarely the rectum on French ones.
    **dict.fromkeys(("irrigation", "ir", "lavage", "bain de bouche", "mouthwash", "gargarisme"), "rinse"),
}  # fmt: skip
# Standard concepts of routes (SNOMED CT in the OMOP vocabularies).
CONCEPTS = {
    4132161: "oral", 4171047: "iv", 4142048: "sc", 4302612: "im", 4290759: "rectal", 4292110: "buccal",
    4262099: "transdermal", 4263689: "topical", 4184451: "eye", 4023156: "ear", 4262914: "nasal", 40486069: "inhaled",
    45956874: "inhaled", 4057765: "vaginal", 4225555: "epidural",
}  # fmt: skip
ROUTES = frozenset(WRITTEN.values())
# Routes between which a usual dose or a maximum does not differ.
FAMILY = {"tube": "oral", "iv": "parenteral", "im": "parenteral", "sc": "parenteral"}


@lru_cache(maxsize=20_000)
def route_of(written: str, concept: int) -> str:
    """One of ``ROUTES`` by what is written, else by its standard concept; ``OTHER``, or "" where nothing is written."""
    text = plain(written).removeprefix("voie ")
    return WRITTEN.get(text, "") or CONCEPTS.get(concept, "") or (OTHER if text else "")
