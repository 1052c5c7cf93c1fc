"""What `next_day` changes in the tables of each generated hospital."""

from functools import lru_cache
from typing import Any

import numpy as np

from etl.declaration import SOURCES, load_source
from etl.demo.next_day import Change, Feed


def _now(_: Any, now: np.datetime64) -> np.datetime64:
    return now


def _value(new: str) -> Change:
    return lambda _, __: new


def _closed(value: Any, now: np.datetime64) -> Any:
    """Closed today; what was closed before keeps its day."""
    return now if value is None else value


def _higher(value: str | None, _: np.datetime64) -> str | None:
    """A tenth more, as a French laboratory prints it; words stay."""
    if value is None or not value[0].isdigit():
        return value
    number, places = float(value.replace(",", ".")), len(value.partition(",")[2])
    return f"{number * 1.1:.{places}f}".replace(".", ",")


@lru_cache(maxsize=1)
def chu_demo() -> Feed:
    """The first hospital: corrections of results are new rows, measures are cancelled by a tombstone."""
    return Feed(
        source=load_source(SOURCES / "chu_demo"),
        person="patient",
        death="date_deces",
        stay=("sejour", "numero_sejour"),
        exit=("sortie", "mode_sortie"),
        died="9",
        home="8",
        coded="diagnostic",
        sample=("resultat_biologie", "result_id"),
        numbers=frozenset(
            {"numero_sejour", "mouvement_id", "diagnostic_id", "acte_id", "ligne_id", "administration_id", "avis_id"}
            | {"result_id", "mesure_id", "document_id", "numerisation_id"}
        ),
        deleted=("resultat_biologie", "mesure_clinique", "antecedent", "probleme"),
        corrected={
            "patient": {"telephone": _value("06 39 98 00 99"), "code_postal": _value("96400")},
            "diagnostic": {"code_cim10": _value("I10")},
            "prescription": {"fin": _now, "statut": _value("arretee")},
            "resultat_biologie": {"valeur": _higher},
            "probleme": {"clos_le": _closed},
        },
        tombstone={"mesure_clinique": None},
        done={"administration": "faite_le"},
        revised=("resultat_biologie", "revision"),
    )


@lru_cache(maxsize=1)
def chu_second() -> Feed:
    """The second hospital: results are corrected in place; stays, lines and results are cancelled by a tombstone."""
    return Feed(
        source=load_source(SOURCES / "chu_second"),
        person="patients",
        death="decede_le",
        stay=("sejours", "nda"),
        exit=("sortie", "mode_sortie"),
        died="DCD",
        home="DOM",
        coded="diagnostics",
        sample=("prelevements", "prelevement_id"),
        numbers=frozenset(
            {"nda", "evt_id", "acte_id", "dispositif_id", "ordonnance_id", "ligne_id", "administration_id", "avis_id"}
            | {"prelevement_id", "resultat_id", "constante_id", "courrier_id", "numerisation_id"}
        ),
        deleted=("resultats", "lignes", "constantes", "antecedents", "diagnostics", "problemes"),
        corrected={
            "patients": {"telephone": _value("06 39 98 00 88"), "cp": _value("96930")},
            "diagnostics": {"code": _value("I10")},
            "lignes": {"fin": _now, "etat": _value("AR")},
            "resultats": {"valeur_num": _higher, "statut": _value("C")},
            "problemes": {"resolu_le": _closed},
        },
        tombstone={"sejours": "O", "lignes": "O", "resultats": "O"},
        done={"administrations": "realisee_le"},
    )
