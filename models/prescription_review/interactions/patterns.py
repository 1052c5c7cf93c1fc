"""French words of the thesaurus that say when a level applies. Read by a pharmacist; no logic here.

All patterns are searched in plain words (``words.plain``): lower case, no accents, no punctuation but ``+``; the signs
of comparison are written out first (``SIGNS``). Numbers of the aspirin bands are those of the thesaurus itself.
"""

import math

# Signs that plain words would lose.
SIGNS = {
    ">=": " au moins ",
    "=<": " au plus ",
    "≤": " au plus ",
    "≥": " au moins ",
    ">": " plus de ",
    "<": " moins de ",
}

# Where the conduct begins: what follows says what to do, not when the level applies.
CONDUCT = (
    r"si l association|si l usage|si elle ne peut|si cela est possible|si possible|surveill\w+|controle\w*|"
    r"dosage\w*|adapt\w+|debuter|utiliser|reduire|reduction|limiter|ne pas|necessite|par mesure|prendre |preferer|"
    r"une reduction|augmenter|interrompre|respecter un|hydrater|eviter|prudence|prevenir|renforcer"
)
# A text that begins so restricts its level, even where the rest cannot be read.
RESTRICTS = (
    r"^(avec |entre |pour |chez |dans |en cas |en dehors |en l absence |sauf |si la |lorsque |pendant |pour connaitre)"
)
# The same in an entry with one level: there "en cas de…" and "si…" speak of the conduct.
RESTRICTS_ALONE = (
    r"^(sauf |contre indication sauf |contre indique sauf |chez (le|les) patients? (avec une )?insuffisan|"
    r"chez l enfant de moins de|dans (son|ses|l) (utilisation|indications?))"
)
# A mechanism that begins so says first when the interaction exists.
IN_MECHANISM = r"^(avec|pour|chez|dans(?! l insuffisance cardiaque congestive)|en cas|sauf|par voie) "
RAISES = r"^contre indication avec "  # an entry of a lower level that is contra-indicated for some
EXCEPT = r"\b(?:sauf|a l exception de|hormis|excepte)\b"
OTHERS = r"\bautres?\b"

# Not in a prescription: the pharmacist knows. Pattern -> what must be known.
UNRECORDED = {
    r"en dehors des indications|dans (?:les|l|ses|son|sa) indications?|dans son utilisation|traitement de substitution|"
    r"dans l utilisation|a visee contraceptive": "indication",
    r"resistance a la classe": "résistance du virus",
    r"utilisation prolongee": "durée du traitement",
    r"a fortes doses|(doses|posologies) elevees|superieures ou egales a($| \D)": "dose élevée",
    r"genotype": "génotype",
    r"en age de procreer|intervention obstetricale|en cas de deshydratation|en cas d arret brutal|"
    r"traitement anterieur": "circonstance",
    r"titration|ajustement posologique|phase de stabilisation": "phase du traitement",
    r"letermovir seul": "traitement associé",
    r"hormis supplementation": "indication",
    r"de meme classe|inotropes negatives": "classe de l'antiarythmique",
}

# Doses of aspirin: pattern -> alternatives, each a list of (basis, at least, below), in mg.
ASPIRIN = "acide acetylsalicylique"
ASPIRIN_DOSES = {
    r"antalgiques antipyretiques ou anti inflammatoires": [[("dose", 500.0, math.inf)]],
    r"doses anti inflammatoires": [[("dose", 1000.0, math.inf)], [("day", 3000.0, math.inf)]],
    r"doses antalgiques ou antipyretiques": [[("dose", 500.0, 1000.0), ("day", 0.0, 3000.0)]],
    r"doses antiagregantes": [[("day", 50.0, 375.1)]],
}
NUMBER = r"(\d+(?:[ ]\d)?)"
# Any other dose: pattern -> (basis, which bound its number is).
DOSES = {
    rf"plus de {NUMBER} mg (?:par )?semaine|superieures a {NUMBER} mg (?:par )?semaine": ("week", "above"),
    rf"au plus {NUMBER} mg (?:par )?semaine|inferieures ou egales a {NUMBER} mg (?:par )?semaine": ("week", "up to"),
    rf"au moins {NUMBER} mg (?:par )?jour|superieures ou egales a {NUMBER} mg (?:par )?j": ("day", "from"),
    rf"comprises entre {NUMBER} mg et {NUMBER} mg jour": ("day", "between"),
    rf"posologie de {NUMBER} a {NUMBER} mg par jour": ("day", "between"),
    rf"doses de (?:\w+ ){{0,2}}de {NUMBER} mg": ("day", "from"),
}
LOWER_DOSES = r"pour des doses inferieures"  # than those of the other level

ROUTES = {
    r"\biv et sublingual\b": ("iv", "sublingual"),
    r"\biv\b|voie intraveineuse|par perfusion": ("iv",),
    r"voie orale et par extrapolation par voie injectable": ("oral", "iv", "im", "sc"),
    r"voie injectable": ("iv", "im", "sc"),
    r"voie orale ou rectale": ("oral", "rectal"),
    r"voie orale ou inhalee": ("oral", "inhaled"),
    r"\bper os\b|\bpar voie orale\b": ("oral",),
}
# What a measurement or the age says: pattern -> alternatives of (fact, at least, below).
NORMAL_KIDNEY, MODERATE, SEVERE = 80.0, 60.0, 30.0  # mL/min; 80: RCP du pémétrexed, rubrique 4.5
OLD = 65.0
FACTS = {
    r"fonction renale faible a moderee": [("clearance", 0.0, NORMAL_KIDNEY)],
    r"fonction renale normale": [("clearance", NORMAL_KIDNEY, math.inf)],
    r"comprise entre 45 et 59 ml": [("clearance", 45.0, 60.0)],
    r"insuffisan\w+ renale? ou hepatique moderee a severe": [("clearance", 0.0, MODERATE), ("liver", 1.0, math.inf)],
    r"insuffisan\w+ renal ou hepatique severe": [("clearance", 0.0, SEVERE), ("liver", 1.0, math.inf)],
    r"insuffisants renaux et ou hepatiques": [("clearance", 0.0, MODERATE), ("liver", 1.0, math.inf)],
    r"fonction renale et hepatique normale": [("clearance", MODERATE, math.inf)],
    r"patients ages": [("age", OLD, math.inf)],
    r"sujets non ages": [("age", 0.0, OLD)],
    r"enfant de moins de 30 kg": [("weight", 0.0, 30.0)],
    r"en l absence d antecedent d ulcere": [("ulcer", 0.0, 1.0)],
    r"(?<!absence d )antecedent d ulcere": [("ulcer", 1.0, math.inf)],
    r"(?:dans|de) l insuffisance cardiaque|chez l insuffisant cardiaque": [("heart_failure", 1.0, math.inf)],
    r"alteration de la fonction ventriculaire gauche": [("heart_failure", 1.0, math.inf)],
    r"fonction ventriculaire gauche est normale": [("heart_failure", 0.0, 1.0)],
    r"sauf (?:en cas d|s il existe une )\s?hypokaliemie": [("potassium", 3.5, math.inf)],
    r"(?:ainsi qu )?en cas d hypokaliemie": [("potassium", 0.0, 3.5)],
}

# Words for several substances -> a class of the thesaurus, or substances, in plain words.
GROUPS = {
    r"macrolides": ("macrolides sauf spiramycine",),
    r"antifongiques azoles|azoles antifongiques": ("itraconazole", "ketoconazole", "posaconazole", "voriconazole"),
    r"inhibiteurs de proteases": ("inhibiteurs de proteases boostes par ritonavir",),
    r"opiaces": ("morphiniques",),
    r"barbituriques": ("barbituriques",),
    r"\biec\b": ("inhibiteurs de l enzyme de conversion",),
    r"inhibiteurs d integrase": ("inhibiteurs d integrase",),
    r"anticonvulsivants inducteurs": ("anticonvulsivants inducteurs enzymatiques",),
    r"inhibiteurs de la phosphodiesterase de type 5": ("inhibiteurs de la phosphodiesterase de type 5",),
    r"antiparasitaires": ("antiparasitaires susceptibles de donner des torsades de pointes",),
    r"neuroleptiques": ("neuroleptiques susceptibles de donner des torsades de pointes",),
    r"donnant des torsades": ("substances susceptibles de donner des torsades de pointes",),
    r"l oxybate de sodium": ("sodium oxybate de",),
    r"sels de calcium": ("calcium",),
}
BOTH = r"association d antiarythmiques donnant des torsades"  # the two partners are of that group
ONLY_ROUTE = r"seules les formes administrees par voie intraveineuse|la voie iv et la voie orale"
