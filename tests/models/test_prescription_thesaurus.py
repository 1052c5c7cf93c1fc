"""Our interaction lines against the ANSM thesaurus they cite (edition of 20 October 2020)."""

import json
import unicodedata

import pytest

from models.prescription_review.knowledge import load_knowledge

# Words of our lines -> names of the thesaurus, where they differ.
NAMES = {
    "AINS": ["anti-inflammatoires non steroidiens"],
    "anticoagulants oraux directs": ["anticoagulants oraux"],
    "antivitamines K": ["antivitamines k", "anticoagulants oraux"],
    "dérivés nitrés": ["derives nitres et apparentes"],
    "spironolactone et éplérénone": ["diuretiques epargneurs de potassium (seuls ou associes)"],
    "diurétiques thiazidiques": ["diuretiques thiazidiques et apparentes"],
    "inhibiteurs de la recapture de la sérotonine": ["inhibiteurs selectifs de la recapture de la serotonine"],
    "cotrimoxazole (triméthoprime)": ["trimethoprime"],
    "dabigatran étexilate": ["dabigatran"],
    "linézolide": ["linezolide"],
}


def plain(text):
    spaced = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(c))
    return spaced.replace("œ", "oe").removeprefix("autres ").strip()


@pytest.fixture(scope="module")
def thesaurus(shared_data):
    folder = shared_data / "ansm-interactions"
    read = {name: json.loads((folder / f"{name}_2020-10-20.json").read_text()) for name in ("thesaurus", "substances")}
    classes = {plain(row["substance"]): {plain(c) for c in row["drug_classes"]} for row in read["substances"]}
    levels = {}
    for entry in read["thesaurus"]:
        pair = frozenset((plain(entry["main_drug"]), plain(entry["plus_drug"])))
        levels.setdefault(pair, set()).update(plain(level["level"]) for level in entry["severity_levels"])
    return classes, levels


def test_every_interaction_line_is_in_the_thesaurus_at_that_level(thesaurus):
    classes, levels = thesaurus

    def named(substance):
        names = {plain(name) for name in NAMES.get(substance, [substance])}
        return names.union(*(classes.get(name, set()) for name in names))

    unknown = [
        f"{line.line}: {line.substance_a} + {line.substance_b}: {line.level}"
        for line in load_knowledge().interactions.itertuples()
        if not any(
            plain(line.level) in levels.get(frozenset((a, b)), set())
            for a in named(line.substance_a)
            for b in named(line.substance_b)
        )
    ]
    assert unknown == []
