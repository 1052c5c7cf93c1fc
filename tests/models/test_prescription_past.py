"""What was so since an order was written and is over when it is judged: how it is told."""

import numpy as np
import pytest

from models.prescription_review.config import load_config
from models.prescription_review.explain import explain
from models.prescription_review.explained import records
from models.prescription_review.features import FEATURES, build_cases
from models.prescription_review.knowledge import load_knowledge
from models.prescription_review.learned import Learned
from models.view_store import read_views
from tests.models.hospital_views import store_of
from tests.models.test_prescription_rules import CASES, ROWS, number_of

KNOWLEDGE = load_knowledge()
# Beginning of a story of the golden rules → what is said of an order, and of the row that it rests on.
SAID = {
    "Irbesartan": (
        "a", "irbésartan : kaliémie à 5,9 mmol/L au plus haut des 10 derniers jours, au-dessus de 5,5 ; "
        "4,6 au dernier résultat.",
        "kaliémie 5,9 mmol/L du 05/03/2025",
    ),
    "Rosuvastatin written": (
        "a", "rosuvastatine : à ne pas utiliser sous 30 mL/min ; débit de filtration (CKD-EPI) à 18 mL/min/1,73 m² au "
        "plus bas des derniers résultats.", "créatinine 280 µmol/L du 05/03/2025",
    ),
    "Rosuvastatin for a woman of 60": (
        "a", "débit de filtration (CKD-EPI) à 25 mL/min/1,73 m² au plus bas des derniers résultats.",
        "créatinine 180 µmol/L du 03/02/2025",
    ),
    "Pantoprazole beside": (
        "b", "pantoprazole : prescrit en même temps qu'une autre ligne de la même classe, arrêtée depuis "
        "(inhibiteurs de la pompe à protons : ésoméprazole).", "ésoméprazole",
    ),
    "Clarithromycin": (
        "b", "Signalée sans interruption : l'autre ligne est déjà arrêtée. Proposition : demander la surveillance",
        "simvastatine",
    ),
}  # fmt: skip


def told(given, order, judged_after):
    store = store_of(**{view: [ROWS[view](row) for row in rows] for view, rows in given.items()})
    config = load_config().model_copy(update={"judged_within_hours": judged_after})
    cases = build_cases(read_views(store, config.views, model="test"), config, KNOWLEDGE)
    learned = Learned.learn(cases, np.full(len(cases.rows["age"]), np.nan), 3)
    rows = records(cases.rows | learned.compare(cases))
    row = next(row for row in rows if row["drug_exposure_id"] == number_of(order))
    found = [one for one in records(cases.found) if one["drug_exposure_id"] == number_of(order)]
    return explain(row, found, np.zeros(len(FEATURES)), KNOWLEDGE, config.timezone)


def case_of(story):
    return next(case for case in CASES if case["story"].startswith(story))


@pytest.mark.parametrize("story", SAID)
def test_golden_sentence(story):
    order, sentence, rests_on = SAID[story]
    found = told(case_of(story)["given"], order, case_of(story).get("judged_after", 0))
    assert sentence in found.message and found.severity == "low"
    assert rests_on in [evidence.label for evidence in found.evidence]


def test_a_filtration_just_under_a_limit_is_not_told_as_the_limit():
    given = case_of("Rosuvastatin written")["given"]
    results = [row | {"value": 187.3} if row["row"] == 1 else row for row in given["lab_results"]]  # 29.6 mL/min
    found = told(given | {"lab_results": results}, "a", 72)
    assert "sous 30 mL/min ; débit de filtration (CKD-EPI) à 29 mL/min/1,73 m²" in found.message
