"""What the views hold of some patients, cleaned once: of a whole hospital, or of those whose orders are asked about."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.prescription_review.columns import INSTANT, Columns, columns_of, instants, plain, stacked, take, texts
from models.prescription_review.config import Analyte, Config
from models.prescription_review.orders import KEY, drug_key, ended_with_stay, prepare_orders
from models.prescription_review.units import lab_value

WEIGHT = "weight"
PERSON, STAY = "person_id", "visit_occurrence_id"
RESULT_ORDER = ("analyte", "seen_at", "at", "id")
# What orders the rows of one person, by table.
IN_ORDER = {
    "persons": (),
    "stays": ("started_at", STAY),
    "critical_care": ("started_at",),
    "orders": ("written_at", KEY),
    "diagnoses": ("available_at", "condition_occurrence_id"),
    "lab_results": RESULT_ORDER,
    "weights": RESULT_ORDER,
    "observations": ("available_at", "id"),
    "gifts": ("at",),
}
SEEN = {"stays": "started_at", "orders": "written_at", "lab_results": "seen_at", "weights": "seen_at"}
OBSERVED = ("allergy", "pregnancy")  # kinds of observations that a rule reads, beside the weight
Feeds = Mapping[str, np.datetime64]
_NOT_IN_ICD = re.compile(r"[^A-Z0-9]")


@dataclass(frozen=True)
class Known:
    """One table a kind of fact, each sorted by person."""

    tables: Mapping[str, Columns]
    feeds: Feeds = field(default_factory=dict)  # analysis -> when the hospital's first result of it was known

    def by_person(self) -> Iterator[tuple[int, Known]]:
        """What is known of each person alone."""
        people = np.unique(np.concatenate([table[PERSON] for table in self.tables.values()]))
        ends = {
            name: (np.searchsorted(table[PERSON], people, "left"), np.searchsorted(table[PERSON], people, "right"))
            for name, table in self.tables.items()
        }
        for number, person in enumerate(people.tolist()):
            rows = {name: slice(low[number], high[number]) for name, (low, high) in ends.items()}
            yield person, Known({name: take(table, rows[name]) for name, table in self.tables.items()}, self.feeds)

    def newest(self, table: str) -> datetime | None:
        """When the newest row of a table was known, in UTC; None where there is none."""
        times = self.tables[table][SEEN.get(table, "available_at")]
        return times.max().item().replace(tzinfo=UTC) if len(times) else None

    def with_orders(self, orders: Columns) -> Known:
        """The same with more orders."""
        return Known({**self.tables, "orders": _sorted("orders", stacked([self.tables["orders"], orders]))}, self.feeds)


def joined(parts: Sequence[Known], feeds: Feeds) -> Known:
    """What is known of several people, or of the same ones from several places, as one.

    Args:
        feeds: of the hospital, which a few people do not tell.
    """
    tables = parts[0].tables
    return Known({name: _sorted(name, stacked([part.tables[name] for part in parts])) for name in tables}, feeds)


def known(views: Mapping[str, pd.DataFrame], config: Config, *, of_all: bool = True) -> Known:
    """What the model may use of the rows of its views.

    Args:
        of_all: the rows are those of a whole hospital, whose units can be judged; of a few patients they cannot.
    """
    results = _lab_results(views["lab_results"], config.analytes, of_all=of_all)
    stays = _stays(views["stays"])
    return Known({
        "persons": _persons(views["persons"]),
        "stays": stays,
        "critical_care": _critical_care(views["stay_units"]),
        "orders": ended_with_stay(prepare_orders(columns_of(views["drug_orders"])), stays),
        "diagnoses": _diagnoses(views["diagnoses"]),
        "lab_results": results,
        "weights": _weights(views["observations"]),
        "observations": _observations(views["observations"]),
        "gifts": _gifts(views.get("drug_administrations")),
    }, first_results(results["analyte"], results["seen_at"], [*config.analytes]))  # fmt: skip


def first_results(analyte: NDArray[np.int64], seen_at: NDArray[Any], names: Sequence[str]) -> Feeds:
    """When the first result of each analysis was known: before it, absence means that nothing was sent."""
    number, first = np.unique(analyte[np.argsort(seen_at, kind="stable")], return_index=True)
    times = np.sort(seen_at)[first]
    return {names[n]: time for n, time in zip(number.tolist(), times, strict=True)}


def analyte_of(
    concepts: NDArray[np.int64], names: NDArray[np.object_], analytes: Mapping[str, Analyte]
) -> NDArray[Any]:
    """Which of the analyses each result is, as a position in the declaration; -1: none of them."""
    found = np.full(len(names), -1)
    code, distinct = pd.factorize(names)
    lower = [str(name).lower() for name in distinct]
    for position, analyte in enumerate(analytes.values()):
        named = np.array([analyte.says(name) for name in lower], dtype=bool)
        found[(np.isin(concepts, analyte.concept_ids) | named[code]) & (found < 0)] = position
    return found


def _persons(persons: pd.DataFrame) -> Columns:
    years = zip(persons["year_of_birth"], persons["year_of_birth"].isna(), strict=True)
    middle_of_year = ["NaT" if missing else f"{int(year)}-07-01" for year, missing in years]
    born = instants(persons["birth_date"])
    return _first_of(PERSON, {
        PERSON: persons[PERSON].to_numpy(np.int64),
        "born": np.where(np.isnat(born), np.array(middle_of_year, born.dtype), born),
        "female": np.array([{"F": 1.0, "M": 0.0}.get(sex, np.nan) for sex in persons["sex"]], dtype=float),
    })  # fmt: skip


def _stays(stays: pd.DataFrame) -> Columns:
    real = stays[(stays[STAY] > 0).to_numpy()]
    return _sorted("stays", _first_of(STAY, {
        PERSON: real[PERSON].to_numpy(np.int64),
        STAY: real[STAY].to_numpy(np.int64),
        "kind": np.array([text or "unknown" for text in texts(real["kind"])], dtype=object),
        "started_at": instants(real["started_at"]),
        "ended_at": np.maximum(instants(real["ended_at"]), instants(real["end_available_at"])),  # when it is known
        "available_at": instants(real["available_at"]),
    }))  # fmt: skip


def _gifts(rows: pd.DataFrame | None) -> Columns:
    """What was given; none for orders that are only being written."""
    if rows is None:
        return {PERSON: np.empty(0, np.int64), "drug": np.empty(0, object), "at": np.empty(0, INSTANT)}
    return _sorted("gifts", {
        PERSON: rows[PERSON].to_numpy(np.int64),
        "drug": drug_key(rows["drug_concept_id"].to_numpy(), texts(rows["source_code"]), texts(rows["atc_code"])),
        "at": instants(rows["available_at"]),
    })  # fmt: skip


def _critical_care(units: pd.DataFrame) -> Columns:
    """Passages through critical care: there a patient is watched all the time."""
    there = units[((units["kind"] == "critical care") & units["started_at"].notna()).to_numpy()]
    return _sorted("critical_care", {
        PERSON: there[PERSON].to_numpy(np.int64),
        "started_at": np.fmax(instants(there["started_at"]), instants(there["available_at"])),
        "ended_at": instants(there["ended_at"]),
    })  # fmt: skip


def _diagnoses(diagnoses: pd.DataFrame) -> Columns:
    coded = diagnoses[diagnoses["available_at"].notna().to_numpy()]
    return _sorted("diagnoses", {
        PERSON: coded[PERSON].to_numpy(np.int64),
        "condition_occurrence_id": coded["condition_occurrence_id"].to_numpy(np.int64),
        "code": np.array([_NOT_IN_ICD.sub("", text.upper()) for text in texts(coded["source_code"])], dtype=object),
        "name": texts(coded["concept_name"]),
        "available_at": instants(coded["available_at"]),
    })  # fmt: skip


def _lab_results(rows: pd.DataFrame, analytes: Mapping[str, Analyte], *, of_all: bool) -> Columns:
    analyte = analyte_of(rows["measurement_concept_id"].to_numpy(np.int64), texts(rows["concept_name"]), analytes)
    value = np.full(len(rows), np.nan)
    for position in np.unique(analyte[analyte >= 0]).tolist():
        of_it = np.flatnonzero(analyte == position)
        some = rows.iloc[of_it]
        value[of_it] = lab_value([*analytes][position], some["value"], some["unit"], of_all=of_all)
    return _results(rows, "lab_results", rows["measurement_id"], rows["measured_at"], analyte, value)


def _weights(observations: pd.DataFrame) -> Columns:
    rows = observations[(observations["kind"] == WEIGHT).to_numpy()]
    value = lab_value(WEIGHT, rows["value"], rows["unit"]).to_numpy(float)
    return _results(rows, "weights", rows["source_id"], rows["observed_at"], np.zeros(len(rows), np.int64), value)


def _results(
    rows: pd.DataFrame, table: str, row_id: pd.Series, at: pd.Series, analyte: NDArray[np.int64], value: NDArray[Any]
) -> Columns:
    seen, drawn = instants(rows["available_at"]), instants(at)
    columns: Columns = {
        PERSON: rows[PERSON].to_numpy(np.int64),
        "analyte": analyte,
        "id": row_id.to_numpy(np.int64),
        "seen_at": seen,
        "at": np.where(np.isnat(drawn), seen, drawn),
        "value": value,
    }
    return _sorted(table, take(columns, (analyte >= 0) & ~np.isnat(seen) & ~np.isnan(value)))


def _observations(rows: pd.DataFrame) -> Columns:
    """Allergies and pregnancies: what is said, as patterns read it."""
    rows = rows[(rows["kind"].isin(OBSERVED) & rows["available_at"].notna()).to_numpy()]
    written = zip(*(texts(rows[name]) for name in ("concept_name", "source_code", "value_text")), strict=True)
    return _sorted("observations", {
        PERSON: rows[PERSON].to_numpy(np.int64),
        "id": rows["source_id"].to_numpy(np.int64),
        "kind": rows["kind"].to_numpy(object),
        "text": np.array([plain(" ".join(words)) for words in written], dtype=object),
        "label": np.array([name or code for name, code in zip(
            texts(rows["concept_name"]), texts(rows["source_code"]), strict=True)], dtype=object),
        "code": np.array([_NOT_IN_ICD.sub("", text.upper()) for text in texts(rows["source_code"])], dtype=object),
        "value": pd.to_numeric(rows["value"], errors="coerce").to_numpy(float),
        "unit": texts(rows["unit"]),
        "at": instants(rows["observed_at"]),
        "available_at": instants(rows["available_at"]),
    })  # fmt: skip


def _first_of(key: str, columns: Columns) -> Columns:
    """One row a key, the first; in the order of the key."""
    _, first = np.unique(columns[key], return_index=True)
    return take(columns, first)


def _sorted(table: str, columns: Columns) -> Columns:
    keys = [columns[name] for name in (PERSON, *IN_ORDER[table])]
    return take(columns, np.lexsort(keys[::-1]))
