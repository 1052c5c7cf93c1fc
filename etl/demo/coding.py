"""What is coded at discharge: CIM-10 diagnoses and CCAM acts, with the variety and the mistakes of real coding."""

import numpy as np
import pyarrow as pa

from etl.demo.catalogue import FEATURES, Catalogue
from etl.demo.draws import Block, Floats, Integers, Objects, choose_by_row, rank_within, seconds
from etl.demo.people import EXTRACTION, People
from etl.demo.staff import practitioner_of
from etl.demo.stays import CS, HC, HJ, URG, Stays, ward_codes

UNKNOWN_CIM10 = ("U8499", "X9999", "Q8799")  # not in the shipped vocabulary, on purpose
UNKNOWN_CCAM = ("ZZZZ999", "YYYY600")
UNKNOWN_SHARE = 0.025
NUMBERS_PER_STAY = 64


def diagnosis_table(block: Block, people: People, stays: Stays, catalogue: Catalogue) -> pa.Table:
    """Rows of ``dpi.diagnostic``: coded at discharge only, half of them with a dot."""
    rng = block.generator("diagnostic")
    rows = catalogue.diagnoses
    origin = np.array([FEATURES[row["origine"]] for row in rows])
    weight = np.array([float(row["poids"]) for row in rows])
    main = np.array([row["role"] == "DP" for row in rows])
    has = stays.features[:, origin] > 0
    principal = choose_by_row(rng, np.where(has & main, weight, 0.0))
    associated = has & ~main & (rng.random(has.shape) < weight) & np.isin(stays.kind, (HC, HJ))[:, None]
    stay, which = np.nonzero(associated)
    with_principal = np.flatnonzero((principal >= 0) & (stays.kind != CS))
    stay = np.concatenate([with_principal, stay])
    which = np.concatenate([principal[with_principal], which])
    kind = np.where(
        np.arange(len(stay)) < len(with_principal), "DP", np.where(rng.random(len(stay)) < 0.06, "DR", "DAS")
    )
    order = np.argsort(stay, kind="stable")
    stay, which, kind = stay[order], which[order], kind[order].astype(object)
    codes = written_codes(rng, np.array([row["code"] for row in rows], dtype=object)[which], UNKNOWN_SHARE)
    end = stays.end[stay]
    table = pa.table(
        {
            "_p": people.index[stays.row[stay]],
            "diagnostic_id": stays.key[stay] * NUMBERS_PER_STAY + rank_within(stay),
            "numero_sejour": stays.number[stay],
            "ipp": people.ipp[stays.row[stay]],
            "code_cim10": codes,
            "type_diagnostic": kind,
            "maj_le": pa.array(end),
        }
    )
    return table.filter(pa.array(end < EXTRACTION))


def written_codes(rng: np.random.Generator, codes: Objects, unknown_share: float) -> Objects:
    """CIM-10 codes as people type them: half of them with a dot, a share of them unknown to the vocabulary."""
    dotted = np.array([f"{code[:3]}.{code[3:]}" if len(code) > 3 else code for code in codes.tolist()], dtype=object)
    unknown = np.array(UNKNOWN_CIM10, dtype=object)[rng.integers(len(UNKNOWN_CIM10), size=len(codes))]
    written = np.where(rng.random(len(codes)) < 0.5, dotted, codes)
    return np.where(rng.random(len(codes)) < unknown_share, unknown, written)


def act_table(block: Block, people: People, stays: Stays, catalogue: Catalogue) -> pa.Table:
    """Rows of ``dpi.acte``."""
    rng = block.generator("acte")
    probability = (stays.features @ catalogue.act_weights).clip(0, 0.97) * np.where(stays.kind == CS, 0.4, 1.0)[:, None]
    probability[stays.kind == URG] *= 1.0
    stay, which = np.nonzero(rng.random(probability.shape) < probability)
    moment = _moment(rng, stays, stay)
    codes = np.array([row["code"] for row in catalogue.acts], dtype=object)[which]
    unknown = np.array(UNKNOWN_CCAM, dtype=object)[rng.integers(len(UNKNOWN_CCAM), size=len(codes))]
    codes = np.where(rng.random(len(codes)) < UNKNOWN_SHARE, unknown, codes)
    table = pa.table(
        {
            "_p": people.index[stays.row[stay]],
            "acte_id": stays.key[stay] * NUMBERS_PER_STAY + rank_within(stay),
            "numero_sejour": stays.number[stay],
            "ipp": people.ipp[stays.row[stay]],
            "code_ccam": codes,
            "realise_le": pa.array(moment),
            "executant_id": practitioner_of(catalogue, ward_codes(catalogue)[stays.ward[stay]], stays.key[stay]),
            "maj_le": pa.array(moment),
        }
    )
    return table.filter(pa.array(moment < EXTRACTION))


def _moment(rng: np.random.Generator, stays: Stays, stay: Integers) -> np.ndarray:
    span = (stays.end - stays.start)[stay].astype(np.float64)
    part: Floats = rng.beta(1, 4, len(stay))
    return stays.start[stay] + seconds(span * part)
