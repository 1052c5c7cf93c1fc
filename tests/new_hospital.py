"""A hospital that nobody has declared yet: Saint-Elme, invented. Semicolons, windows-1252, French dates."""

import csv
import gzip
import random
from pathlib import Path

NAMES = (
    "Kerbrat",
    "Zunigo",
    "Quéméneur",
    "Wattrelos",
    "Ploërmel",
    "Dhéry",
    "Vauquelin",
    "Ostrowicz",
    "Njoya",
    "Bricquebec",
)
FIRST = ("Oriane", "Théodule", "Maëlys", "Anselme", "Zélie", "Corentin", "Ysé", "Barnabé")
DIAGNOSES = ("E11.9", "I50.1", "I10", "J44.1", "N18.3", "K35.8", "Z51.1")
ACTS = ("DEQP003", "ZBQK002", "HHFA016")
ANALYSES = {"CREAT": ("Créatinine", "µmol/L"), "KAL": ("Potassium", "mmol/L"), "HB": ("Hémoglobine", "g/dL")}
DRUGS = {"A10BA02": "Metformine 850 mg", "C07AB07": "Bisoprolol 2,5 mg", "B01AF02": "Apixaban 5 mg"}


def nir(born: str, sex: str, place: int) -> str:
    """An invented number with a right key; department 99 and commune 000 do not exist."""
    body = f"{1 if sex == 'H' else 2}{born[8:10]}{born[3:5]}99000{place:03d}"
    return f"{body}{97 - int(body) % 97:02d}"


def tables(people: int = 60, seed: int = 7) -> dict[str, list[list[str]]]:
    """Its files: name → header and rows."""
    r = random.Random(seed)

    def day(year: int) -> str:
        return f"{r.randint(1, 28):02d}/{r.randint(1, 12):02d}/{year}"

    def moment(date: str) -> str:
        return f"{date} {r.randint(0, 23):02d}:{r.randint(0, 59):02d}"

    files: dict[str, list[list[str]]] = {
        "PATIENTS.csv": [["NIP", "NOM", "PRENOM", "DDN", "SEXE", "ADRESSE", "TEL", "NIR", "DATE_DECES", "DT_MAJ"]],
        "VENUES.csv.gz": [["NO_VENUE", "NIP", "DT_ENTREE", "DT_SORTIE", "TYPE", "MODE_SORTIE", "SERVICE"]],
        "DIAG.csv": [["NO_VENUE", "RANG", "CODE_CIM", "LIBELLE"]],
        "ACTES.csv": [["ID_ACTE", "NO_VENUE", "CODE_CCAM", "DT_REALISATION"]],
        "BIOLOGIE.csv": [["ID_RES", "NIP", "NO_VENUE", "ANALYSE", "LIBELLE", "RESULTAT", "UNITE", "DT_PRELEVEMENT"]],
        "PRESCRIPTIONS.csv": [
            ["ID_LIGNE", "NIP", "NO_VENUE", "ATC", "LIBELLE", "DOSE", "UNITE", "VOIE", "DT_DEBUT", "DT_FIN"]
        ],
        "COURRIERS.csv": [["ID_DOC", "NIP", "NO_VENUE", "DT_DOC", "TEXTE"]],
        "SERVICES.csv": [["SERVICE", "LIBELLE"], ["CARD", "Cardiologie"], ["PNEU", "Pneumologie"], ["URG", "Urgences"]],
    }
    result = line = act = 0
    for i in range(people):
        nip, sex, born = f"{4_400_000 + 37 * i}", r.choice("HF"), day(r.randint(1930, 2000))
        name, first = r.choice(NAMES), r.choice(FIRST)
        dead = day(2024) if i % 12 == 0 else ""
        files["PATIENTS.csv"].append([
            nip, name.upper(), first, born, sex, f"{r.randint(1, 90)} rue des Goélands",
            f"06 {r.randint(10, 99)} {r.randint(10, 99)} {r.randint(10, 99)} {r.randint(10, 99)}",
            nir(born, sex, i), dead, moment("02/01/2025"),
        ])  # fmt: skip
        for k in range(r.randint(1, 3)):
            stay, entry = f"V{i:04d}{k}", day(2024)
            files["VENUES.csv.gz"].append([
                stay, nip, moment(entry), moment(f"{entry[:6]}2025"), r.choice(("HC", "URG", "CS")),
                r.choice(("8", "9", "7")), r.choice(("CARD", "PNEU", "URG")),
            ])  # fmt: skip
            for rank, code in enumerate(r.sample(DIAGNOSES, 3), start=1):
                files["DIAG.csv"].append([stay, str(rank), code, f"Libellé de {code}"])
            act += 1
            files["ACTES.csv"].append([f"{act}", stay, r.choice(ACTS), moment(entry)])
            for code, (label, unit) in ANALYSES.items():
                result += 1
                value = f"{r.uniform(3, 300):.1f}".replace(".", ",")
                shown = "annulé" if result == 5 else value
                files["BIOLOGIE.csv"].append([f"{result}", nip, stay, code, label, shown, unit, moment(entry)])
            for atc in r.sample(sorted(DRUGS), 2):
                line += 1
                files["PRESCRIPTIONS.csv"].append([
                    f"{line}", nip, stay, atc, DRUGS[atc], "2,5", "mg", "PO", moment(entry), moment(f"{entry[:6]}2025"),
                ])  # fmt: skip
            title = "Madame" if sex == "F" else "Monsieur"
            text = f"{title} {first} {name.upper()} a été hospitalisé pour une dyspnée d’effort."
            files["COURRIERS.csv"].append([f"D{stay}", nip, stay, moment(entry), text])
    return files


def write_extract(folder: Path, files: dict[str, list[list[str]]]) -> Path:
    """The files as the hospital sends them; gives the folder back."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        opener = gzip.open if name.endswith(".gz") else open
        with opener(folder / name, "wt", newline="", encoding="windows-1252") as file:  # type: ignore[operator]
            csv.writer(file, delimiter=";").writerows(rows)
    return folder
