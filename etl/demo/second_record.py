"""The record of the second hospital: the facts of `record.block_tables` in another vendor's tables, codes and units.

Nothing is drawn here that a clinician would call care; only how this hospital numbers, names, groups and cancels its
rows. Times stay local wall clock; the files write them as text (`chu_second`).
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.demo.catalogue import Catalogue
from etl.demo.draws import Block, Flags
from etl.demo.orders import LINES_PER_STAY
from etl.demo.record import Tables
from etl.demo.second_codes import (
    CONCLUSIONS,
    DELETED,
    DEVICES,
    DISEASE_TYPES,
    DOSE_WORDS,
    ENTRIES,
    EXITS,
    GIVEN,
    HISTORY,
    LETTERS,
    ORDER_STATES,
    RHYTHMS,
    ROUTES,
    SCANS,
    STAY_KINDS,
)
from etl.demo.second_laboratory import results, samples
from etl.demo.second_people import draw_double_records, patients
from etl.demo.second_products import package_columns, packages_of
from etl.demo.second_signs import signs

CANCELLED_STAYS = 0.006
ANAESTHESIA = ("HMFC004", "NEKA020", "NBCA010")  # acts that a second physician takes part in
GIFTS_PER_LINE = 4_096


def second_tables(block: Block, care: Tables, book: Catalogue) -> Tables:
    """Every table of the second hospital's dump, with the patient's index in ``_p``.

    Args:
        care: what `block_tables` gives for the same block and the second hospital's catalogue.
    """
    doubles = draw_double_records(block, care["patient"], care["sejour"])
    care = {name: doubles.under_old_numbers(table) for name, table in care.items()}
    return {
        "patients": patients(care["patient"], doubles),
        "fusions": doubles.fusions(),
        "sejours": _stays(block, care["sejour"]),
        "evenements": _events(care["mouvement"]),
        "diagnostics": _diagnoses(block, care["diagnostic"]),
        "actes": _acts(care["acte"]),
        "dispositifs": _devices(care["acte"]),
        "ordonnances": _prescriptions(care["prescription"]),
        "lignes": _lines(care["prescription"]),
        "administrations": _gifts(care["administration"]),
        "avis_pharma": _reviews(care["avis_pharmaceutique"]),
        "prelevements": samples(care["resultat_biologie"]),
        "resultats": results(care["resultat_biologie"], book),
        "constantes": signs(care["mesure_clinique"]),
        "antecedents": _history(care["antecedent"]),
        "problemes": _problems(care["probleme"]),
        "courriers": _letters(care["document"]),
        "numerisations": _scans(care["document_numerise"]),
    }


def coded(column: pa.ChunkedArray, codes: Mapping[str, str]) -> pa.Array:
    """A column in this hospital's codes; what has none keeps its own."""
    encoded = column.combine_chunks().dictionary_encode()
    words = pa.array([codes.get(word, word) for word in encoded.dictionary.to_pylist()], pa.string())
    return words.take(encoded.indices)


def flagged(marked: Flags) -> pa.Array:
    """``O`` where marked, else nothing."""
    return pa.array(np.where(marked, DELETED, np.array(None, dtype=object)), pa.string())


def _stays(block: Block, table: pa.Table) -> pa.Table:
    """Rows of ``sejours``; some were opened by mistake beside the right one, and cancelled."""
    twins = np.flatnonzero(block.generator("second.sejour").random(len(table)) < CANCELLED_STAYS)
    twin = table.take(pa.array(twins))
    numbers = pc.replace_substring_regex(twin["numero_sejour"], "^(9?)H", "\\1T")
    twin = twin.set_column(twin.column_names.index("numero_sejour"), "numero_sejour", numbers)
    both = pa.concat_tables([table, twin])
    return pa.table(
        {
            "_p": both["_p"],
            "nda": both["numero_sejour"],
            "ipp": both["ipp"],
            "nature": coded(both["type_sejour"], STAY_KINDS),
            "entree": both["entree"],
            "sortie": both["sortie"],
            "mode_entree": coded(both["mode_entree"], {code: mode for code, (mode, _) in ENTRIES.items()}),
            "provenance": coded(both["mode_entree"], {code: origin for code, (_, origin) in ENTRIES.items()}),
            "mode_sortie": coded(both["mode_sortie"], EXITS),
            "um_entree": both["uf_entree"],
            "rpps_responsable": both["praticien_id"],
            "supprime": flagged(np.arange(len(both)) >= len(table)),
            "date_maj": both["maj_le"],
        }
    )


def _events(moves: pa.Table) -> pa.Table:
    """Rows of ``evenements``: E entry, M move, S exit; a move of the first hospital begins where the last one ended."""
    moves = moves.sort_by("mouvement_id")
    number, end = moves["mouvement_id"].to_numpy(), moves["sortie"]
    last = np.append(number[1:] // 4 != number[:-1] // 4, True)
    out = np.flatnonzero(last & end.combine_chunks().is_valid().to_numpy(zero_copy_only=False))
    exits = moves.take(pa.array(out))
    return pa.table(
        {
            "_p": pa.chunked_array([*moves["_p"].chunks, *exits["_p"].chunks]),
            "evt_id": np.concatenate([number * 2, number[out] * 2 + 1]),
            "nda": pa.chunked_array([*moves["numero_sejour"].chunks, *exits["numero_sejour"].chunks]),
            "type_evt": np.concatenate([np.where(number % 4 == 0, "E", "M"), np.full(len(out), "S")]),
            "date_evt": pa.chunked_array([*moves["entree"].chunks, *exits["sortie"].chunks]),
            "um": pa.chunked_array([*moves["uf"].chunks, *exits["uf"].chunks]),
        }
    )


def _diagnoses(block: Block, table: pa.Table) -> pa.Table:
    """Rows of ``diagnostics``: no dot, now and then with the extension of the French PMSI."""
    plain = pc.replace_substring(table["code_cim10"], ".", "").combine_chunks()
    extended = block.generator("second.diagnostic").random(len(table)) < 0.03
    return pa.table(
        {
            "_p": table["_p"],
            "nda": table["numero_sejour"],
            "rang": pc.add(pa.array(table["diagnostic_id"].to_numpy() % 64), 1),
            "code": pc.if_else(pa.array(extended), pc.binary_join_element_wise(plain, "+0", ""), plain),
            "type_diag": coded(table["type_diagnostic"], DISEASE_TYPES),
        }
    )


def _acts(table: pa.Table) -> pa.Table:
    """Rows of ``actes``: one for each activity, 1 the operator, 4 the anaesthetist."""
    second = table.filter(pc.is_in(table["code_ccam"], pa.array(ANAESTHESIA)))
    both = pa.concat_tables([table, second])
    anaesthetist = np.arange(len(both)) >= len(table)
    return pa.table(
        {
            "_p": both["_p"],
            "acte_id": both["acte_id"].to_numpy() * 2 + anaesthetist,
            "nda": both["numero_sejour"],
            "code_ccam": both["code_ccam"],
            "activite": np.where(anaesthetist, "4", "1"),
            "realise_le": both["realise_le"],
            "rpps_executant": both["executant_id"],
        }
    )


def _devices(acts: pa.Table) -> pa.Table:
    """Rows of ``dispositifs``: the register of what was implanted, from the acts that implant."""
    placed = acts.filter(pc.is_in(acts["code_ccam"], pa.array(list(DEVICES))))
    return pa.table(
        {
            "_p": placed["_p"],
            "dispositif_id": placed["acte_id"],
            "nda": placed["numero_sejour"],
            "famille": coded(placed["code_ccam"], {act: family for act, (family, _) in DEVICES.items()}),
            "libelle": coded(placed["code_ccam"], {act: label for act, (_, label) in DEVICES.items()}),
            "pose_le": placed["realise_le"],
            "lot": pa.array([f"LOT{number * 7_919 % 10**6:06d}" for number in placed["acte_id"].to_pylist()], "string"),
        }
    )


def _prescription_numbers(table: pa.Table) -> np.ndarray:
    """Lines of one stay that begin on the same day are one prescription."""
    day = table["debut"].to_numpy().astype("datetime64[D]").astype(np.int64)
    return table["ligne_id"].to_numpy() // LINES_PER_STAY * 100_000 + day


def _prescriptions(table: pa.Table) -> pa.Table:
    """Rows of ``ordonnances``: who, for whom, in which stay; their lines say what."""
    numbers, first = np.unique(_prescription_numbers(table), return_index=True)
    rows = table.take(pa.array(first))
    return pa.table(
        {
            "_p": rows["_p"],
            "ordonnance_id": numbers,
            "ipp": rows["ipp"],
            "nda": rows["numero_sejour"],
            "rpps_prescripteur": rows["prescripteur"],
        }
    )


def _lines(table: pa.Table) -> pa.Table:
    """Rows of ``lignes``; of the lines that the first hospital would call cancelled, every other one is a tombstone."""
    number = table["ligne_id"].to_numpy()
    package = package_columns(packages_of(table["code_atc"], number), number)
    gone = pc.and_(pc.equal(table["statut"], "annulee"), pa.array(number % 2 == 1)).to_numpy()
    per_day = pc.round(table["frequence_jour"], 3).combine_chunks().dictionary_encode()
    words = pa.array([_rhythm(value) for value in per_day.dictionary.to_pylist()], pa.string())
    return pa.table(
        {
            "_p": table["_p"],
            "ligne_id": number,
            "ordonnance_id": _prescription_numbers(table),
            "code_cip13": package["code_cip13"],
            "code_livret": package["code_livret"],
            "libelle": pc.coalesce(package["libelle"], table["libelle"].combine_chunks()),
            "dose": coded(table["dose"], DOSE_WORDS),
            "unite": table["unite"],
            "rythme": words.take(per_day.indices),
            "voie": coded(table["voie"], ROUTES),
            "debut": table["debut"],
            "fin": table["fin"],
            "etat": coded(table["statut"], ORDER_STATES),
            "supprime": flagged(gone),
            "date_maj": table["maj_le"],
        }
    )


def _rhythm(per_day: float) -> str:
    return RHYTHMS[min(RHYTHMS, key=lambda known: abs(known - per_day))][0]


def _gifts(table: pa.Table) -> pa.Table:
    """Rows of ``administrations``: the hospital's own drug number only."""
    line = table["administration_id"].to_numpy() // GIFTS_PER_LINE
    return pa.table(
        {
            "_p": table["_p"],
            "administration_id": table["administration_id"],
            "ligne_id": table["ligne_id"],
            "ipp": table["ipp"],
            "nda": table["numero_sejour"],
            "code_livret": package_columns(packages_of(table["code_atc"], line), line)["code_livret"],
            "prevue_le": table["prevue_le"],
            "realisee_le": table["faite_le"],
            "etat": coded(table["statut"], GIVEN),
            "quantite": table["dose"],
            "unite": table["unite"],
            "voie": coded(table["voie"], ROUTES),
            "date_maj": table["maj_le"],
        }
    )


def _reviews(table: pa.Table) -> pa.Table:
    """Rows of ``avis_pharma``: V and A of the vendor's screen."""
    problem = pc.binary_join_element_wise("PB", pc.utf8_lpad(table["code_probleme"].cast(pa.string()), 2, "0"), "")
    return pa.table(
        {
            "_p": table["_p"],
            "avis_id": table["avis_id"],
            "ligne_id": table["ligne_id"],
            "redige_le": table["date_avis"],
            "rpps_pharmacien": table["pharmacien_id"],
            "conclusion": coded(table["avis"], CONCLUSIONS),
            "motif_ip": problem,
            "issue": pc.if_else(table["acceptee"], "A", "R"),
        }
    )


def _history(table: pa.Table) -> pa.Table:
    return pa.table(
        {
            "_p": table["_p"],
            "antecedent_id": table["antecedent_id"],
            "ipp": table["ipp"],
            "rubrique": table["type_antecedent"],
            "code": coded(table["code"], HISTORY),
            "libelle": table["libelle"],
            "precision": table["valeur"],
            "saisi_le": table["saisi_le"],
        }
    )


def _problems(table: pa.Table) -> pa.Table:
    """Rows of ``problemes``: codes without a dot, words in capitals."""
    return pa.table(
        {
            "_p": table["_p"],
            "probleme_id": table["probleme_id"],
            "ipp": table["ipp"],
            "cim": pc.replace_substring(table["code_cim10"], ".", ""),
            "intitule": pc.utf8_upper(table["libelle"]),
            "constate_le": table["saisi_le"],
            "resolu_le": table["clos_le"],
            "date_maj": table["maj_le"],
        }
    )


def _letters(table: pa.Table) -> pa.Table:
    """Rows of ``courriers``; the word processor of this hospital sets typographic apostrophes."""
    return pa.table(
        {
            "_p": table["_p"],
            "courrier_id": table["document_id"],
            "ipp": table["ipp"],
            "nda": table["numero_sejour"],
            "nature": coded(table["type_document"], LETTERS),
            "objet": pc.replace_substring(table["titre"], "'", "’"),
            "date_courrier": table["date_document"],
            "rpps_auteur": table["auteur_id"],
            "texte": pc.replace_substring(table["texte"], "'", "’"),
            "date_maj": table["maj_le"],
        }
    )


def _scans(table: pa.Table) -> pa.Table:
    return pa.table(
        {
            "_p": table["_p"],
            "numerisation_id": table["numerisation_id"],
            "ipp": table["ipp"],
            "nda": table["numero_sejour"],
            "nature": coded(table["type_document"], SCANS),
            "fichier": table["chemin_image"],
            "uid_etude": table["uid_etude"],
            "uid_serie": table["uid_serie"],
            "modalite": table["modalite"],
            "numerise_le": table["numerise_le"],
        }
    )
