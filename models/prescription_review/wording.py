"""What a clinician reads, and the category that each feature speaks for. Read by a pharmacist; no logic here."""

# Feature -> label on the screen.
LABELS = {
    "atc2": "classe thérapeutique",
    "route": "voie d'administration",
    "stay_kind": "type de séjour",
    "age": "âge (ans)",
    "female": "sexe féminin",
    "clearance": "fonction rénale (mL/min)",
    "creatinine": "créatinine (µmol/L)",
    "creatinine_age_h": "ancienneté de la créatinine (h)",
    "creatinine_change": "évolution de la créatinine (log)",
    "potassium": "kaliémie (mmol/L)",
    "potassium_age_h": "ancienneté de la kaliémie (h)",
    "INR": "INR",
    "INR_age_h": "ancienneté de l'INR (h)",
    "hours_since_admission": "heures depuis l'admission",
    "hour": "heure de la prescription",
    "weekend": "prescription de week-end",
    "per_day": "prises par jour",
    "dose_missing": "dose journalière absente",
    "active_orders": "lignes actives",
    "active_same_substance": "lignes actives de la même substance",
    "active_same_class": "lignes actives de la même classe",
    "change_from_previous": "écart à la prescription précédente (log)",
    "daily_log_ratio": "dose journalière / dose usuelle (log)",
    "daily_z": "écart à la dose journalière usuelle",
    "daily_share_at_or_above": "part des prescriptions à cette dose ou plus",
    "daily_share_equal": "part des prescriptions à cette dose exactement",
    "daily_error_ratio": "dose journalière : vraisemblance d'une erreur de saisie (log)",
    "dose_log_ratio": "dose par prise / dose usuelle (log)",
    "dose_z": "écart à la dose par prise usuelle",
    "dose_share_at_or_above": "part des prises à cette dose ou plus",
    "dose_share_equal": "part des prises à cette dose exactement",
    "dose_error_ratio": "dose par prise : vraisemblance d'une erreur de saisie (log)",
    "per_day_log_ratio": "prises par jour / nombre usuel (log)",
    "per_day_share_at_or_above": "part des prescriptions avec autant de prises ou plus",
    "per_day_share_equal": "part des prescriptions avec ce nombre de prises",
    "route_code_share_equal": "part des prescriptions du médicament par cette voie",
    "max_ratio": "dose journalière / dose maximale",
    "rules_total": "nombre de règles déclenchées",
    "rule_dose": "règle : dose maximale",
    "rule_dose_sum": "règle : dose maximale, lignes cumulées",
    "rule_underdose": "règle : dose trop faible",
    "rule_renal": "règle : fonction rénale",
    "rule_lab": "règle : biologie",
    "rule_adverse": "règle : effet indésirable biologique",
    "rule_monitoring": "règle : surveillance manquante",
    "rule_duplicate": "règle : redondance",
    "rule_contraindication": "règle : contre-indication",
    "rule_allergy": "règle : allergie",
    "rule_pregnancy": "règle : grossesse ou âge de procréer",
    "rule_age": "règle : âge",
    "rule_stopp": "règle : STOPP (65 ans et plus)",
    "rule_untreated": "règle : traitement attendu absent",
    "rule_route": "règle : voie ou forme",
    "rule_rhythm": "règle : rythme d'administration",
    "rule_interaction": "règle : interaction",
}

# Without any rule, the finding is named after the strongest of these. A category that must name a second row
# (DUPTHPY, DRG, COND) is the rules' alone.
STATISTICAL = {
    "DOSE": (
        "daily_log_ratio",
        "daily_z",
        "daily_share_at_or_above",
        "daily_share_equal",
        "daily_error_ratio",
        "dose_log_ratio",
        "dose_z",
        "dose_share_at_or_above",
        "dose_share_equal",
        "dose_error_ratio",
        "max_ratio",
        "change_from_previous",
        "dose_missing",
    ),
    "DOSEIVL": ("per_day", "per_day_log_ratio", "per_day_share_at_or_above", "per_day_share_equal"),
    "LAB": ("clearance", "creatinine", "creatinine_change", "potassium", "INR"),
    "AGE": ("age",),
}

# Category -> all features that speak for it, rules included: the category that moved the score most names the finding.
SPEAKS_FOR = {
    "DOSE": (*STATISTICAL["DOSE"], "rule_dose", "rule_dose_sum", "rule_underdose"),
    "DOSEIVL": (*STATISTICAL["DOSEIVL"], "rule_rhythm"),
    "ROUTE": ("rule_route",),
    "LAB": (*STATISTICAL["LAB"], "rule_renal", "rule_lab", "rule_adverse"),
    "OBSA": ("rule_monitoring",),
    "AGE": (*STATISTICAL["AGE"], "rule_age"),
    "GEALRT": ("rule_stopp",),
    "ADALRT": ("rule_untreated",),
    "ALGY": ("rule_allergy",),
    "PREG": ("rule_pregnancy",),
    "DUPTHPY": ("rule_duplicate", "active_same_substance", "active_same_class"),
    "COND": ("rule_contraindication",),
    "DRG": ("rule_interaction",),
}
# Rules that speak for another family than their category: HL7 has no category for a route.
FAMILIES = {"route": "ROUTE"}

# Rule -> sentence. {drug} is the order's own name; the rest comes from the finding and its knowledge line.
MESSAGES = {
    "dose": "{drug} : {value} {unit}/j prescrits, pour un maximum de {limit} {unit}/j.",
    "dose_sum": "{drug} : {value} {unit}/j avec les autres lignes actives, pour un maximum de {limit} {unit}/j.",
    "renal_contraindicated": "{drug} : à ne pas utiliser sous {limit} mL/min ; fonction rénale estimée à "
    "{value} mL/min ({method}).",
    "renal_reduce": "{drug} : posologie à réduire sous {limit} mL/min ({most}) ; fonction rénale estimée à "
    "{value} mL/min ({method}).",
    "lab_above": "{drug} : {analyte} à {value} {unit}, au-dessus de {limit}.",
    "lab_below": "{drug} : {analyte} à {value} {unit}, en dessous de {limit}.",
    "lab_rise": "{drug} : {analyte} à {value} {unit}, au moins {limit} fois la valeur la plus basse de {days} jours.",
    "lab_fall": "{drug} : {analyte} à {value} {unit}, au plus {limit} fois la valeur la plus haute de {days} jours.",
    "adverse_above": "{drug} : sous traitement, {analyte} à {value} {unit}, au-dessus de {limit} ; effet indésirable ?",
    "adverse_below": "{drug} : sous traitement, {analyte} à {value} {unit}, sous {limit} ; effet indésirable ?",
    "adverse_rise": "{drug} : sous traitement, {analyte} à {value} {unit}, au moins {limit} fois la plus basse "
    "valeur de {days} jours ; effet indésirable ?",
    "adverse_fall": "{drug} : sous traitement, {analyte} à {value} {unit}, au plus {limit} fois la plus haute "
    "valeur de {days} jours ; effet indésirable ?",
    "monitoring": "{drug} : surveillance à compléter, {label} ; dernier résultat de plus de {limit} jours.",
    "monitoring_never": "{drug} : surveillance à compléter, {label} ; aucun résultat récent connu sous ce traitement.",
    "duplicate_substance": "{drug} : la même substance est déjà prescrite ({other}).",
    "duplicate_class": "{drug} : une autre ligne de la même classe est active ({label} : {other}).",
    "contraindication": "{drug} : déconseillé ou contre-indiqué ; diagnostic connu : {condition}.",
    "allergy_direct": "{drug} : allergie connue ({other}).",
    "allergy_cross": "{drug} : réaction croisée possible avec une allergie connue ({other}).",
    "pregnancy_pregnant": "{drug} : grossesse en cours ; {reason}.",
    "pregnancy_childbearing": "{drug} : femme en âge de procréer ; {reason}.",
    "stopp": "{drug} : {reason} (STOPP {criterion}).",
    "untreated": "{drug} : {reason}.",
    "route_forbidden": "{drug} : ne doit pas être donné par cette voie ({route}) ; {reason}.",
    "route_only": "{drug} : n'existe pas par cette voie ({route}) ; {reason}.",
    "route_crush": "{drug} : prescrit par sonde ; {reason}.",
    "route_switch": "{drug} : par voie veineuse depuis plus de 48 h alors que d'autres lignes sont orales ; {reason}.",
    "rhythm": "{drug} : prises par jour {value}, au plus {limit} ; {reason}.",
    "underdose": "{drug} : {value} {unit}/j prescrits, pour une dose utile d'au moins {limit} {unit}/j.",
    "age": "{drug} : à éviter à cet âge ({value} ans).",
    "interaction": "{drug} : {level} avec {other} ({substance_a} et {substance_b}). {more}",
}
# Of an interaction: its condition, a higher level that is not announced, and why it does not interrupt.
CONDITIONS = {
    "met": "La condition de ce niveau est remplie.",
    "unknown": "La condition de ce niveau ne peut pas être vérifiée dans le dossier.",
    "unread": "Le niveau le plus bas de l'entrée est retenu : son texte n'a pas pu être interprété.",
}
WITHHELD = {
    "not met": "Niveau « {withheld} » non retenu : sa condition n'est pas remplie.",
    "unknown": "Niveau « {withheld} » non retenu : sa condition n'est pas vérifiable.",
}
NOT_INTERRUPTIVE = "Signalée sans interruption : {reason}."
SOURCE = "Source : {source}, {edition}."
SOURCE_UNCHECKED = "Source : {source} ; limite à confirmer dans le texte."
STATISTICAL_MESSAGES = {
    "DOSEH": "{drug} : dose inhabituelle, {times} fois la dose usuelle de ce médicament dans l'établissement.",
    "DOSEL": "{drug} : dose inhabituellement basse, {times} fois la dose usuelle dans l'établissement.",
}
RESEMBLES = "{drug} : ressemble aux lignes que les pharmaciens corrigent ; à regarder d'abord : {first}."
# Analysis -> its name and unit on the screen.
ANALYTES = {
    "potassium": "kaliémie",
    "sodium": "natrémie",
    "calcium": "calcémie",
    "magnesium": "magnésémie",
    "glucose": "glycémie",
    "INR": "INR",
    "aPTT": "TCA",
    "anti_Xa": "activité anti-Xa",
    "creatinine": "créatinine",
    "haemoglobin": "hémoglobine",
    "platelets": "plaquettes",
    "leucocytes": "leucocytes",
    "neutrophils": "polynucléaires neutrophiles",
    "ALT": "ALAT",
    "CK": "créatine kinase",
    "bilirubin": "bilirubine totale",
    "TSH": "TSH",
    "digoxin": "digoxinémie",
    "lithium": "lithiémie",
    "vancomycin": "vancomycinémie",
    "gentamicin": "gentamicinémie",
    "amikacin": "amikacinémie",
    "tacrolimus": "tacrolimus sanguin",
    "ciclosporin": "ciclosporine sanguine",
    "phenytoin": "phénytoïnémie",
    "valproate": "valproatémie",
    "carbamazepine": "carbamazépinémie",
    "theophylline": "théophyllinémie",
}
_MG_L = ("vancomycin", "gentamicin", "amikacin", "phenytoin", "valproate", "carbamazepine", "theophylline")
UNITS = {
    "creatinine": "µmol/L",
    "bilirubin": "µmol/L",
    **dict.fromkeys(("potassium", "sodium", "calcium", "magnesium", "glucose", "lithium"), "mmol/L"),
    "INR": "",
    "aPTT": "s",
    "anti_Xa": "UI/mL",
    "haemoglobin": "g/dL",
    **dict.fromkeys(("platelets", "leucocytes", "neutrophils"), "G/L"),
    **dict.fromkeys(("ALT", "CK"), "UI/L"),
    "TSH": "mUI/L",
    **dict.fromkeys(("digoxin", "tacrolimus", "ciclosporin"), "µg/L"),
    **dict.fromkeys(_MG_L, "mg/L"),
}
ROUTES = {
    "oral": "orale", "tube": "par sonde", "iv": "intraveineuse", "im": "intramusculaire", "sc": "sous-cutanée",
    "parenteral": "injectable", "intrathecal": "intrathécale", "epidural": "péridurale", "inhaled": "inhalée",
    "transdermal": "transdermique", "rectal": "rectale", "topical": "cutanée", "eye": "ophtalmique",
    "ear": "auriculaire", "nasal": "nasale", "buccal": "sublinguale", "vaginal": "vaginale",
    "intradermal": "intradermique",
}  # fmt: skip
# Act-IP grid (SFPC): what is shown of the problem and of the intervention. Wording from memory: to be read in the grid.
PROBLEMS = {
    1: "non-conformité aux référentiels ou contre-indication",
    2: "indication non traitée",
    3: "sous-dosage",
    4: "surdosage",
    5: "médicament non indiqué",
    6: "interaction",
    7: "effet indésirable",
    8: "voie ou administration inappropriée",
    9: "traitement non reçu",
    10: "suivi à faire",
}
INTERVENTIONS = {
    "add": "ajouter le traitement attendu",
    "stop": "arrêter ou réévaluer",
    "switch": "remplacer par une autre substance",
    "route": "changer de voie",
    "monitoring": "demander la surveillance",
    "modality": "revoir les modalités d'administration",
    "dose": "adapter la posologie",
}
PROPOSAL = "Proposition : {intervention} (Act-IP {problem}, {problem_name})."
