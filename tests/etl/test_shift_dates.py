"""Dates in letters that move: each written as it was, by days that are the person's own."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.shift_dates import MONTHS, MOST_DAYS, days_of, shift_dates

SECRET = b"n" * 32
SENTENCES = [  # by 40 days
    ("Hospitalisée du 02/04/2024 au 05/04/2024.", "Hospitalisée du 12/05/2024 au 15/05/2024."),
    ("Vue le 2/4/24, revue le 25.12.2023.", "Vue le 12/5/24, revue le 03.02.2024."),
    ("Scanner du 2024-02-01 à 10:30.", "Scanner du 2024-03-12 à 10:30."),
    ("Né le <DATE_NAISSANCE>, opéré le 12 mars 2024.", "Né le <DATE_NAISSANCE>, opéré le 21 avril 2024."),
    ("Le 22 MARS 2024 et le 1er Février 2023", "Le 1er MAI 2024 et le 13 Mars 2023"),
    ("depuis fevrier 2024, et le 3 mai", "depuis mars 2024, et le 12 juin"),
    ("Le 30/02/2024, jour qui n'existe pas.", "Le <DATE>, jour qui n'existe pas."),
    ("en mars, TA 12/08, 3.5.1, 1/2 cp, K 4.2, 06.12.34.56.78", None),  # no dates
    ("maison, marsupial, octobrer 12", None),
    ("AUC 2024 ; 10-20-30-40 ; 192.168.10.24", None),
]


@pytest.mark.parametrize(("text", "moved"), SENTENCES, ids=[text[:25] for text, _ in SENTENCES])
def test_a_date_moves_and_all_else_stays(text, moved):
    assert shift_dates(text, 40) == (moved or text)


FORMS = {
    "figures": lambda d: f"{d:%d/%m/%Y}",
    "short": lambda d: f"{d:%d-%m-%y}",
    "iso": lambda d: d.isoformat(),
    "words": lambda d: f"{'1er' if d.day == 1 else d.day} {MONTHS[d.month - 1]} {d.year}",
}


@given(
    day=st.dates(date(2001, 1, 1), date(2098, 12, 31)),
    days=st.integers(-MOST_DAYS, MOST_DAYS),
    form=st.sampled_from(sorted(FORMS)),
)
def test_every_form_moves_by_the_same_days_and_back(day, days, form):
    written = FORMS[form](day)
    moved = shift_dates(f"Le {written} : vu.", days)
    assert moved == f"Le {FORMS[form](day + timedelta(days))} : vu."
    assert shift_dates(moved, -days) == f"Le {written} : vu."


@given(person=st.text(), other=st.text())
def test_a_person_moves_by_days_of_their_own_and_never_by_none(person, other):
    days = days_of(SECRET, person)
    assert days == days_of(SECRET, person) and 1 <= abs(days) <= MOST_DAYS


def test_persons_and_secrets_are_spread_over_all_days():
    found = {days_of(SECRET, str(person)) for person in range(5_000)}
    assert found == {*range(-MOST_DAYS, 0), *range(1, MOST_DAYS + 1)}
    assert [days_of(b"x" * 32, str(p)) for p in range(20)] != [days_of(SECRET, str(p)) for p in range(20)]
