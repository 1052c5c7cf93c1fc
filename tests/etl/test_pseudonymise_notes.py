"""Sentences of French letters: what names a person goes, what a clinician needs stays.

In a sentence ``{06 12 34 56 78:TEL}`` marks what must go and the tag that must stand there instead.
"""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.pseudonymise_notes import Pseudonymiser

STAFF = ["Hélène MARCHAND-LEROY", "QUEMENER"]
OWN = ["ZURBRIGGEN", "Anne-Gaëlle", "06 12 34 56 78", "8001234567", "12 rue des Lilas", "ANNE"]

SENTENCES = [
    # The patient's own names, however they are written
    "Madame {Zurbriggen:NOM} est sortie ce jour.",
    "Mme {ZURBRIGGEN:NOM} {Anne-Gaëlle:NOM}, {anne gaelle:NOM} pour sa famille.",
    "La patiente ({zurbriggen:NOM}) va bien.",
    # Staff and correspondents, with a title or without
    "Cher Confrère, merci au Dr {Marchand-Leroy:NOM} de son avis.",
    "Relu par {QUEMENER:NOM}, interne.",
    "Docteur {Jean Dupont:NOM} : avis demandé.",
    "Docteur {Œuvrard:NOM}, merci de votre avis.",
    "Vu avec le Pr {D'Alembert:NOM} hier.",
    "Mme {Martin:NOM}\nHospitalisée pour dyspnée.",
    "Mme {Petit:NOM} née {Lefèvre:NOM}, veuve.",
    # Telephones: of others by their shape, the patient's own as what it is
    "Jointe au {06.12.34.56.78:IDENTITE}.",
    "Joindre la fille au {06.55.44.33.22:TEL} ou au {+33 6 98 76 54 32:TEL}.",
    "Fax {01-40-25-80-80:TEL}.",
    # Mail
    "Écrire à {anne.z@exemple.fr:MAIL} si besoin.",
    "Écrire à {zurbriggen@exemple.fr:MAIL} si besoin.",
    # NIR, with and without its key; Corsica
    "NIR {2 43 02 75 115 005 42:NIR}, droits ouverts.",
    "Sécurité sociale {1850578006048:NIR}.",
    "Assuré {1 60 07 2A 004 012:NIR}.",
    # Numbers of the hospital
    "{IPP 8009999999:IDENTIFIANT}, {n° de dossier : A123456:IDENTIFIANT}.",
    "Dossier {8001234567:IDENTITE} archivé.",
    # Addresses
    "Retour au domicile, {12 rue des Lilas:IDENTITE}, avec sa fille.",
    "Habite {4 bis, avenue du Général Leclerc:ADRESSE}, 3e étage.",
    # Dates of birth; other dates stay
    "Patiente née le {11/02/1943:DATE_NAISSANCE}, hospitalisée le 02/04/2024.",
    "Patient né le {1er mars 1950:DATE_NAISSANCE}, revu le 1er mars 2024.",
    "M. {Petit:NOM}, né(e) le {11.02.43:DATE_NAISSANCE}.",
    "Date de naissance : {1943-02-11:DATE_NAISSANCE}",
    "DDN {11/02/1943:DATE_NAISSANCE}",
]

# Words that look like a name, a number or a telephone, and are medicine.
KEPT = [
    "Insuffisance rénale chronique, clairance à 26 mL/min.",
    "Culture positive à M. tuberculosis, sensible.",
    "E. coli et S. aureus dans les hémocultures.",
    "Maladie de Parkinson ; syndrome de Cushing ; signe de Babinski.",
    "Amoxicilline 1 g x 3/j pendant 7 jours, TA 120/80, FC 75.",
    "Créatinine 245 µmol/L le 31/03/2024, 180 le 02/04/2024.",
    "Hémoglobine 9,8 g/dL ; plaquettes 150 000 ; CRP 12.",
    "Nouveau-né à terme, Apgar 10-10-10.",
    "Prochaine dose le 11/02/2025 à 08 h 30.",
    "Score de Glasgow 15, Rankin 2, MMS 26/30.",
    "Dalteparine 5000 UI 0-0-1, Na 138, K 4,2.",
]


def parts(sentence: str) -> tuple[str, str]:
    marked = re.compile(r"\{(.*?):([A-Z_]+)\}")
    return marked.sub(r"\1", sentence), marked.sub(r"<\2>", sentence)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_what_names_a_person_goes_and_its_tag_stays(sentence):
    written, expected = parts(sentence)
    assert Pseudonymiser.knowing(STAFF).text(written, OWN) == expected


@pytest.mark.parametrize("sentence", KEPT)
def test_clinical_words_and_numbers_stay(sentence):
    assert Pseudonymiser.knowing(STAFF).text(sentence, OWN) == sentence


def test_a_name_of_one_patient_stays_in_the_notes_of_another():
    """A patient called Blanc must not blank "globules blancs" out of everybody's letters."""
    assert Pseudonymiser().text("Globules blancs 9 G/L.", ["ZURBRIGGEN"]) == "Globules blancs 9 G/L."


def test_names_of_two_letters_are_only_found_behind_a_title():
    pseudonymiser = Pseudonymiser.knowing(["LE"])
    assert pseudonymiser.text("Le bilan. Dr Le absent.", ["LE"]) == "Le bilan. Dr <NOM> absent."


@given(
    digits=st.lists(st.integers(0, 99), min_size=4, max_size=4),
    first=st.integers(1, 9),
    separator=st.sampled_from(["", " ", ".", "-"]),
)
def test_no_french_telephone_stays_however_it_is_written(digits, first, separator):
    number = separator.join([f"0{first}", *(f"{pair:02}" for pair in digits)])
    assert Pseudonymiser().text(f"Appeler le {number} demain.") == "Appeler le <TEL> demain."


@given(
    name=st.sampled_from(["zurbriggen", "anne-gaëlle", "d'ornano", "lefèvre"]),
    shape=st.sampled_from(
        [str.upper, str.title, str.lower, lambda s: s.replace("-", " "), lambda s: s.replace("è", "e")]
    ),
)
def test_an_own_name_goes_whatever_its_case_accents_and_blanks(name, shape):
    assert Pseudonymiser().text(f"vu {shape(name)} ce jour", [name]) == "vu <NOM> ce jour"
