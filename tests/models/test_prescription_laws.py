"""Laws of the rules: on what a finding rests, what must not move it, and what can only add to it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.prescription_review.config import load_config
from models.prescription_review.explain import explain
from models.prescription_review.features import FEATURES, build_cases
from models.prescription_review.knowledge import load_knowledge
from models.prescription_review.reasons import remarkable
from models.prescription_review.rules import CATEGORIES, SEVERITY_RANK
from models.prescription_review.wording import REVIEW, STATISTICAL
from models.view_store import read_views
from tests.models.hospital_views import TableStore, noisy_after, store_of, utc

CONFIG, KNOWLEDGE = load_config(), load_knowledge()
FIRST = pd.Timestamp("2025-01-01", tz="UTC")
# Substances of which many lines speak, with a usual dose; and facts that many lines ask for.
DRUGS = [
    ("N02BE01", 1000, "mg", 3, "PO"), ("M01AE01", 400, "mg", 3, "PO"), ("J01CA04", 1000, "mg", 3, "PO"),
    ("J01DD04", 1000, "mg", 1, "IV"), ("J01GB03", 300, "mg", 1, "IV"), ("L04AX03", 15, "mg", 0.14, "PO"),
    ("B01AA12", 20, "mg", 1, "PO"), ("B01AB05", 4000, "UI", 1, "SC"), ("C03AA03", 25, "mg", 1, "PO"),
    ("N06AA09", 25, "mg", 1, "PO"), ("N02AA05", 10, "mg", 2, "PO"), ("A06AD15", None, None, 2, "PO"),
    ("A02BC02", 20, "mg", 1, "PO"), ("N05CF01", 3.75, "mg", 1, "PO"), ("A10AE04", 20, "UI", 1, "SC"),
    ("C09AA05", 5, "mg", 1, "PO"), ("N03AG01", 500, "mg", 2, "PO"), ("C07AB07", 5, "mg", 1, "IV"),
    ("N02AA01", 30, "mg", 2, "SNG"), ("J01MA12", 500, "mg", 1, "IV"), ("B03BB01", 5, "mg", 0.14, "PO"),
]  # fmt: skip
LABS = [("Créatinine", "mg/dL", 0.7, 5.7), ("Kaliémie", "mmol/L", 2, 7), ("Natrémie", "mmol/L", 115, 145),
        ("Plaquettes", "G/L", 20, 300), ("INR", "", 1, 8), ("Glycémie", "mmol/L", 2, 20)]  # fmt: skip
ILL = ["I48", "G30.1", "G20", "K56.6", "I50.9", "Z88.0", "Z34.0", "E10.9", "R29.6", "I10"]
SAID = [("allergy", "Allergie à la pénicilline"), ("allergy", "Aspirine"), ("pregnancy", "Grossesse 28 SA")]

day = st.integers(0, 30)
orders = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, len(DRUGS) - 1), day, st.one_of(st.none(), st.integers(1, 12)),
              st.sampled_from([0.1, 1, 1, 1, 10])), min_size=1, max_size=14,
)  # fmt: skip
labs = st.lists(st.tuples(st.integers(0, 2), st.integers(0, len(LABS) - 1), day, st.floats(0, 1)), max_size=14)
ills = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(ILL), st.integers(-40, 30)), max_size=5)
said = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(SAID), st.integers(-40, 30)), max_size=3)
patients = st.lists(st.tuples(st.integers(1930, 2015), st.sampled_from("FM")), min_size=3, max_size=3)
hospitals = st.tuples(patients, orders, labs, ills, said)
quick = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


def at(day, hour=9):
    return FIRST + pd.Timedelta(days=day, hours=hour)


def store(hospital) -> TableStore:
    people, lines, results, diagnoses, statements = hospital
    rows = {
        "persons": [
            {"person_id": n, "year_of_birth": born, "sex": sex} for n, (born, sex) in enumerate(people)
        ],
        "stays": [
            {"visit_occurrence_id": n, "person_id": n, "kind": "inpatient", "started_at": at(0), "available_at": at(0)}
            for n in range(len(people))
        ],
        "drug_orders": [
            {
                "drug_exposure_id": n + 1, "person_id": who, "visit_occurrence_id": who, "drug_concept_id": 0,
                "concept_name": DRUGS[drug][0], "source_code": DRUGS[drug][0], "atc_code": DRUGS[drug][0],
                "route_concept_id": 0, "route_source": DRUGS[drug][4], "started_at": at(start),
                "ended_at": None if length is None else at(start + length),
                "dose_value": None if DRUGS[drug][1] is None else DRUGS[drug][1] * factor,
                "dose_unit": DRUGS[drug][2], "doses_per_day": DRUGS[drug][3], "available_at": at(start),
            }
            for n, (who, drug, start, length, factor) in enumerate(lines)
        ],
        "lab_results": [
            {
                "measurement_id": n + 1000, "person_id": who, "measurement_concept_id": 0,
                "concept_name": LABS[lab][0], "measured_at": at(when, 6), "unit": LABS[lab][1],
                "value": LABS[lab][2] + share * (LABS[lab][3] - LABS[lab][2]), "available_at": at(when, 7),
            }
            for n, (who, lab, when, share) in enumerate(results)
        ],
        "diagnoses": [
            {
                "condition_occurrence_id": n + 2000, "person_id": who, "concept_name": code, "source_code": code,
                "available_at": at(when),
            }
            for n, (who, code, when) in enumerate(diagnoses)
        ],
        "observations": [
            {
                "source_id": n + 3000, "person_id": who, "kind": kind, "concept_name": text, "observed_at": at(when),
                "available_at": at(when),
            }
            for n, (who, (kind, text), when) in enumerate(statements)
        ],
    }  # fmt: skip
    return store_of(**rows)


def cases(hospital_store: TableStore, hours=48):
    config = CONFIG.model_copy(update={"judged_within_hours": hours})
    return build_cases(read_views(hospital_store, config.views, model="test"), config, KNOWLEDGE)


def rows(findings: pd.DataFrame) -> list[tuple]:
    return [tuple(row) for row in findings.astype({"value": str, "limit": str}).itertuples(index=False)]


@quick
@given(hospitals)
def test_a_finding_names_an_order_a_line_and_a_row_that_was_known(hospital):
    found = cases(store(hospital))
    judged = dict(zip(found.orders["drug_exposure_id"], found.orders["index_time"], strict=True))
    _, lines, results, diagnoses, statements = hospital
    known = {("measurement", n + 1000): at(when, 7) for n, (_, _, when, _) in enumerate(results)}
    known |= {("condition_occurrence", n + 2000): at(when) for n, (_, _, when) in enumerate(diagnoses)}
    known |= {("observation", n + 3000): at(when) for n, (_, _, when) in enumerate(statements)}
    known |= {("drug_exposure", n + 1): at(start) for n, (_, _, start, _, _) in enumerate(lines)}
    for row in found.findings.itertuples():
        assert row.rule in CATEGORIES and row.severity in SEVERITY_RANK
        assert row.line == "SUBSTANCE" or KNOWLEDGE.line(row.line)
        assert row.other_table or row.other_id == -1
        if row.other_table:
            assert known[row.other_table, row.other_id].tz_localize(None) <= judged[row.drug_exposure_id]
    rank = found.findings["severity"].map(SEVERITY_RANK)
    assert rank.groupby(found.findings["drug_exposure_id"]).apply(lambda r: r.is_monotonic_decreasing).all()


@quick
@given(hospitals)
def test_without_facts_only_the_orders_themselves_can_be_faulted(hospital):
    people, lines, *_ = hospital
    alone = cases(store((people, lines, [], [], []))).findings
    silent = {"renal", "lab", "adverse", "monitoring", "contraindication", "allergy"}
    assert silent.isdisjoint(alone["rule"])
    assert alone.loc[alone["rule"] == "pregnancy", "line"].map(lambda n: KNOWLEDGE.lines[n]["who"]).ne("pregnant").all()
    unknown = cases(store(([(None, None)] * 3, lines, [], [], []))).findings
    assert {"age", "pregnancy", "stopp"}.isdisjoint(unknown["rule"])


@quick
@given(hospitals, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(hospital, random):
    calm = store(hospital)
    mixed = {
        name: table.take(np.array(random.sample(range(len(table)), len(table)), dtype=np.int64))
        for name, table in calm.tables.items()
    }
    assert rows(cases(calm).findings) == rows(cases(replace(calm, tables=mixed)).findings)


@quick
@given(hospitals, st.integers(0, 35))
def test_what_becomes_known_later_changes_no_finding(hospital, until):
    instant = at(until, 12).to_pydatetime()
    calm = store(hospital)
    before, after = (cases(one) for one in (calm, noisy_after(calm, instant)))
    judged = before.orders.loc[before.orders["index_time"] <= pd.Timestamp(instant).tz_localize(None)]
    same = [
        rows(one.findings[one.findings["drug_exposure_id"].isin(judged["drug_exposure_id"])]) for one in (before, after)
    ]
    assert same[0] == same[1]


@quick
@given(hospitals, st.integers(0, 2), st.sampled_from(["Z88.0", "G30.1", "K56.6", "I50.9"]))
def test_one_more_diagnosis_takes_no_contraindication_and_no_allergy_away(hospital, who, code):
    people, lines, results, diagnoses, statements = hospital
    more = (people, lines, results, [*diagnoses, (who, code, -30)], statements)
    less_found, more_found = (cases(store(one)).findings for one in (hospital, more))
    for rule in ("contraindication", "allergy"):
        kept = {(row.drug_exposure_id, row.line) for row in less_found[less_found["rule"] == rule].itertuples()}
        assert kept <= {(row.drug_exposure_id, row.line) for row in more_found[more_found["rule"] == rule].itertuples()}


@quick
@given(hospitals, st.integers(2, 50))
def test_a_higher_dose_takes_no_dose_finding_away_and_a_lower_one_no_underdose(hospital, factor):
    people, lines, results, diagnoses, statements = hospital
    orders_of = {}
    for name, by in (("low", 1 / factor), ("given", 1), ("high", factor)):
        changed = [(who, drug, start, length, f * by) for who, drug, start, length, f in lines]
        found = cases(store((people, changed, results, diagnoses, statements))).findings
        orders_of[name] = {
            rule: set(found.loc[found["rule"] == rule, "drug_exposure_id"]) for rule in ("dose", "underdose")
        }
    assert orders_of["given"]["dose"] <= orders_of["high"]["dose"]
    assert orders_of["given"]["underdose"] <= orders_of["low"]["underdose"]
    assert not orders_of["given"]["dose"] & orders_of["given"]["underdose"]


@quick
@given(hospitals)
def test_two_orders_asked_about_alone_get_the_findings_of_the_whole_hospital(hospital):
    from models.prescription_review.features import cases_of
    from models.prescription_review.known import known

    config = CONFIG.model_copy(update={"judged_within_hours": 0})
    of_all = known(read_views(store(hospital), config.views, model="test"), config)
    every = np.arange(len(of_all.tables["orders"]["drug_exposure_id"]))
    whole = cases_of(of_all, every, config, KNOWLEDGE).findings
    asked = cases_of(of_all, every[-2:], config, KNOWLEDGE)
    ids = of_all.tables["orders"]["drug_exposure_id"][every[-2:]]
    assert rows(asked.findings) == rows(whole[whole["drug_exposure_id"].isin(ids)])


@pytest.mark.parametrize("after", [0, 48])
def test_every_golden_finding_can_be_said_to_a_pharmacist(after):
    """One sentence, one proposal and where it is from, for each rule."""
    from tests.models.test_prescription_rules import CASES, ROWS, store_of

    seen = set()
    for case in CASES:
        if case.get("judged_after", 0) != after:
            continue
        views = {view: [ROWS[view](row) for row in some] for view, some in case["given"].items()}
        found = cases(store_of(**views), after)
        for order in found.orders.to_dict("records"):
            mine = found.findings[found.findings["drug_exposure_id"] == order["drug_exposure_id"]]
            for finding in mine.to_dict("records"):
                doses = dict.fromkeys(("daily_log_ratio", "dose_log_ratio"), np.nan)
                shares = np.array([1.0 if name == f"rule_{finding['rule']}" else 0.0 for name in FEATURES])
                said = explain(
                    order | dict.fromkeys(FEATURES, 0.0) | order | doses, [finding], shares, KNOWLEDGE, "UTC"
                )
                assert said.category == CATEGORIES[finding["rule"]]
                assert said.message.endswith(".") and "Proposition : " in said.message and "Act-IP" in said.message
                assert not {"{", "}", "nan", "None"} & set(said.message.split()) and "  " not in said.message
                assert said.evidence[0].row_id == order["drug_exposure_id"]
                if finding["other_table"]:
                    assert finding["other_id"] in [row.row_id for row in said.evidence]
                seen.add(finding["rule"])
    assert seen == set(CATEGORIES) if after == 0 else seen


def test_a_result_of_tomorrow_is_seen_by_the_pharmacist_who_looks_the_day_after():
    hospital = ([(1975, "M")] * 3, [(0, 1, 0, None, 1)], [(0, 0, 0, 0.05), (0, 0, 2, 0.3)], [], [])
    assert "adverse" not in set(cases(store(hospital), 0).findings["rule"])
    assert "adverse" in set(cases(store(hospital), 48).findings["rule"])
    assert utc("2025-01-01T00:00:00") == FIRST.to_pydatetime()


MOVED = sorted({name for names in STATISTICAL.values() for name in names} | {"age", "potassium", "rare_illness"})


@quick
@given(hospitals, st.dictionaries(st.sampled_from(MOVED), st.floats(0.1, 3), max_size=6), st.randoms())
def test_a_category_rests_on_what_is_known_of_the_order(hospital, moved, random):
    rows = cases(store(hospital)).orders.to_dict("records")
    for row in rows[:3]:
        learned = {name: random.choice([np.nan, random.uniform(-3, 3)]) for name in FEATURES if name not in row}
        order = row | learned | {"daily_log_ratio": np.nan, "dose_log_ratio": np.nan}
        shares = np.array([moved.get(name, 0.0) for name in FEATURES])
        said = explain(order, [], shares, KNOWLEDGE, "UTC", problem=1)
        known = [name for name in moved if remarkable(name, order)]
        if said.category not in {REVIEW, "DOSE"}:
            assert any(name in STATISTICAL[said.category] for name in known)
        if moved and not known:
            assert said.category == REVIEW
        assert all(one.said for one in said.contributions) and said.message.startswith(said.finding)
        assert "(log" not in said.message and "nan" not in said.message.split()
