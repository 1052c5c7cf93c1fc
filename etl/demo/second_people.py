"""Patients of the second hospital; some have two records, one number absorbed by another, now and then twice."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.demo.draws import BLOCK, Block, Integers, Moments, Objects
from etl.demo.people import EXTRACTION
from etl.demo.second_codes import SEXES

DOUBLE_RECORDS, CHAINED = 0.02, 0.2  # patients with an absorbed record; of these, those whose number changed twice
FOUND_LATE, LATE_DAYS = 0.3, 12  # double records that are found only after the first delivery
DAY_SECONDS = 86_400


@dataclass(frozen=True)
class DoubleRecords:
    """Patients with an absorbed record; the first stay of each still bears the old number."""

    first: int  # index of the first patient of the block
    patients: Integers
    current: Objects
    old: Objects
    between: Objects  # None unless the number changed twice
    found: Moments
    stays: Objects  # numbers of the stays under the old number

    def under_old_numbers(self, table: pa.Table) -> pa.Table:
        """A table in which what belongs to these stays bears the old number."""
        if not {"ipp", "numero_sejour"} <= set(table.column_names) or not len(self.patients):
            return table
        old_of = np.full(BLOCK, None, dtype=object)
        old_of[self.patients - self.first] = self.old
        moved = pc.is_in(table["numero_sejour"], pa.array(self.stays, pa.string()))
        old = pa.array(old_of[table["_p"].to_numpy() - self.first], pa.string())
        number = pc.if_else(moved.combine_chunks(), old, table["ipp"].combine_chunks())
        return table.set_column(table.column_names.index("ipp"), "ipp", number)

    def fusions(self) -> pa.Table:
        """Rows of ``fusions``: the absorbed number and the one that absorbed it."""
        twice = np.array([number is not None for number in self.between], dtype=bool)
        next_day = self.found[twice] + np.timedelta64(DAY_SECONDS, "s")
        return pa.table(
            {
                "_p": np.concatenate([self.patients, self.patients[twice]]),
                "ipp_absorbe": pa.array(np.concatenate([self.old, self.between[twice]]), pa.string()),
                "ipp_survivant": pa.array(
                    np.concatenate([np.where(twice, self.between, self.current), self.current[twice]]), pa.string()
                ),
                "date_fusion": pa.array(np.concatenate([self.found, next_day]), pa.timestamp("s")),
            }
        )


def draw_double_records(block: Block, people: pa.Table, stays: pa.Table) -> DoubleRecords:
    """Who has two records, and when that was found.

    Args:
        people, stays: tables ``patient`` and ``sejour`` of the block.
    """
    rng = block.generator("second.fusion")
    draw = rng.random((5, BLOCK))
    index, numbers = people["_p"].to_numpy(), np.array(people["ipp"].to_pylist(), dtype=object)
    owned = stays.filter(pc.is_in(stays["ipp"], people["ipp"].combine_chunks()))
    position = owned["_p"].to_numpy() - block.first
    several = np.bincount(position, minlength=BLOCK) >= 2
    chosen = np.flatnonzero((draw[0] < DOUBLE_RECORDS) & several)
    _, first_stay = np.unique(position, return_index=True)
    stay_numbers = owned["numero_sejour"].take(pa.array(first_stay)).to_pylist()
    first_of = dict(zip(position[first_stay].tolist(), stay_numbers, strict=True))
    early = EXTRACTION - (draw[1] * 400 * DAY_SECONDS).astype("timedelta64[s]")
    late = EXTRACTION + (draw[2] * LATE_DAYS * DAY_SECONDS).astype("timedelta64[s]")
    return DoubleRecords(
        first=block.first,
        patients=index[chosen],
        current=numbers[chosen],
        old=_renamed(numbers[chosen], "A"),
        between=np.where(draw[4][chosen] < CHAINED, _renamed(numbers[chosen], "B"), np.array(None, dtype=object)),
        found=np.where(draw[3] < FOUND_LATE, late, early)[chosen],
        stays=np.array([first_of[p] for p in chosen.tolist()], dtype=object),
    )


def _renamed(numbers: Objects, letter: str) -> Objects:
    return np.array([f"{letter}{number[1:]}" for number in numbers.tolist()], dtype=object)


def patients(table: pa.Table, doubles: DoubleRecords) -> pa.Table:
    """Rows of ``patients``: one a number, absorbed ones too; nobody told the old record that its patient had died."""
    whole = pa.table(
        {
            "_p": table["_p"],
            "ipp": table["ipp"],
            "nom_usuel": table["nom"],
            "nom_naissance": table["nom_naissance"],
            "prenoms": table["prenom"],
            "sexe": pc.if_else(pc.equal(table["sexe"], "F"), SEXES["F"], SEXES["M"]),
            "ne_le": table["date_naissance"],
            "adresse": table["adresse"],
            "cp": table["code_postal"],
            "ville": table["commune"],
            "telephone": table["telephone"],
            "matricule_ins": table["ins"],
            "decede_le": table["date_deces"],
            "date_maj": table["maj_le"],
        }
    )
    rows = pa.array(doubles.patients - doubles.first)
    copies = [whole]
    for numbers in (doubles.old, doubles.between):
        copy = whole.take(rows)
        copy = copy.set_column(1, "ipp", pa.array(numbers, pa.string()))
        copy = copy.set_column(
            copy.column_names.index("decede_le"), "decede_le", pa.nulls(len(copy), whole.schema.field("decede_le").type)
        )
        copies.append(copy.filter(pc.is_valid(copy["ipp"])))
    return pa.concat_tables(copies)
