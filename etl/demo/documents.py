"""Discharge letters in French, and the register of scanned certificates.

The letters name the patient, the physicians, a telephone and an address on purpose: the engine must take them out.
"""

import numpy as np
import pyarrow as pa

from etl.demo.catalogue import CHRONIC, Catalogue
from etl.demo.draws import Block, Integers, choose, rank_within, seconds
from etl.demo.orders import Orders, Record
from etl.demo.people import EXTRACTION, People
from etl.demo.staff import practitioner_of, practitioners
from etl.demo.stays import CS, HC, HJ, Stays, ward_codes

DISEASE_WORDS = {
    "HTA": "hypertension artérielle", "IC": "insuffisance cardiaque chronique", "FA": "fibrillation atriale",
    "DT2": "diabète de type 2", "IRC": "maladie rénale chronique", "BPCO": "BPCO", "ASTHME": "asthme",
    "DYSLIP": "dyslipidémie", "CORO": "cardiopathie ischémique", "AVC": "accident vasculaire cérébral ancien",
    "CANCER": "néoplasie suivie en oncologie", "DEPR": "syndrome dépressif", "EPI": "épilepsie",
    "DEM": "troubles cognitifs", "THYR": "hypothyroïdie substituée", "GOUTTE": "goutte", "ARTH": "arthrose",
    "PR": "polyarthrite rhumatoïde", "GREFFE": "transplantation rénale", "BIPO": "trouble bipolaire",
}  # fmt: skip
COURSES = (
    "L'évolution a été favorable sous traitement.",
    "L'évolution a été marquée par une amélioration clinique et biologique progressive.",
    "Malgré une évolution initialement lente, l'état s'est amélioré.",
    "Pas de complication au cours du séjour.",
)
DEATH_COURSE = "Malgré la prise en charge, l'évolution a été défavorable et {who} est {dead}."


def letter_table(
    block: Block, people: People, stays: Stays, orders: Orders, record: Record, catalogue: Catalogue
) -> pa.Table:
    """Rows of ``dpi.document``: one letter for nine stays in ten, written at discharge or some days later."""
    rng = block.generator("document")
    n = len(stays.row)
    wanted = (stays.kind == HC) | (np.isin(stays.kind, (HJ, CS)) & (rng.random(n) < 0.35))
    late = rng.exponential(catalogue.habits.letter_delay_days, n) * 86400
    date = stays.end + seconds(late)
    stay = np.flatnonzero(wanted & (rng.random(n) < 0.9) & (date < EXTRACTION))
    author = practitioner_of(catalogue, ward_codes(catalogue)[stays.ward[stay]], stays.key[stay])
    draws = rng.random((4, len(stay)))
    writer = _Letters(people, stays, catalogue, _treatments(orders, record, catalogue))
    texts = [writer.text(s, a, d) for s, a, d in zip(stay.tolist(), author.tolist(), draws.T, strict=True)]
    kind = np.array(["CRH", "CRHJ", "LC"], dtype=object)[
        np.select([stays.kind[stay] == HC, stays.kind[stay] == HJ], [0, 1], 2)
    ]
    titles = {
        "CRH": "Compte rendu d'hospitalisation",
        "CRHJ": "Compte rendu d'hôpital de jour",
        "LC": "Lettre de consultation",
    }
    return pa.table(
        {
            "_p": people.index[stays.row[stay]],
            "document_id": stays.key[stay],
            "ipp": people.ipp[stays.row[stay]],
            "numero_sejour": stays.number[stay],
            "type_document": kind,
            "titre": [titles[k] for k in kind],
            "date_document": pa.array(date[stay]),
            "auteur_id": author,
            "texte": texts,
            "maj_le": pa.array(date[stay]),
        }
    )


def _treatments(orders: Orders, record: Record, catalogue: Catalogue) -> dict[int, list[str]]:
    """Lines of treatment of each stay, as a letter lists them."""
    lines: dict[int, list[str]] = {}
    for i in np.flatnonzero(record.status != "annulee").tolist():
        drug = catalogue.drugs[orders.drug[i]]
        dose = f" {record.dose_text[i]} {record.unit[i] or ''}" if record.dose_text[i] else ""
        often = orders.per_day[i]
        rhythm = f", {often:.0f} fois par jour" if often >= 1 else ", une fois par semaine" if often < 0.2 else ""
        lines.setdefault(int(orders.stay[i]), []).append(f"- {drug.name}{dose.rstrip()}{rhythm}")
    return lines


class _Letters:
    """Writes the letter of one stay."""

    def __init__(self, people: People, stays: Stays, catalogue: Catalogue, treatments: dict[int, list[str]]) -> None:
        self.people, self.stays, self.catalogue, self.treatments = people, stays, catalogue, treatments
        staff = practitioners(catalogue)
        self.names = {
            number: f"{first} {last}"
            for number, first, last in zip(
                *(staff[c].to_pylist() for c in ("praticien_id", "prenom", "nom")), strict=True
            )
        }
        self.town = {row["code_postal"]: row["commune"] for row in catalogue.communes}

    def text(self, s: int, author: str, draws: np.ndarray) -> str:
        """Text of the letter of stay ``s``.

        Args:
            draws: four numbers in [0, 1) that choose among the wordings.
        """
        people, stays = self.people, self.stays
        p = int(stays.row[s])
        female = bool(people.female[p])
        reason = self.catalogue.reasons[stays.reason[s]] if stays.reason[s] >= 0 else None
        diseases = [DISEASE_WORDS[name] for name, held in zip(CHRONIC, people.chronic[p], strict=True) if held]
        died = bool(stays.died[s])
        who, dead = ("la patiente", "décédée") if female else ("le patient", "décédé")
        allergies = [
            w for w, held in (("pénicilline", people.penicillin_allergy[p]), ("AINS", people.nsaid_allergy[p])) if held
        ]
        surnames = self.catalogue.words["nom"]
        return self.catalogue.letter.format(
            ward=self.catalogue.wards[stays.ward[s]]["libelle"].upper(),
            line=f"{int(draws[0] * 100):02d} {int(draws[1] * 100):02d}",
            date=_french_date(stays.end[s]),
            title="Mme" if female else "M.",
            surname=people.surname[p].upper(),
            first_name=people.first_name[p],
            born="née le" if female else "né le",
            birth=_slash_date(people.birth[p]),
            ipp=people.ipp[p],
            number=stays.number[s],
            address=people.address[p],
            postal_code=people.postal_code[p],
            town=self.town[people.postal_code[p]],
            telephone=people.telephone[p],
            correspondent=surnames[int(draws[2] * len(surnames))],
            age=int((stays.start[s] - people.birth[p]).astype("timedelta64[D]").astype(int) / 365.25),
            admitted="hospitalisée" if female else "hospitalisé",
            start=_slash_date(stays.start[s]),
            end=_slash_date(stays.end[s]),
            reason=reason["libelle"] if reason else "un bilan programmé",
            history=", ".join(diseases) if diseases else "aucun antécédent notable",
            allergies=", ".join(allergies) if allergies else "aucune allergie connue",
            story=reason["circonstance"] if reason else "suivi habituel",
            informed=f"Son épouse a prévenu le Dr {surnames[int(draws[3] * len(surnames))]}."
            if not female and draws[0] < 0.3
            else "",
            weight=f"{people.weight_kg[p]:.1f}".replace(".", ","),
            height=int(people.height_cm[p]),
            course=DEATH_COURSE.format(who=who, dead=dead) if died else COURSES[int(draws[1] * len(COURSES))],
            treatment="\n".join(self.treatments.get(s, ["- aucun"])),
            follow_up="" if died else "Consultation de contrôle dans trois mois.",
            physician=self.names[author],
        )


MONTHS = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)


def _french_date(moment: np.datetime64) -> str:
    day = moment.astype("datetime64[D]").item()
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def _slash_date(moment: np.datetime64) -> str:
    return str(moment.astype("datetime64[D]").item().strftime("%d/%m/%Y"))


SCAN_TYPES = ("CERT_DECES", "ORDO_MANUSCRITE", "CERT_MEDICAL")


def scan_table(block: Block, people: People, stays: Stays) -> pa.Table:
    """Rows of ``dpi.document_numerise``: where each scanned page is, never what it shows."""
    rng = block.generator("document_numerise")
    n = len(stays.row)
    kind = np.where(stays.died, 0, choose(rng, (1, 1), n) + 1)
    moment = stays.end + seconds(rng.uniform(0.1, 4, n) * 3600)
    wanted = np.where(stays.died, 0.95, 0.07) > rng.random(n)
    stay: Integers = np.flatnonzero(wanted & (moment < EXTRACTION))
    number = [int(x) for x in rng.integers(10**11, 10**12, len(stay))]
    key = stays.key[stay]
    codes = [SCAN_TYPES[k] for k in kind[stay]]
    days = [str(m.astype("datetime64[D]").item()) for m in moment[stay]]
    return pa.table(
        {
            "_p": people.index[stays.row[stay]],
            "numerisation_id": key * 4 + rank_within(key),
            "ipp": people.ipp[stays.row[stay]],
            "numero_sejour": stays.number[stay],
            "type_document": codes,
            "chemin_image": [f"numerisation/{d[:4]}/{d[5:7]}/{x:012d}.png" for d, x in zip(days, number, strict=True)],
            "uid_etude": [f"2.25.{x}{k}" for x, k in zip(number, key.tolist(), strict=True)],
            "uid_serie": [f"2.25.{x}{k}.1" for x, k in zip(number, key.tolist(), strict=True)],
            "modalite": pa.array(["OT"] * len(stay), pa.string()),
            "numerise_le": pa.array(moment[stay]),
            "maj_le": pa.array(moment[stay]),
        }
    )
