"""What the views hold of some patients, cleaned once: of a whole hospital, or of those whose orders are asked about."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.prescription_review.columns import Columns, columns_of, instants, stacked, take, texts
from models.prescription_review.config import Analyte, Config
from models.prescription_review.orders import KEY, prepare_orders
from models.prescription_review.units import lab_value

WEIGHT = 3025315  # OMOP concept of body weight
PERSON, STAY = "person_id", "visit_occurrence_id"
# What orders the rows of one person, by table; those of an analysis: by when the result was there.
IN_ORDER = {
    "persons": (),
    "stays": ("started_at", STAY),
    "critical_care": ("started_at",),
    "orders": ("written_at", KEY),
    "diagnoses": ("available_at", "condition_occurrence_id"),
}
RESULTS_IN_ORDER = ("seen_at", "at", "id")
_NOT_IN_ICD = re.compile(r"[^A-Z0-9]")


@dataclass(frozen=True)
class Known:
    """One table a kind of fact (persons, stays, critical care, orders, diagnoses, one an analysis), each by person."""

    tables: Mapping[str, Columns]

    def by_person(self) -> Iterator[tuple[int, Known]]:
        """What is known of each person alone."""
        people = np.unique(np.concatenate([table[PERSON] for table in self.tables.values()]))
        ends = {
            name: (np.searchsorted(table[PERSON], people, "left"), np.searchsorted(table[PERSON], people, "right"))
            for name, table in self.tables.items()
        }
        for number, person in enumerate(people.tolist()):
            rows = {name: slice(low[number], high[number]) for name, (low, high) in ends.items()}
            yield person, Known({name: take(table, rows[name]) for name, table in self.tables.items()})

    def newest(self, table: str) -> datetime | None:
        """When the newest row of a table was known, in UTC; None where there is none."""
        times = self.tables[table][IN_ORDER.get(table, RESULTS_IN_ORDER)[0]]
        return times.max().item().replace(tzinfo=UTC) if len(times) else None

    def with_orders(self, orders: Columns) -> Known:
        """The same with more orders."""
        return Known({**self.tables, "orders": _sorted("orders", stacked([self.tables["orders"], orders]))})


def joined(parts: Sequence[Known]) -> Known:
    """What is known of several people, or of the same ones from several places, as one."""
    return Known({name: _sorted(name, stacked([part.tables[name] for part in parts])) for name in parts[0].tables})


def known(views: Mapping[str, pd.DataFrame], config: Config, *, of_all: bool = True) -> Known:
    """What the model may use of the rows of its views.

    Args:
        of_all: the rows are those of a whole hospital, whose units can be judged; of a few patients they cannot.
    """
    results = _with_weights(views["lab_results"], views["observations"])
    names = [text.lower() for text in texts(results["concept_name"])]
    concepts = results["measurement_concept_id"].to_numpy(np.int64)
    return Known({
        "persons": _persons(views["persons"]),
        "stays": _stays(views["stays"]),
        "critical_care": _critical_care(views["stay_units"]),
        "orders": prepare_orders(columns_of(views["drug_orders"])),
        "diagnoses": _diagnoses(views["diagnoses"]),
        **{
            name: _results(results[_is_analyte(concepts, names, analyte)], name, of_all=of_all)
            for name, analyte in config.analytes.items()
        },
    })  # fmt: skip


def _with_weights(lab_results: pd.DataFrame, observations: pd.DataFrame) -> pd.DataFrame:
    """The results of the laboratory, and the weights as if they were some."""
    weights = observations[(observations["kind"] == "weight").to_numpy()].rename(
        columns={"source_id": "measurement_id", "observed_at": "measured_at", "kind": "concept_name"}
    )
    return pd.concat([lab_results, weights.assign(measurement_concept_id=WEIGHT)], ignore_index=True)[[*lab_results]]


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
        "available_at": instants(real["available_at"]),
    }))  # fmt: skip


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
        "available_at": instants(coded["available_at"]),
    })  # fmt: skip


def _results(rows: pd.DataFrame, analyte: str, *, of_all: bool) -> Columns:
    seen, drawn = instants(rows["available_at"]), instants(rows["measured_at"])
    columns: Columns = {
        PERSON: rows[PERSON].to_numpy(np.int64),
        "id": rows["measurement_id"].to_numpy(np.int64),
        "seen_at": seen,
        "at": np.where(np.isnat(drawn), seen, drawn),
        "value": lab_value(analyte, rows["value"], rows["unit"], of_all=of_all).to_numpy(float),
    }
    return _sorted(analyte, take(columns, ~np.isnat(seen) & ~np.isnan(columns["value"])))


def _is_analyte(concepts: NDArray[np.int64], names: list[str], analyte: Analyte) -> NDArray[np.bool_]:
    wanted, excluded = re.compile(analyte.name), re.compile(analyte.not_name) if analyte.not_name else None
    by_name = {text: bool(wanted.search(text)) and not (excluded and excluded.search(text)) for text in set(names)}
    return np.isin(concepts, analyte.concept_ids) | np.array([by_name[name] for name in names], dtype=bool)


def _first_of(key: str, columns: Columns) -> Columns:
    """One row a key, the first; in the order of the key."""
    _, first = np.unique(columns[key], return_index=True)
    return take(columns, first)


def _sorted(table: str, columns: Columns) -> Columns:
    keys = [columns[name] for name in (PERSON, *IN_ORDER.get(table, RESULTS_IN_ORDER))]
    return take(columns, np.lexsort(keys[::-1]))
