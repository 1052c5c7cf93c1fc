"""What names of columns and shapes of values say in French and English hospital records. Words only, no logic.

Names are compared as words: ``NumSejour``, ``NUM_SEJOUR`` and ``num sejour`` are the words ``num`` and ``sejour``.
"""

# Identifiers of people, stays and staff: a column that is one of these words, or pairs a noun with a number word.
NUMBER_WORDS = {"id", "ids", "num", "numero", "no", "nr", "number", "identifiant", "cle", "key", "code", "ref", "seq"}
PERSON_IDS = {"ipp", "nip", "nipp", "ippr", "mrn", "idpat", "patid", "patientid", "idpatient", "numpat", "nopat"}
PERSON_NOUNS = {"patient", "pat", "malade", "person", "personne", "subject", "usager"}
STAY_IDS = {"iep", "nda", "hadm", "idsejour", "numsejour", "nosejour", "sejourid", "encounterid", "visitid"}
STAY_NOUNS = {"sejour", "venue", "hospitalisation", "passage", "encounter", "visit", "admission", "stay", "dossier"}
STAFF_NOUNS = {
    "medecin", "praticien", "prescripteur", "executant", "chirurgien", "anesthesiste", "redacteur", "auteur",
    "soignant", "infirmier", "infirmiere", "biologiste", "pharmacien", "operateur", "valideur", "provider",
    "caregiver", "physician", "practitioner", "utilisateur", "user", "rpps", "adeli", "professionnel", "agent",
}  # fmt: skip

# Direct identifiers. "nom" is a name of somebody unless a thing stands beside it (nom_medicament, nom_service).
NAME_WORDS = {
    "nom",
    "noms",
    "prenom",
    "prenoms",
    "patronyme",
    "nomnaissance",
    "lastname",
    "firstname",
    "surname",
    "forename",
    "name",
    "maiden",
    "birthname",
}
SOLE_NAME_WORDS = {"first", "last", "middle", "given", "family"}  # when nothing else stands in the name  # fmt: skip
NAME_PAIRS = ({"last", "name"}, {"first", "name"}, {"family", "name"}, {"given", "name"}, {"personne", "confiance"})
THINGS = {
    "uf", "service", "unite", "medicament", "produit", "dci", "acte", "analyse", "examen", "etablissement", "hopital",
    "site", "pole", "test", "drug", "unit", "ward", "ville", "commune", "file", "table", "laboratoire", "specialite",
}  # fmt: skip
ADDRESS_WORDS = {"adresse", "adr", "address", "rue", "street", "domicile", "latitude", "longitude"}
TOWN_WORDS = {"commune", "ville", "city", "town"}  # of a person: with a birth date they find somebody
PHONE_WORDS = {"telephone", "tel", "telfixe", "portable", "mobile", "phone", "fax", "gsm"}
MAIL_WORDS = {"mail", "email", "courriel"}
NATIONAL_WORDS = {"nir", "ins", "insi", "nss", "ssn", "nia", "securite", "matricule", "passport", "drivers"}

FREE_TEXT_WORDS = {
    "texte", "text", "contenu", "commentaire", "comment", "comments", "note", "notes", "remarque", "observation",
    "observations", "conclusion", "compte", "narrative", "verbatim", "motif", "body", "synthese", "histoire",
}  # fmt: skip
LABEL_WORDS = (
    "libelle", "lib", "label", "designation", "intitule", "description", "denomination", "nom", "name", "title",
)  # fmt: skip

# Parts of a row, by the words of the column, best first.
BIRTH = ("naissance", "birth", "ddn", "dob", "naiss", "birthdate", "datenaissance", "datenais")
SEX = ("sexe", "sex", "gender", "genre", "sx")
DEATH = ("deces", "death", "dod", "deceased", "deceaseddate")
START = ("entree", "debut", "admission", "admit", "arrivee", "start", "begin", "from", "ouverture", "in")
END = ("sortie", "fin", "discharge", "end", "stop", "depart", "to", "cloture", "disch", "out")
EVENT = (
    "prelevement", "preleve", "realise", "realisation", "execution", "acte", "mesure", "collection", "effective",
    "faite", "administration", "chart", "debut", "start", "prescription", "ecrit", "ecrite", "ecriture", "redaction",
    "document", "diagnostic", "recueil", "saisie", "date", "heure",
)  # fmt: skip
CHANGE = ("maj", "modification", "modifie", "update", "updated", "modified", "changed", "lastupdate")
TOMBSTONE = ("annule", "annulation", "supprime", "suppression", "deleted", "cancelled", "canceled", "deletion")
VALUE = ("valeur", "resultat", "value", "result", "val", "res")
UNIT = ("unite", "unit", "unites", "uom", "unitcode")
LOW, HIGH = ("basse", "inf", "min", "low", "lower"), ("haute", "sup", "max", "high", "upper")
DOSE, PER_DAY = ("dose", "posologie", "quantite", "quantity"), ("frequence", "frequency", "prises", "parjour")
ROUTE = ("voie", "route")
MODE = ("mode", "provenance", "destination")
WARD = ("uf", "service", "ward", "ua", "um", "fonctionnelle", "careunit")
ADMINISTRATION = ("administration", "administre", "admin", "emar", "dispensation", "perfusion")
LABORATORY = ("biologie", "bio", "labo", "laboratoire", "lab", "analyse", "analyses", "resultat", "resultats")
ANALYSIS = ("analyse", "examen", "test", "loinc", "nabm", "parametre", "mesure", "constante", "item", "itemid", "code")

# Vocabularies by the shape of their codes: name → (shape, words that name them, whether the words are needed).
CODES: dict[str, tuple[str, set[str], bool]] = {
    "CCAM": (r"[A-Z]{4}[0-9]{3}", {"ccam", "acte"}, False),
    "ATC": (r"[A-DGHJ-NPRSV][0-9]{2}([A-Z]([A-Z]([0-9]{2})?)?)?", {"atc"}, False),
    "CIM10": (r"[A-Z][0-9]{2}(\.?[0-9A-Z+]{1,4})?", {"cim", "cim10", "icd", "icd10", "diag", "diagnostic"}, False),
    "CIP13": (r"34009[0-9]{8}", {"cip", "cip13"}, False),
    "UCD13": (r"34008[0-9]{8}", {"ucd", "ucd13"}, False),
    "UCD7": (r"9[0-9]{6}", {"ucd", "ucd7"}, True),
    "CIP7": (r"[23][0-9]{6}", {"cip", "cip7"}, True),
    "LOINC": (r"[0-9]{1,5}-[0-9]", {"loinc"}, False),
    "NABM": (r"[0-9]{4}", {"nabm"}, True),
    "SNOMED": (r"[0-9]{6,18}", {"snomed", "sct"}, True),
    "NDC": (r"[0-9]{10,11}", {"ndc"}, True),
    "GHM": (r"[0-9]{2}[A-Z][0-9]{2}[0-9A-Z]", {"ghm"}, False),
}
# How each is declared: the demo vocabulary and Athena name them so; a vocabulary without concepts keeps its codes.
DECLARED: dict[str, str] = {
    "CCAM": "{normalise: [trim, upper]}",
    "ATC": "{normalise: [trim, upper]}",
    "CIM10": "{normalise: [trim, upper, no_dot], parents: true}",
    "NDC": "{normalise: [ndc11]}",
}
DRUG_CODES = ("ATC", "CIP13", "UCD13", "CIP7", "UCD7", "NDC")
MEASURE_CODES = ("LOINC", "NABM")

# Shapes of direct identifiers in values.
PHONE = r"(?:\+33|0033|0)\s?[1-9](?:[\s./-]?[0-9]{2}){4}"
MAIL = r"[\w.+-]+@[\w-]+(\.[\w-]+)+"
STREET = (
    r"(?i)[0-9]{1,4}\s?(?:bis|ter)?,?\s+"
    r"(?:rue|avenue|av\.?|bd|boulevard|place|chemin|impasse|all[ée]e|route|quai|lotissement)\s.+"
)
PERSON_NAME = r"[A-ZÀ-ÝŒ][A-Za-zÀ-ÿŒœ'’]{2,}[0-9]{0,4}(?:[ -][A-ZÀ-ÝŒa-zà-ÿ'’]+[0-9]*){0,3}"

_ISO_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
# Patterns of dates (Spark) → shape. The unambiguous ones first.
DATE_FORMATS: tuple[tuple[str, str, str], ...] = (
    ("timestamp", "", _ISO_DAY + r"[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?"),
    ("date", "", _ISO_DAY),
    ("timestamp", "dd/MM/yyyy HH:mm:ss", r"[0-3][0-9]/[01][0-9]/[0-9]{4} [0-2][0-9]:[0-5][0-9]:[0-5][0-9]"),
    ("timestamp", "dd/MM/yyyy HH:mm", r"[0-3][0-9]/[01][0-9]/[0-9]{4} [0-2][0-9]:[0-5][0-9]"),
    ("date", "dd/MM/yyyy", r"[0-3][0-9]/[01][0-9]/[0-9]{4}"),
    ("date", "MM/dd/yyyy", r"[01][0-9]/[0-3][0-9]/[0-9]{4}"),
    ("timestamp", "dd-MM-yyyy HH:mm:ss", r"[0-3][0-9]-[01][0-9]-[0-9]{4} [0-2][0-9]:[0-5][0-9]:[0-5][0-9]"),
    ("timestamp", "dd-MM-yyyy HH:mm", r"[0-3][0-9]-[01][0-9]-[0-9]{4} [0-2][0-9]:[0-5][0-9]"),
    ("date", "dd-MM-yyyy", r"[0-3][0-9]-[01][0-9]-[0-9]{4}"),
    ("date", "dd.MM.yyyy", r"[0-3][0-9]\.[01][0-9]\.[0-9]{4}"),
    ("timestamp", "yyyyMMddHHmmss", r"(?:19|20)[0-9]{2}[01][0-9][0-3][0-9][0-2][0-9][0-5][0-9][0-5][0-9]"),
    ("timestamp", "yyyyMMddHHmm", r"(?:19|20)[0-9]{2}[01][0-9][0-3][0-9][0-2][0-9][0-5][0-9]"),
    ("date", "yyyyMMdd", r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"),
)  # fmt: skip

# What a local code most often means: (CDM prefix, code in lower case) → concept. A person approves each.
PROPOSED: dict[tuple[str, str], tuple[int, str]] = {
    **{("gender", code): (8507, "MALE") for code in ("m", "h", "1", "masculin", "homme", "male")},
    **{("gender", code): (8532, "FEMALE") for code in ("f", "2", "féminin", "feminin", "femme", "female")},
    **{("visit", code): (9201, "Inpatient Visit") for code in ("hc", "hospit", "hospitalisation", "inpatient", "mco")},
    **{("visit", code): (9203, "Emergency Room Visit") for code in ("urg", "urgences", "emergency", "su", "sau")},
    **{
        ("visit", code): (9202, "Outpatient Visit") for code in ("cs", "consultation", "hdj", "hj", "ext", "ambulatory")
    },
}
