"""A small invented hospital as view tables (real Arrow tables), and a store that serves them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

UTC_TIME = pa.timestamp("us", tz="UTC")
SCHEMAS = {
    "persons": {"person_id": pa.int64(), "year_of_birth": pa.int32(), "birth_date": pa.date32(), "sex": pa.string()},
    "stays": {
        "visit_occurrence_id": pa.int64(),
        "person_id": pa.int64(),
        "kind": pa.string(),
        "started_at": UTC_TIME,
        "ended_at": UTC_TIME,
        "available_at": UTC_TIME,
        "end_available_at": UTC_TIME,
    },
    "stay_units": {
        "visit_detail_id": pa.int64(),
        "person_id": pa.int64(),
        "kind": pa.string(),
        "started_at": UTC_TIME,
        "ended_at": UTC_TIME,
        "available_at": UTC_TIME,
        "end_available_at": UTC_TIME,
    },
    "diagnoses": {
        "condition_occurrence_id": pa.int64(),
        "person_id": pa.int64(),
        "concept_name": pa.string(),
        "source_code": pa.string(),
        "available_at": UTC_TIME,
    },
    "drug_orders": {
        "drug_exposure_id": pa.int64(),
        "person_id": pa.int64(),
        "visit_occurrence_id": pa.int64(),
        "drug_concept_id": pa.int64(),
        "concept_name": pa.string(),
        "source_code": pa.string(),
        "atc_code": pa.string(),
        "route_concept_id": pa.int64(),
        "route_source": pa.string(),
        "started_at": UTC_TIME,
        "ended_at": UTC_TIME,
        "dose_value": pa.float64(),
        "dose_unit": pa.string(),
        "doses_per_day": pa.float64(),
        "available_at": UTC_TIME,
    },
    "drug_administrations": {
        "person_id": pa.int64(),
        "drug_concept_id": pa.int64(),
        "source_code": pa.string(),
        "atc_code": pa.string(),
        "available_at": UTC_TIME,
    },
    "lab_results": {
        "measurement_id": pa.int64(),
        "person_id": pa.int64(),
        "measurement_concept_id": pa.int64(),
        "concept_name": pa.string(),
        "measured_at": UTC_TIME,
        "value": pa.float64(),
        "unit": pa.string(),
        "available_at": UTC_TIME,
    },
    "observations": {
        "source_id": pa.int64(),
        "person_id": pa.int64(),
        "kind": pa.string(),
        "concept_name": pa.string(),
        "source_code": pa.string(),
        "observed_at": UTC_TIME,
        "value": pa.float64(),
        "unit": pa.string(),
        "value_text": pa.string(),
        "available_at": UTC_TIME,
    },
    "order_reviews": {
        "observation_id": pa.int64(),
        "drug_exposure_id": pa.int64(),
        "person_id": pa.int64(),
        "outcome": pa.string(),
        "problem_code": pa.string(),
        "available_at": UTC_TIME,
    },
}
# What a later date of an earlier fact is hidden by, as the contract says: the end of an order or of a stay.
ENDS = {"drug_orders": ("ended_at", "ended_at"), "stays": ("ended_at", "end_available_at"),
        "stay_units": ("ended_at", "end_available_at")}  # fmt: skip


@dataclass(frozen=True)
class TableStore:
    """A ViewStore over tables in memory, with the contract's "as of"."""

    tables: dict[str, pa.Table]
    contract: str = "v1"
    snapshot_id: str = "test-snapshot"
    reads: list[str] = field(default_factory=list)

    @property
    def versions(self) -> dict[str, str]:
        return dict.fromkeys(self.tables, self.contract)

    def read(
        self,
        view: str,
        columns: Sequence[str] | None = None,
        as_of: datetime | None = None,
        person_ids: Sequence[int] | None = None,
    ) -> pa.Table:
        self.reads.append(view)
        table = self.tables[view]
        if as_of is not None:
            table = known_at(view, table, as_of)
        if person_ids is not None:
            table = table.filter(pc.is_in(table["person_id"], pa.array(person_ids, pa.int64())))
        return table if columns is None else table.select([name for name in columns if name in table.column_names])

    def but(self, **tables: pa.Table) -> "TableStore":
        """The same store with other tables."""
        return replace(self, tables={**self.tables, **tables})


def known_at(view: str, table: pa.Table, as_of: datetime) -> pa.Table:
    instant = pa.scalar(as_of, UTC_TIME)
    if "available_at" in table.column_names:
        table = table.filter(pc.less_equal(table["available_at"], instant))
    if view in ENDS:
        column, seen = ENDS[view]
        hidden = pc.if_else(pc.less_equal(table[seen], instant), table[column], pa.scalar(None, UTC_TIME))
        table = table.set_column(table.column_names.index(column), column, hidden)
    return table


def arrow(view: str, rows: pd.DataFrame | list[dict]) -> pa.Table:
    """Rows as a view's Arrow table; columns that are not given are null."""
    frame = pd.DataFrame(rows)
    schema = SCHEMAS[view]
    columns = {}
    for name, kind in schema.items():
        if name not in frame:
            columns[name] = pa.nulls(len(frame), kind)
        elif pa.types.is_timestamp(kind):
            columns[name] = pa.array(pd.to_datetime(frame[name], utc=True)).cast(kind)
        elif pa.types.is_floating(kind):
            columns[name] = pa.array(pd.to_numeric(frame[name]), kind, from_pandas=True)
        else:
            columns[name] = pa.array(frame[name], kind, from_pandas=True)
    return pa.table(columns)


def store_of(**views: list[dict]) -> TableStore:
    """A store of hand-written rows; views that are not given are empty."""
    return TableStore({name: arrow(name, views.get(name) or []) for name in SCHEMAS})


# atc, name, unit, usual dose, doses a day, route
DRUGS = [
    ("N02BE01", "paracétamol", "mg", 1000, 3, "PO"),
    ("A10BA02", "metformine", "mg", 1000, 2, "PO"),
    ("B01AF02", "apixaban", "mg", 5, 2, "PO"),
    ("B01AB05", "énoxaparine", "UI", 4000, 1, "SC"),
    ("C09AA05", "ramipril", "mg", 5, 1, "PO"),
    ("C03DA01", "spironolactone", "mg", 25, 1, "PO"),
    ("C10AA01", "simvastatine", "mg", 20, 1, "PO"),
    ("J01FA09", "clarithromycine", "mg", 500, 2, "PO"),
    ("J01CA04", "amoxicilline", "g", 1, 3, "PO"),
    ("N05CF01", "zopiclone", "mg", 3.75, 1, "PO"),
    ("M01AE01", "ibuprofène", "mg", 400, 3, "PO"),
    ("H03AA01", "lévothyroxine", "µg", 75, 1, "PO"),
]
DAY = np.timedelta64(24 * 3600, "s")
FIRST = np.datetime64("2024-01-01T00:00:00")


def generate(patients: int = 400, seed: int = 0) -> TableStore:
    """A year of stays with orders, creatinine and potassium, injected errors and imperfect reviews."""
    rng = np.random.default_rng(seed)
    person = np.arange(patients) + 2**53 + 1  # ids that a float would round
    age, chronic = rng.integers(20, 95, patients), rng.random(patients) < 0.2
    admitted = FIRST + rng.integers(0, 330 * 24 * 3600, patients).astype("timedelta64[s]")
    stay = np.arange(patients) + 7 * 10**15

    who = np.repeat(np.arange(patients), rng.integers(6, 14, patients))
    drug = rng.integers(0, len(DRUGS), len(who))
    started = admitted[who] + rng.integers(3600, 5 * 24 * 3600, len(who)).astype("timedelta64[s]")
    usual = np.array([row[3] for row in DRUGS], dtype=float)[drug]
    dose = usual * rng.choice([0.5, 1, 1, 1, 1, 2], len(who))
    overdose = rng.random(len(who)) < 0.05
    dose = np.where(overdose, usual * rng.choice([5, 10], len(who)), dose)
    atc = np.array([row[0] for row in DRUGS])[drug]
    renal = chronic[who] & np.isin(atc, ["A10BA02", "C03DA01", "M01AE01"])
    wrong = overdose | renal
    reviewed = rng.random(len(who)) < 0.75
    hit = np.where(wrong, rng.random(len(who)) < 0.75, rng.random(len(who)) < 0.01)
    ended = started + rng.integers(1, 6, len(who)) * DAY
    order = np.arange(len(who)) + 3 * 10**15
    name = np.array([row[1] for row in DRUGS])[drug]
    orders = pd.DataFrame(
        {
            "drug_exposure_id": order,
            "person_id": person[who],
            "visit_occurrence_id": stay[who],
            "drug_concept_id": 1000 + drug,
            "concept_name": name,
            "source_code": atc,
            "atc_code": atc,
            "route_concept_id": 0,
            "route_source": np.array([row[5] for row in DRUGS])[drug],
            "started_at": started,
            "ended_at": ended,
            "dose_value": np.where(rng.random(len(who)) < 0.03, np.nan, dose),
            "dose_unit": np.array([row[2] for row in DRUGS])[drug],
            "doses_per_day": np.array([row[4] for row in DRUGS], dtype=float)[drug],
            "available_at": started,
        }
    )
    sampled = np.repeat(np.arange(patients), 2)
    drawn = admitted[sampled] + rng.integers(-3600, 4 * 24 * 3600, len(sampled)).astype("timedelta64[s]")
    creatinine = np.where(chronic[sampled], rng.normal(290, 30, len(sampled)), rng.normal(75, 12, len(sampled)))
    labs = pd.DataFrame(
        {
            "measurement_id": np.arange(2 * len(sampled)) + 5 * 10**15,
            "person_id": np.tile(person[sampled], 2),
            "measurement_concept_id": np.repeat([3020564, 3023103], len(sampled)),
            "concept_name": np.repeat(["Creatinine", "Potassium"], len(sampled)),
            "measured_at": np.tile(drawn, 2),
            "value": np.r_[creatinine, rng.normal(4.2, 0.5, len(sampled))].round(1),
            "unit": np.repeat(["umol/L", "mmol/L"], len(sampled)),
            "available_at": np.tile(drawn + np.timedelta64(65 * 60, "s"), 2),
        }
    )
    weighed = np.flatnonzero(rng.random(patients) < 0.5)
    weights = pd.DataFrame(
        {
            "source_id": weighed + 6 * 10**15,
            "person_id": person[weighed],
            "kind": "weight",
            "observed_at": admitted[weighed],
            "value": rng.normal(72, 12, len(weighed)).round(1),
            "unit": "kg",
            "available_at": admitted[weighed],
        }
    )
    reviews = pd.DataFrame(
        {
            "observation_id": np.arange(len(who)) + 9 * 10**15,
            "drug_exposure_id": order,
            "person_id": person[who],
            "outcome": np.where(hit, "intervention", "accepted"),
            "problem_code": np.where(hit, np.where(renal, "1", "4"), None),
            "available_at": started + rng.integers(3600, 20 * 3600, len(who)).astype("timedelta64[s]"),
        }
    )[reviewed]
    left = admitted + 6 * DAY
    return TableStore(
        {
            "persons": arrow(
                "persons",
                pd.DataFrame({"person_id": person, "year_of_birth": 2024 - age, "sex": np.where(person % 2, "F", "M")}),
            ),
            "stays": arrow(
                "stays",
                pd.DataFrame(
                    {
                        "visit_occurrence_id": stay,
                        "person_id": person,
                        "kind": "inpatient",
                        "started_at": admitted,
                        "ended_at": left,
                        "available_at": admitted,
                        "end_available_at": left,
                    }
                ),
            ),
            "stay_units": arrow(
                "stay_units",
                pd.DataFrame(
                    {
                        "visit_detail_id": stay + 1,
                        "person_id": person,
                        "kind": np.where(person % 5, "inpatient", "critical care"),
                        "started_at": admitted,
                        "ended_at": admitted + 2 * DAY,
                        "available_at": admitted,
                        "end_available_at": admitted + 2 * DAY,
                    }
                ),
            ),
            "diagnoses": arrow(
                "diagnoses",
                pd.DataFrame(
                    {
                        "condition_occurrence_id": np.arange(patients) + 11 * 10**15,
                        "person_id": person,
                        "concept_name": "Insuffisance cardiaque",
                        "source_code": np.where(chronic, "I50.9", "I10"),
                        "available_at": admitted + rng.integers(-90, 10, patients) * DAY,
                    }
                ),
            ),
            "drug_orders": arrow("drug_orders", orders),
            "drug_administrations": arrow("drug_administrations", _gifts(orders)),
            "lab_results": arrow("lab_results", labs),
            "observations": arrow("observations", weights),
            "order_reviews": arrow("order_reviews", reviews),
        }
    )


def _gifts(orders: pd.DataFrame) -> pd.DataFrame:
    """Three doses of nine orders in ten, the first some hours after it was written."""
    given = orders.loc[
        np.arange(len(orders)) % 10 > 0, ["person_id", "drug_concept_id", "source_code", "atc_code", "started_at"]
    ]
    doses = [given.assign(available_at=given["started_at"] + pd.Timedelta(hours=hours)) for hours in (3, 15, 27)]
    return pd.concat(doses, ignore_index=True).drop(columns="started_at")


def noisy_after(store: TableStore, instant: datetime, seed: int = 1) -> TableStore:
    """The store with everything that became available after an instant replaced by noise, and later ends moved."""
    rng = np.random.default_rng(seed)
    tables = {}
    for view, table in store.tables.items():
        frame = table.to_pandas()
        at = pd.Timestamp(instant)
        if "available_at" in frame:
            late = (frame["available_at"] > at).to_numpy()
            for name, kind in SCHEMAS[view].items():
                if pa.types.is_floating(kind):
                    frame.loc[late, name] = rng.lognormal(3, 3, late.sum())
                elif pa.types.is_string(kind):
                    frame.loc[late, name] = rng.permutation(frame.loc[late, name].to_numpy())
                elif name.endswith("_id") and name != "person_id":
                    frame.loc[late, name] = rng.integers(1, 2**60, late.sum())
        if view in ENDS:
            column, seen = ENDS[view]
            later = (frame[seen] > at).to_numpy()
            moved = at + pd.to_timedelta(rng.integers(1, 400, later.sum()), unit="h")
            frame.loc[later, column] = moved.astype(frame[column].dtype)
        tables[view] = arrow(view, frame)
    return replace(store, tables=tables)


def utc(text: str) -> datetime:
    """An instant written as ISO text, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
