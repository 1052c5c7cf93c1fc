"""The ANSM thesaurus on real orders: who is joined, how many stays are interrupted, and by which rule not."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.goals import Goal
from benchmarks.mimic import drug_orders, prescriptions, read_table, times
from models.bootstrap import Interval, cluster_interval
from models.prescription_review.columns import Columns, codes
from models.prescription_review.config import load_config
from models.prescription_review.interactions.conditions import CONDUCT, NONE, READ, UNREAD
from models.prescription_review.interactions.context import DISCOURAGED, RULES
from models.prescription_review.interactions.findings import Interactions
from models.prescription_review.interactions.options import Catalogue
from models.prescription_review.interactions.thesaurus import Entry
from models.prescription_review.knowledge import load_knowledge
from models.prescription_review.known import Known, known
from models.prescription_review.patient_facts import add_patient_facts

SHARED = Path("../shared/data")
LABS = {"Potassium", "Potassium, Whole Blood", "Creatinine", "INR(PT)"}
CONTRAINDICATED = 4


def measure(folder: Path, shared: Path = SHARED) -> Iterator[Goal]:
    """The thesaurus itself, then the orders of the MIMIC-IV demo.

    Args:
        folder: not used; every measurement has one.
        shared: where ``mimic-iv-demo`` and ``drug-codes`` are.
    """
    interactions = load_knowledge().interactions
    yield from _thesaurus(interactions)
    hospital = _Hospital(shared)
    yield from _joined(interactions, hospital)
    yield from _burden(interactions, hospital)


def _thesaurus(interactions: Interactions) -> Iterator[Goal]:
    """Entries, levels, and what was read of the text beside each level."""
    catalogue = interactions.catalogue
    entries = catalogue.thesaurus.all_entries
    mentions = [(entry, mention) for entry in entries for mention in entry.mentions]
    found = Counter(
        next(one.status for one in catalogue.readings(entry.number) if one.mention is mention)
        for entry, mention in mentions
        if mention.info
    )
    texts = found.total()
    same = sum(_round_trip(catalogue, entry) for entry in entries)
    yield Goal("A3", "ANSM thesaurus: entries that give back their levels and conditions", len(entries), same,
               baseline=f"{len(entries)} entries, {len(mentions)} level mentions")  # fmt: skip
    said = (f"{found[READ]} read as conditions, {found[CONDUCT] + found[NONE]} say what to do and are shown, "
            f"{found[UNREAD]} could not be read and keep the lowest level")  # fmt: skip
    yield Goal("A3", "ANSM thesaurus: texts beside a level", None, texts, baseline=said)


def _round_trip(catalogue: Catalogue, entry: Entry) -> bool:
    """Whether the compiled entry has the levels of the text, each with its condition, and no other."""
    compiled = {(one.mention.level, one.mention.info) for one in catalogue.readings(entry.number)}
    return compiled == {(mention.level, mention.info) for mention in entry.mentions}


def _joined(interactions: Interactions, hospital: _Hospital) -> Iterator[Goal]:
    """Order lines with a substance of the thesaurus, on the reviewed list, or unexplained."""
    drugs = [interactions.catalogue.substances.of(atc, name) for atc, name in hospital.coded]
    substance = sum(bool(drug.substances) for drug in drugs)
    listed = sum(not drug.substances and drug.explained for drug in drugs)
    of = f"of {len(drugs)} order lines"
    yield Goal("A3", "MIMIC-IV demo: lines joined to an ANSM substance", None, substance, baseline=of)
    yield Goal("A3", "MIMIC-IV demo: lines on the reviewed list without an entry", None, listed, baseline=of)
    unexplained = len(drugs) - substance - listed
    yield Goal("A3", "MIMIC-IV demo: lines unexplained", 0, unexplained, baseline=of, at_most=True)


def _burden(interactions: Interactions, hospital: _Hospital) -> Iterator[Goal]:
    """Share of the stays with an interaction, step by step from the raw thesaurus to what interrupts."""
    orders, facts = hospital.known.tables["orders"], hospital.facts
    diagnoses = hospital.known.tables["diagnoses"]
    people = codes(np.concatenate([orders["person_id"], diagnoses["person_id"]]))
    asked = np.arange(len(orders["atc"]))
    person, of = people[: len(asked)], people[len(asked) :]
    found = interactions.all_matches(orders, asked, person, facts, diagnoses, of)
    stay = orders["visit_occurrence_id"][found["at"]]
    entries = interactions.catalogue.thesaurus.all_entries
    top = np.array([max(mention.level for mention in entry.mentions) for entry in entries])[found["entry"]]
    serious, quiet = found["rank"] >= DISCOURAGED, found["rule"] > 0
    for what, here, baseline in (
        ("any interaction", found["rank"] > 0, ""),
        ("contra-indication, conditions ignored", top == CONTRAINDICATED, "the highest level of each entry"),
        (
            "contra-indication or déconseillée, conditions ignored",
            top >= DISCOURAGED,
            "the highest level of each entry",
        ),
        ("contra-indication or déconseillée, conditions read", serious, "before the context rules"),
        ("interrupted", serious & ~quiet, "every suppressed alert names its rule"),
        ("interrupted by a contra-indication", (found["rank"] == CONTRAINDICATED) & ~quiet, ""),
    ):
        share = hospital.share(np.unique(stay[here]))
        words = "; ".join(filter(None, (f"{hospital.stays.size} stays", baseline)))
        goal = 0.10 if what == "interrupted" else None
        name = f"MIMIC-IV demo, share of stays: {what}"
        yield Goal("A3", name, goal, share.value, share.low, share.high, words, at_most=True)
    for number, rule in enumerate(RULES):
        here = serious & (found["rule"] == number)
        if number and here.any():
            pairs, stays = int(here.sum()), len(np.unique(stay[here]))
            only = np.setdiff1d(stay[here], stay[serious & ~quiet]).size
            words = f"{pairs} matches in {stays} stays, {only} of which are not interrupted at all"
            yield Goal("A3", f"context rule {rule}: matches kept from interrupting", None, pairs, baseline=words)


class _Hospital:
    """The orders of the MIMIC-IV demo as the model's views."""

    def __init__(self, shared: Path) -> None:
        self._hosp = shared / "mimic-iv-demo" / "csv" / "hosp"
        self._icu = shared / "mimic-iv-demo" / "csv" / "icu"
        self._prescriptions = prescriptions(shared)

    @property
    def coded(self) -> list[tuple[str, str]]:
        """ATC code and name of every line."""
        return list(zip(self._prescriptions["atc"], self._prescriptions["drug"], strict=True))

    @cached_property
    def stays(self) -> NDArray[Any]:
        """Stays with an order."""
        return self._prescriptions["hadm_id"].astype(np.int64).unique()

    @cached_property
    def facts(self) -> Columns:
        """What was known of the patient at each order."""
        return add_patient_facts(self.known.tables["orders"], self.known, load_config())

    @cached_property
    def known(self) -> Known:
        """The views, cleaned."""
        admissions = read_table(self._hosp / "admissions.csv.gz")
        views = {
            "persons": self._persons(), "stays": _stays(admissions), "stay_units": self._units(),
            "diagnoses": self._diagnoses(admissions), "drug_orders": drug_orders(self._prescriptions),
            "lab_results": self._labs(),
            "observations": pd.DataFrame(columns=[*load_config().views["observations"]]),
        }  # fmt: skip
        return known(views, load_config())

    def share(self, stays: NDArray[Any]) -> Interval:
        """Share of the stays that are among these; patients are drawn."""
        patient = dict(
            zip(self._prescriptions["hadm_id"].astype(np.int64), self._prescriptions["subject_id"], strict=True)
        )
        hit = np.isin(self.stays, stays).astype(float)
        clusters = np.array([patient[stay] for stay in self.stays])
        return cluster_interval(
            lambda weight: float(np.average(hit, weights=weight)) if weight.sum() else np.nan, clusters
        )

    def _persons(self) -> pd.DataFrame:
        rows = read_table(self._hosp / "patients.csv.gz")
        year = rows["anchor_year"].astype(int) - rows["anchor_age"].astype(int)
        return pd.DataFrame({
            "person_id": rows["subject_id"].astype(np.int64), "year_of_birth": year,
            "birth_date": pd.Series(pd.NaT, index=rows.index, dtype="datetime64[ns]"), "sex": rows["gender"],
        })  # fmt: skip

    def _units(self) -> pd.DataFrame:
        rows = read_table(self._icu / "icustays.csv.gz")
        return pd.DataFrame({
            "visit_detail_id": rows["stay_id"].astype(np.int64), "person_id": rows["subject_id"].astype(np.int64),
            "kind": "critical care", "started_at": times(rows["intime"]), "ended_at": times(rows["outtime"]),
            "available_at": times(rows["intime"]),
        })  # fmt: skip

    def _diagnoses(self, admissions: pd.DataFrame) -> pd.DataFrame:
        """ICD-10 only, known when the stay ends."""
        rows = read_table(self._hosp / "diagnoses_icd.csv.gz").merge(admissions[["hadm_id", "dischtime"]], on="hadm_id")
        rows = rows[rows["icd_version"] == "10"]
        return pd.DataFrame({
            "condition_occurrence_id": np.arange(len(rows)), "concept_name": "",
            "person_id": rows["subject_id"].astype(np.int64).to_numpy(), "source_code": rows["icd_code"].to_numpy(),
            "available_at": times(rows["dischtime"]).to_numpy(),
        })  # fmt: skip

    def _labs(self) -> pd.DataFrame:
        items = read_table(self._hosp / "d_labitems.csv.gz")
        items = items[items["label"].isin(LABS) & (items["fluid"] == "Blood")]
        rows = read_table(self._hosp / "labevents.csv.gz").merge(items[["itemid", "label"]], on="itemid")
        return pd.DataFrame({
            "measurement_id": rows["labevent_id"].astype(np.int64), "person_id": rows["subject_id"].astype(np.int64),
            "measurement_concept_id": 0, "concept_name": rows["label"], "measured_at": times(rows["charttime"]),
            "value": pd.to_numeric(rows["valuenum"], errors="coerce"), "unit": rows["valueuom"],
            "available_at": times(rows["storetime"]),
        })  # fmt: skip


def _stays(admissions: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({
        "visit_occurrence_id": admissions["hadm_id"].astype(np.int64), "kind": "inpatient",
        "person_id": admissions["subject_id"].astype(np.int64),
        "started_at": times(admissions["admittime"]), "ended_at": times(admissions["dischtime"]),
        "available_at": times(admissions["admittime"]), "end_available_at": times(admissions["dischtime"]),
    })  # fmt: skip


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for goal in measure(Path(folder), *map(Path, sys.argv[1:])):
            print(goal.row())
