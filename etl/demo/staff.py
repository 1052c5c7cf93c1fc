"""Practitioners, wards and communes of a generated hospital: tables that do not grow with the patients."""

from functools import lru_cache

import numpy as np
import pyarrow as pa

from etl.demo.catalogue import Catalogue
from etl.demo.draws import Integers, Objects, scramble

PER_WARD = 5
PHARMACISTS = 6
UPDATED = np.datetime64("2021-12-01T08:00:00", "s")


@lru_cache(maxsize=2)
def practitioners(book: Catalogue) -> pa.Table:
    """Rows of ``dpi.praticien``: physicians of each ward, then pharmacists. Their names never reach OMOP."""
    wards = [row["uf"] for row in book.wards for _ in range(PER_WARD)] + ["PHARMA"] * PHARMACISTS
    skills = [row["specialite"] for row in book.wards for _ in range(PER_WARD)] + ["PHARMACIE"] * PHARMACISTS
    n = len(wards)
    rng = np.random.Generator(np.random.PCG64(7))
    surnames, names = book.words["nom"], book.words["prenom_f"] + book.words["prenom_m"]
    return pa.table(
        {
            "praticien_id": [
                f"10{number:09d}" for number in scramble(np.arange(n), 10**9, 618_033_989, 5_551).tolist()
            ],
            "nom": [surnames[i].upper() for i in rng.integers(len(surnames), size=n)],
            "prenom": [names[i] for i in rng.integers(len(names), size=n)],
            "specialite": skills,
            "uf": wards,
            "maj_le": pa.array(np.repeat(UPDATED, n)),
        }
    )


def practitioner_of(book: Catalogue, wards: Objects, keys: Integers) -> Objects:
    """A physician of the ward, always the same for the same key."""
    numbers = np.array(practitioners(book)["praticien_id"].to_pylist(), dtype=object)
    first = {row["uf"]: position * PER_WARD for position, row in enumerate(book.wards)}
    start = np.array([first[ward] for ward in wards.tolist()], dtype=np.int64)
    return numbers[start + (keys * 7 + keys // 16) % PER_WARD]


def pharmacist_of(book: Catalogue, keys: Integers) -> Objects:
    """One of the pharmacists."""
    numbers = np.array(practitioners(book)["praticien_id"].to_pylist(), dtype=object)
    return numbers[len(numbers) - PHARMACISTS + keys % PHARMACISTS]


def ward_table(book: Catalogue) -> pa.Table:
    """Rows of ``dpi.unite_fonctionnelle``."""
    rows = book.wards
    return pa.table(
        {
            "uf": [row["uf"] for row in rows],
            "libelle": [row["libelle"] for row in rows],
            "type_uf": [row["type_uf"] for row in rows],
            "specialite": [row["specialite"] for row in rows],
            "code_postal": [row["site"] for row in rows],
            "maj_le": pa.array(np.repeat(UPDATED, len(rows))),
        }
    )


def commune_table(book: Catalogue) -> pa.Table:
    """Rows of ``dpi.commune``; the department 96 does not exist."""
    return pa.table({name: [row[name] for row in book.communes] for name in ("code_postal", "commune", "departement")})
