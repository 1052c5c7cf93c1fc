"""What the second hospital calls the things that the first one calls otherwise: first hospital's code → its own."""

DELETED = "O"  # what a cancelled row carries; empty otherwise

STAY_KINDS = {"HC": "HOSPIT", "URG": "PASSAGE_URG", "CS": "EXTERNE", "HJ": "SEANCE"}
ENTRIES = {"8": ("DOM", ""), "8U": ("DOM", "URG"), "7": ("TRF", "")}  # mode, provenance
EXITS = {"8": "DOM", "6": "MUT", "7": "TRF", "9": "DCD"}
WARD_KINDS = {"MCO": "03", "REA": "18", "URG": "07", "CS": "10", "HJ": "04"}
DISEASE_TYPES = {"DP": "1", "DR": "2", "DAS": "3"}
SEXES = {"M": "1", "F": "2"}
ROUTES = {
    "PO": "ORALE", "IV": "INTRAVEINEUSE", "SC": "SOUS-CUTANEE", "IM": "INTRAMUSC", "INH": "INHALEE",
    "TD": "TRANSDERM", "IT": "INTRATHEC",
}  # fmt: skip
ORDER_STATES = {"active": "EC", "arretee": "AR", "annulee": "AN"}
GIVEN = {"faite": "R", "non_faite": "N", "refusee": "F"}
CONCLUSIONS = {"conforme": "VALIDE", "intervention": "IP"}
DOSE_WORDS = {"selon protocole": "cf. protocole", "1-2": "1 ou 2", "1 à 2": "1 ou 2"}
HISTORY = {
    "ALL_PENI": "AL01", "ALL_AINS": "AL02", "ALL_IODE": "AL03", "ALL_LATEX": "AL04", "ALL_XYZ": "AL99",
    "TABAC_ACTIF": "TB1", "TABAC_SEVRE": "TB2", "TABAC_NON": "TB0", "GROSSESSE": "GR1",
}  # fmt: skip
LETTERS = {"CRH": "LETTRE_SORTIE", "CRHJ": "LETTRE_SEANCE", "LC": "LETTRE_CS"}
SCANS = {"CERT_DECES": "CERTIF_DC", "ORDO_MANUSCRITE": "ORDO_MAN", "CERT_MEDICAL": "CERTIF"}

# Doses a day → how the prescription says it; the dictionary `rythmes` of the dump gives the way back.
RHYTHMS = {
    0.03: ("MENS", "une fois par mois", "0,03"),
    0.143: ("HEBDO", "une fois par semaine", "0,143"),
    0.333: ("72H", "toutes les 72 heures", "0,333"),
    1.0: ("1J", "une fois par jour", "1"),
    2.0: ("2J", "matin et soir", "2"),
    3.0: ("3J", "matin, midi et soir", "3"),
    4.0: ("4J", "toutes les 6 heures", "4"),
    6.0: ("6J", "toutes les 4 heures", "6"),
}

# CCAM act that places a device → its family and its name in the register of implants.
DEVICES = {
    "NEKA020": ("PTH", "Prothèse totale de hanche, cimentée"),
    "DDAF006": ("STENT", "Endoprothèse coronaire à élution"),
    "NBCA010": ("OSTEO", "Clou ou vis-plaque fémoral"),
    "EPLB002": ("KTC", "Cathéter veineux central"),
}
