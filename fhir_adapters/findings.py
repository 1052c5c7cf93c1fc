"""What each finding is called on a clinician's screen. Read by a pharmacist; no logic here.

Codes: HL7 v3-ActCode, value set ``detectedissue-category``. French wording is ours.
"""

V3_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"

FINDINGS = {
    # interaction
    "DRG": "Interaction médicamenteuse",
    "FOOD": "Interaction avec l'alimentation",
    "NHP": "Interaction avec un produit naturel",
    "NONRX": "Interaction avec un médicament sans ordonnance",
    # duplicate
    "DUPTHPY": "Redondance thérapeutique",
    "DUPTHPGEN": "Même substance prescrite deux fois",
    "DUPTHPCLS": "Deux médicaments de la même classe",
    # dose
    "DOSE": "Posologie à vérifier",
    "DOSEH": "Dose trop élevée",
    "DOSEL": "Dose trop faible",
    "DOSEHIND": "Dose trop élevée pour ce patient",
    "DOSEHINDA": "Dose trop élevée pour l'âge",
    "DOSEHINDW": "Dose trop élevée pour le poids",
    "DOSEHINDSA": "Dose trop élevée pour la surface corporelle",
    "DOSELIND": "Dose trop faible pour ce patient",
    "DOSELINDA": "Dose trop faible pour l'âge",
    "DOSELINDW": "Dose trop faible pour le poids",
    "DOSEIVL": "Intervalle entre les prises à vérifier",
    "DOSEDUR": "Durée du traitement à vérifier",
    "DOSECOND": "Dose inadaptée à l'état du patient",
    "MDOSE": "Dose maximale dépassée",
    # allergy
    "ALGY": "Allergie",
    "INT": "Intolérance",
    "RREACT": "Réaction croisée possible",
    # patient
    "COND": "Contre-indication liée à une maladie",
    "PREG": "Grossesse",
    "LACT": "Allaitement",
    "AGE": "Médicament inadapté à l'âge",
    "GEND": "Médicament inadapté au sexe",
    "GEN": "Facteur génétique",
    "LAB": "Résultat de biologie à prendre en compte",
    # practice
    "GEALRT": "Médicament potentiellement inapproprié chez le sujet âgé",
    "ADALRT": "Traitement attendu absent",
    "OBSA": "Surveillance à compléter",
    # timing
    "TIME": "Moment de prise à vérifier",
    "ENDLATE": "Fin de traitement tardive",
    "STRTLATE": "Début de traitement tardif",
    "TOOSOON": "Renouvellement trop tôt",
    "TOOLATE": "Renouvellement trop tard",
}
OTHER = "Prescription à vérifier"
# Of all lines of a patient together, and of a line that only resembles those corrected: the value set has no code.
WITHOUT_CODE = {"PATIENT": "Prescriptions du patient à lire en premier", "REVIEW": OTHER}

SEVERITIES = {"high": "élevée", "moderate": "modérée", "low": "faible"}
