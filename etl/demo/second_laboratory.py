"""The laboratory of the second hospital: samples in one table, results in another, corrections in place."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.demo.biology import NUMBERS_PER_SAMPLE
from etl.demo.catalogue import Catalogue
from etl.demo.draws import scramble
from etl.demo.second_codes import DELETED

CANCELLED = 4  # results of a thousand
ARTERIAL = 23  # one sample in so many


def samples(table: pa.Table) -> pa.Table:
    """Rows of ``prelevements``: one a sample, with its stay when any of its results names one."""
    number = table["result_id"].to_numpy() // NUMBERS_PER_SAMPLE
    nameless = table["numero_sejour"].combine_chunks().is_null().to_numpy(zero_copy_only=False)
    order = np.lexsort((nameless, number))
    numbers, first = np.unique(number[order], return_index=True)
    rows = table.take(pa.array(order[first]))
    return pa.table(
        {
            "_p": rows["_p"],
            "prelevement_id": numbers,
            "ipp": rows["ipp"],
            "nda": rows["numero_sejour"],
            "preleve_le": rows["preleve_le"],
            "nature": np.where(numbers % ARTERIAL == 0, "SGA", "SGV"),
        }
    )


def results(table: pa.Table, book: Catalogue) -> pa.Table:
    """Rows of ``resultats``: the number, or else the words; the last state of each, some cancelled."""
    table = _last_revision(table)
    value = pc.replace_substring_regex(table["valeur"], "^<=? ?", "inf à ")
    value = pc.replace_substring_regex(value, "^>=? ?", "sup à ").combine_chunks()
    number = pc.match_substring_regex(value, "^[0-9]")
    nothing = pa.scalar(None, pa.string())
    # The fate of a result hangs on its number: a row that is sent twice stays equal to itself.
    gone = scramble(table["result_id"].to_numpy(), 1_000, 7_919, 0) < CANCELLED
    return pa.table(
        {
            "_p": table["_p"],
            "resultat_id": table["result_id"],
            "prelevement_id": table["result_id"].to_numpy() // NUMBERS_PER_SAMPLE,
            "code_examen": table["code_analyse"],
            "valeur_num": pc.if_else(number, value, nothing),
            "valeur_texte": pc.if_else(number, nothing, value),
            "unite": table["unite"],
            "normes": _ranges(table["code_analyse"], book),
            "valide_le": table["valide_le"],
            "statut": np.where(table["revision"].to_numpy() > 1, "C", "V"),
            "supprime": pa.array(np.where(gone, DELETED, np.array(None, dtype=object)), pa.string()),
            "date_maj": table["maj_le"],
        }
    )


def _last_revision(table: pa.Table) -> pa.Table:
    _, inverse = np.unique(table["result_id"].to_numpy(), return_inverse=True)
    revision = table["revision"].to_numpy()
    last = np.zeros(len(table), dtype=np.int64)
    np.maximum.at(last, inverse, revision)
    return table.filter(pa.array(revision == last[inverse]))


def _ranges(codes: pa.ChunkedArray, book: Catalogue) -> pa.Array:
    """``[4,0 - 12,0]``, ``< 5`` or ``> 60``, as the laboratory prints them."""
    printed = {row["code"]: _range(row["borne_basse"], row["borne_haute"]) for row in book.analyses}
    encoded = codes.combine_chunks().dictionary_encode()
    words = pa.array([printed.get(code) for code in encoded.dictionary.to_pylist()], pa.string())
    return words.take(encoded.indices)


def _range(low: str, high: str) -> str | None:
    low, high = low.replace(".", ","), high.replace(".", ",")
    if low and high:
        return f"[{low} - {high}]"
    return f"< {high}" if high else f"> {low}" if low else None
