"""What a clinician reads, and the category that each feature speaks for. Read by a pharmacist; no logic here."""

from models.prescription_review.dose_reference import SAID

# Feature -> label on the screen.
LABELS = {
    "atc2": "classe thérapeutique",
    "atc4": "sous-classe thérapeutique",
    "route": "voie d'administration",
    "age": "âge (ans)",
    "female": "sexe féminin",
    "clearance": "fonction rénale (mL/min)",
    "filtration": "débit de filtration glomérulaire CKD-EPI (mL/min/1,73 m²)",
    "filtration_lowest": "débit de filtration le plus bas des derniers jours (mL/min/1,73 m²)",
    "kidney_margin": "débit de filtration le plus bas / limite sous laquelle la posologie est à adapter",
    "creatinine": "créatinine (µmol/L)",
    "creatinine_age_h": "ancienneté de la créatinine (h)",
    "creatinine_change": "évolution de la créatinine (log)",
    "potassium": "kaliémie (mmol/L)",
    "potassium_highest": "kaliémie la plus haute des derniers jours (mmol/L)",
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
    "daily_share_above": "part des prescriptions à une dose journalière plus forte",
    "daily_commonness": "fréquence de cette dose journalière (1 : la plus usuelle)",
    "daily_error_ratio": "dose journalière : vraisemblance d'une erreur de saisie (log)",
    "dose_log_ratio": "dose par prise / dose usuelle (log)",
    "dose_z": "écart à la dose par prise usuelle",
    "dose_share_above": "part des prises à une dose plus forte",
    "dose_commonness": "fréquence de cette dose par prise (1 : la plus usuelle)",
    "dose_error_ratio": "dose par prise : vraisemblance d'une erreur de saisie (log)",
    "per_day_share_above": "part des prescriptions avec plus de prises",
    "per_day_commonness": "fréquence de ce nombre de prises (1 : le plus usuel)",
    "route_code_commonness": "fréquence de cette voie pour ce médicament (1 : la plus usuelle)",
    "treated_hours": "heures de traitement",
    "given_doses": "prises administrées",
    "given_share": "part des prises prévues qui ont été administrées (lissée)",
    "after_other": "prescrit après l'autre ligne",
    "interaction_level": "niveau de l'interaction",
    "allergies": "allergies connues",
    "pregnant": "grossesse en cours",
    "stopp_criteria": "critères STOPP",
    "ill_heart_failure": "insuffisance cardiaque connue",
    "ill_atrial_fibrillation": "fibrillation atriale connue",
    "ill_coronary": "maladie coronaire connue",
    "ill_stroke": "accident vasculaire cérébral connu",
    "ill_bleeding": "ulcère ou hémorragie digestive connus",
    "ill_obstructive_lung": "BPCO connue",
    "ill_asthma": "asthme connu",
    "ill_epilepsy": "épilepsie connue",
    "ill_kidney": "insuffisance rénale connue",
    "ill_diabetes": "diabète connu",
    "ill_gout": "goutte connue",
    "ill_thyroid": "maladie thyroïdienne connue",
    "ill_dementia": "démence connue",
    "ill_depression": "dépression connue",
    "ill_cancer": "cancer connu",
    "sodium": "natrémie (mmol/L)",
    "glucose": "glycémie (mmol/L)",
    "haemoglobin": "hémoglobine (g/dL)",
    "platelets": "plaquettes (G/L)",
    "ALT": "ALAT (UI/L)",
    "rules_grave": "nombre de règles modérées ou graves",
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
    "rule_pregnancy": "règle : grossesse, allaitement ou âge de procréer",
    "rule_age": "règle : âge",
    "rule_stopp": "règle : STOPP (65 ans et plus)",
    "rule_untreated": "règle : traitement attendu absent",
    "rule_route": "règle : voie ou forme",
    "rule_rhythm": "règle : rythme d'administration",
    "rule_interaction": "règle : interaction",
    "kidney_log_ratio": "dose journalière / dose usuelle à cette fonction rénale (log)",
    "filtration_log_ratio": "dose journalière / dose usuelle à ce débit de filtration (log)",
    "filtration_share_above": "part des prescriptions à une dose plus forte, à ce débit de filtration",
    "filtration_commonness": "fréquence de cette dose à ce débit de filtration (1 : la plus usuelle)",
    "filtration_error_ratio": "dose à ce débit de filtration : vraisemblance d'une erreur de saisie (log)",
    "rare_filtration": "fréquence à ce débit de filtration, par rapport à l'attendu (log2)",
    "objected_filtration": "interventions passées : médicament à ce débit de filtration (part)",
    "kidney_share_above": "part des prescriptions à une dose plus forte, à cette fonction rénale",
    "kidney_commonness": "fréquence de cette dose à cette fonction rénale (1 : la plus usuelle)",
    "kidney_error_ratio": "dose à cette fonction rénale : vraisemblance d'une erreur de saisie (log)",
    "rare_other_drug": "fréquence avec une autre ligne active, par rapport à l'attendu (log2)",
    "rare_same_group": "fréquence avec une autre ligne du même groupe, par rapport à l'attendu (log2)",
    "rare_duplicate": "fréquence avec la ligne redondante, par rapport à l'attendu (log2)",
    "rare_interaction": "fréquence avec la ligne qui interagit, par rapport à l'attendu (log2)",
    "rare_illness": "fréquence avec une maladie connue, par rapport à l'attendu (log2)",
    "rare_kidneys": "fréquence à cette fonction rénale, par rapport à l'attendu (log2)",
    "rare_potassium_level": "fréquence à cette kaliémie, par rapport à l'attendu (log2)",
    "rare_haemoglobin_level": "fréquence à cette hémoglobine, par rapport à l'attendu (log2)",
    "rare_age_and_sex": "fréquence à cet âge et pour ce sexe, par rapport à l'attendu (log2)",
    "objected_other_drug": "interventions passées : médicament avec une autre ligne active (part)",
    "objected_same_group": "interventions passées : médicament avec un autre du même groupe (part)",
    "objected_illness": "interventions passées : médicament et maladie connue (part)",
    "objected_kidneys": "interventions passées : médicament à cette fonction rénale (part)",
    "objected_potassium_level": "interventions passées : médicament à cette kaliémie (part)",
    "objected_haemoglobin_level": "interventions passées : médicament à cette hémoglobine (part)",
    "objected_age_and_sex": "interventions passées : médicament à cet âge (part)",
    "objected_dose": "interventions passées sur cette alerte : dose maximale (part)",
    "objected_dose_sum": "interventions passées sur cette alerte : lignes cumulées (part)",
    "objected_underdose": "interventions passées sur cette alerte : dose trop faible (part)",
    "objected_renal": "interventions passées sur cette alerte : fonction rénale (part)",
    "objected_lab": "interventions passées sur cette alerte : biologie (part)",
    "objected_adverse": "interventions passées sur cette alerte : effet indésirable biologique (part)",
    "objected_monitoring": "interventions passées sur cette alerte : surveillance (part)",
    "objected_duplicate": "interventions passées sur cette alerte : redondance (part)",
    "objected_contraindication": "interventions passées sur cette alerte : contre-indication (part)",
    "objected_allergy": "interventions passées sur cette alerte : allergie (part)",
    "objected_pregnancy": "interventions passées sur cette alerte : grossesse ou allaitement (part)",
    "objected_age": "interventions passées sur cette alerte : âge (part)",
    "objected_stopp": "interventions passées sur cette alerte : STOPP (part)",
    "objected_untreated": "interventions passées sur cette alerte : traitement attendu absent (part)",
    "objected_route": "interventions passées sur cette alerte : voie ou forme (part)",
    "objected_rhythm": "interventions passées sur cette alerte : rythme (part)",
    "objected_interaction": "interventions passées sur cette alerte : interaction (part)",
}

# Without any rule, the finding is named after the strongest of these. A category that must name a second row
# (DUPTHPY, DRG, COND) is the rules' alone.
STATISTICAL = {
    "DOSE": (*(f"{measure}_{name}" for measure in ("daily", "dose") for name in SAID[measure]), "max_ratio",
             "change_from_previous", "dose_missing"),
    "DOSEIVL": ("per_day_share_above", "per_day_commonness"),
    "ROUTE": ("route_code_commonness",),
    "LAB": (*(f"{measure}_{name}" for measure in ("kidney", "filtration") for name in SAID[measure]), "kidney_margin",
            "rare_kidneys", "objected_kidneys", "rare_filtration", "objected_filtration", "rare_potassium_level",
            "objected_potassium_level", "rare_haemoglobin_level", "objected_haemoglobin_level"),
    "AGE": ("rare_age_and_sex", "objected_age_and_sex"),
}  # fmt: skip
# What is so of a patient or of an order, and is no finding: it speaks for a category that a rule has named.
FACTS = {
    "DOSEIVL": ("per_day",),
    "LAB": ("clearance", "filtration", "filtration_lowest", "creatinine", "creatinine_change", "potassium",
            "potassium_highest", "INR"),
    "AGE": ("age",),
}  # fmt: skip
# Of an order that only resembles those that are corrected. No code of FHIR says it.
REVIEW = "REVIEW"

# Category -> all features that speak for it, rules included: the category that moved the score most names the finding.
SPEAKS_FOR = {
    "DOSE": (*STATISTICAL["DOSE"], "rule_dose", "rule_dose_sum", "rule_underdose", "objected_dose", "objected_dose_sum",
             "objected_underdose"),
    "DOSEIVL": (*STATISTICAL["DOSEIVL"], *FACTS["DOSEIVL"], "rule_rhythm", "objected_rhythm"),
    "ROUTE": (*STATISTICAL["ROUTE"], "rule_route", "objected_route"),
    "LAB": (*STATISTICAL["LAB"], *FACTS["LAB"], "rule_renal", "rule_lab", "rule_adverse", "objected_renal",
            "objected_lab", "objected_adverse"),
    "OBSA": ("rule_monitoring", "objected_monitoring"),
    "AGE": (*STATISTICAL["AGE"], *FACTS["AGE"], "rule_age", "objected_age"),
    "GEALRT": ("rule_stopp", "objected_stopp"),
    "ADALRT": ("rule_untreated", "objected_untreated"),
    "ALGY": ("rule_allergy", "objected_allergy"),
    "PREG": ("rule_pregnancy", "objected_pregnancy"),
    "DUPTHPY": ("rule_duplicate", "active_same_substance", "active_same_class", "objected_duplicate",
                "objected_same_group", "rare_same_group", "rare_duplicate"),
    "COND": ("rule_contraindication", "objected_contraindication", "objected_illness", "rare_illness"),
    "DRG": ("rule_interaction", "interaction_level", "objected_interaction", "objected_other_drug", "rare_other_drug",
            "rare_interaction"),
}  # fmt: skip
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
    "renal_contraindicated_past": "{drug} : à ne pas utiliser sous {limit} mL/min ; débit de filtration (CKD-EPI) à "
    "{value} mL/min/1,73 m² au plus bas des derniers résultats.",
    "renal_reduce_past": "{drug} : posologie à réduire sous {limit} mL/min ({most}) ; débit de filtration (CKD-EPI) à "
    "{value} mL/min/1,73 m² au plus bas des derniers résultats.",
    "lab_above_past": "{drug} : {analyte} à {value} {unit} au plus haut des {days} derniers jours, "
    "au-dessus de {limit} ; {last} au dernier résultat.",
    "lab_below_past": "{drug} : {analyte} à {value} {unit} au plus bas des {days} derniers jours, "
    "en dessous de {limit} ; {last} au dernier résultat.",
    "lab_rise": "{drug} : {analyte} à {value} {unit}, au moins {limit} fois la valeur la plus basse "
    "des {days} derniers jours.",
    "lab_fall": "{drug} : {analyte} à {value} {unit}, au plus {limit} fois la valeur la plus haute "
    "des {days} derniers jours.",
    "adverse_above": "{drug} : sous traitement, {analyte} à {value} {unit}, au-dessus de {limit} ; effet indésirable ?",
    "adverse_below": "{drug} : sous traitement, {analyte} à {value} {unit}, sous {limit} ; effet indésirable ?",
    "adverse_rise": "{drug} : sous traitement, {analyte} à {value} {unit}, au moins {limit} fois la plus basse "
    "valeur des {days} derniers jours ; effet indésirable ?",
    "adverse_fall": "{drug} : sous traitement, {analyte} à {value} {unit}, au plus {limit} fois la plus haute "
    "valeur des {days} derniers jours ; effet indésirable ?",
    "monitoring": "{drug} : surveillance à compléter, {label} ; dernier résultat de plus de {limit} jours.",
    "monitoring_never": "{drug} : surveillance à compléter, {label} ; aucun résultat récent connu sous ce traitement.",
    "duplicate_substance": "{drug} : la même substance est déjà prescrite ({other}).",
    "duplicate_class": "{drug} : une autre ligne de la même classe est active ({label} : {other}).",
    "duplicate_ended": "{drug} : prescrit en même temps qu'une autre ligne de la même classe, arrêtée depuis "
    "({label} : {other}).",
    "contraindication": "{drug} : déconseillé ou contre-indiqué ; diagnostic connu : {condition}.",
    "allergy_direct": "{drug} : allergie connue ({other}).",
    "allergy_cross": "{drug} : réaction croisée possible avec une allergie connue ({other}).",
    "pregnancy_pregnant": "{drug} : grossesse en cours ; {reason}.",
    "pregnancy_nursing": "{drug} : accouchement récent ; si elle allaite, {reason}.",
    "pregnancy_childbearing": "{drug} : femme en âge de procréer ; {reason}.",
    "stopp": "{drug} : {reason} (STOPP, critère {criterion}).",
    "untreated": "{drug} : {reason}.",
    "untreated_disease": "Traitement manquant : {reason}.",
    "route_forbidden": "{drug} : ne doit pas être donné par cette voie ({route}) ; {reason}.",
    "route_only": "{drug} : n'existe pas par cette voie ({route}) ; {reason}.",
    "route_crush": "{drug} : prescrit par sonde ; {reason}.",
    "route_switch": "{drug} : par voie veineuse depuis plus de 48 h alors que d'autres lignes sont orales ; {reason}.",
    "rhythm": "{drug} : rythme trop rapproché, {value} ; {reason}.",
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
    "ROUTE": "{drug} : voie inhabituelle pour ce médicament dans l'établissement ({route}).",
}
# A label with the other drug or the disease (category of ICD-10) that its value is about.
ABOUT = "{label}, {what}"
# Of a patient whose orders are read first: how many, and what is told of the first of them, one after the other.
LINES = {1: "Une ligne à lire."}
MANY_LINES = "{lines} lignes à lire ensemble."
FIRST, THEN = "D'abord {line}", "Puis {line}"
OF_LINE = "{drug}, probabilité d'être corrigée"
OF_LINE_SAID = "{drug}, à corriger {percent} fois sur 100"
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
    "ear": "auriculaire", "nasal": "nasale", "buccal": "sublinguale ou buccale", "vaginal": "vaginale",
    "intradermal": "intradermique", "perineural": "périneurale", "line": "dans le cathéter ou le circuit",
    "rinse": "par rinçage ou irrigation",
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
PROBABLE = "Problème le plus probable : {problem_name} (Act-IP {problem})."
PROPOSAL = "Proposition : {intervention} (Act-IP {problem}, {problem_name})."
