"""The tiny hospital with identifiers that nothing else in the world spells: whatever finds one has found a leak."""

from tests.hospital import MAPPINGS, ROWS, SOURCE
from tests.passerelle.identity_search import Needles

WOMAN = {
    "ipp": "8001774435",
    "nom": "ZURBRIGGEN",
    "prenom": "Anne-Sophronie",
    "nom_naissance": "DE LA TOUR MAUBREUIL",
    "adresse": "14 bis, rue des Tanneurs-Royaux",
    "telephone": "06 39 98 41 27",
    "ins": "243029600011785",
    "nir": "2430296000117",
}
MAN = {
    "ipp": "8002918846",
    "nom": "KÉRÉNOUÉ-O'MALLEY",
    "prenom": "Zéphyrin",
    "nom_naissance": "KÉRÉNOUÉ-O'MALLEY",
    "adresse": "7 impasse du Clos-Ravaudeur",
    "telephone": "+33 6 39 98 70 52",
    "ins": "160079600033345",
    "nir": "1600796000333",
}
STAYS = ("77024319851", "77024319862")
STAFF = (("10066301175", "VANDERBEKEN", "Théodrade"), ("10066301186", "PETITJEAN-LEGRASSET", "Yolaine"))

NEEDLES = Needles.of(
    words=[
        *(person[column] for person in (WOMAN, MAN) for column in ("nom", "prenom", "nom_naissance", "adresse")),
        # A part of a name alone names a person as well.
        "Sophronie", "Maubreuil", "Kérénoué", "Tanneurs-Royaux", "Clos-Ravaudeur", "Petitjean", "Legrasset",
        *(name for _, *names in STAFF for name in names),
    ],
    numbers=[
        *(person[column] for person in (WOMAN, MAN) for column in ("ipp", "telephone", "ins", "nir")),
        "06 39 98 70 52", *STAYS, *(number for number, *_ in STAFF),
    ],
)  # fmt: skip

PATIENT_COLUMNS = [*WOMAN, "sexe", "naissance", "deces"]
PLANTED_SOURCE = SOURCE.replace(
    "crosswalk: [nom, telephone]", "crosswalk: [nom, prenom, nom_naissance, adresse, telephone, ins, nir]"
).replace(
    "{ipp: string, nom: string, telephone: string, sexe: string, naissance: date, deces: date}",
    "{" + ", ".join(f"{name}: {'date' if name in ('naissance', 'deces') else 'string'}" for name in PATIENT_COLUMNS)
    + "}\n  praticien:\n    path: praticien.csv\n    key: [numero]\n    delete_rule: {kind: absence}\n"
    "    identity_columns: {numero: rest}\n    crosswalk: [nom, prenom]\n"
    "    columns: {numero: string, nom: string, prenom: string}",
)  # fmt: skip
PLANTED_MAPPINGS = MAPPINGS | {
    "provider": """
        WITH praticien AS (SELECT numero FROM bronze.praticien)
        SELECT praticien.numero AS _key FROM praticien
    """
}

# Each line is one way in which a hospital's letters write what must not pass. First the woman's, then the man's.
LETTERS = [
    (WOMAN, "Madame Zurbriggen (IPP 8001774435), née le 11/02/1943, jointe au 06.39.98.41.27 : insuffisance rénale."),
    (WOMAN, "zurbriggen, ZÜRBRIGGEN, Zurbriggèn ; Zu\u0308rbriggen (accent à part) : asthme."),
    (WOMAN, "Anne Sophronie, ANNE  SOPHRONIE, anne-sophronie, Anne\nSophronie : anémie."),
    (WOMAN, "De La Tour-Maubreuil, DELATOUR MAUBREUIL, de la\nTour  Maubreuil : goutte."),
    (WOMAN, "0639984127, +33 6 39 98 41 27, +33639984127, (+33)6 39 98 41 27, 0033639984127 : vertiges."),
    (WOMAN, "06/39/98/41/27, 06\u00a039\u00a098\u00a041\u00a027, 06\u202f39\u202f98\u202f41\u202f27 : malaise."),
    (WOMAN, "INS 2 43 02 96 000 117 85, n° 2.43.02.96.000.117.85, NIR : 2 43 02 96 000 117 : droits ouverts."),
    (WOMAN, "IPP : 80 01 77 44 35, ipp8001774435, IPP:8001.774.435, ZURBRIGGEN_8001774435_scan.pdf : dossier."),
    (WOMAN, "Domicile : 14bis RUE DES TANNEURS ROYAUX, 14 bis, rue des Tanneurs-Royaux : retour à domicile."),
    (WOMAN, f"N° de séjour : {STAYS[0]}, IEP{STAYS[0]}, séjour {STAYS[0]}, dossier {STAYS[0]} : sortie."),
    (WOMAN, "Dr Vanderbeken, vanderbeken, Théodrade VANDERBEKEN, theodrade, Vanderbeken-Durand : vue."),
    (WOMAN, "Petitjean-Legrasset, petitjean legrasset, PETITJEAN, Legrasset, PETITJEAN_LEGRASSET : opérée."),
    (MAN, "M. Kérénoué-O'Malley, Kerenoue O’Malley, KERENOUE-OMALLEY, M. Kérénoué : toux."),
    (MAN, "Zéphyrin, ZEPHYRIN, zephyrin, habite 7, Impasse du Clos Ravaudeur : fièvre."),
    (MAN, "06 39 98 70 52, 0639987052, +33639987052, INS:160079600033345, nir 1 60 07 96 000 333 : joint."),
    (MAN, f"IPP8002918846 séjour n° {STAYS[1]} : sorti."),
]  # fmt: skip


def planted_rows() -> dict[str, list[list[str]]]:
    """Files of the hospital, with rows that cannot be read: what is set aside must not say what it held."""
    text = {key: [list(row) for row in rows] for key, rows in ROWS.items()}
    swap = {"8001": WOMAN["ipp"], "8002": MAN["ipp"], "77001": STAYS[0], "77002": STAYS[1]}
    rows = {name: [[swap.get(cell, cell) for cell in row] for row in lines] for name, lines in text.items()}
    rows["patient.csv"] = [
        PATIENT_COLUMNS,
        [*WOMAN.values(), "F", "1943-02-11", ""],
        [*MAN.values(), "M", "1960-07-30", "2024-04-02"],
        [*(WOMAN | {"ipp": "8001774499"}).values(), "F", WOMAN["nom"], WOMAN["telephone"]],  # shifted columns
    ]
    rows["praticien.csv"] = [["numero", "nom", "prenom"], *map(list, STAFF)]
    rows["sejour.csv"] += [
        ["", WOMAN["ipp"], MAN["nom"], WOMAN["telephone"]],
        [STAYS[0], MAN["ipp"], "2024-05-01 08:00:00", ""],  # the same number for another patient
    ]
    rows["analyse.csv.gz"] += [["5", WOMAN["ipp"], STAYS[0], "K", "4,1", "mmol/L", WOMAN["ins"]], [WOMAN["nir"], "x"]]
    rows["diagnostic.csv"] += [[STAYS[1], "I10", WOMAN["nom"]]]
    rows["lettre.csv"] = [
        ["id", "ipp", "iep", "ecrite", "texte"],
        *(
            [f"L{number}", person["ipp"], STAYS[0 if person is WOMAN else 1], "2024-04-02 11:00:00", letter]
            for number, (person, letter) in enumerate(LETTERS)
        ),
    ]
    return rows
