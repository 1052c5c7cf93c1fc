"""Many notes at once, in several processes: what comes out is what each gives alone."""

import pytest

from etl import many_notes
from etl.pseudonymise_notes import Pseudonymiser


@pytest.fixture
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_notes, "MANY", 10)
    monkeypatch.setattr(many_notes, "AT_A_TIME", 4)


def test_many_notes_come_out_as_each_alone(few_are_many):
    pseudonymiser = Pseudonymiser.knowing(["KOWALCZYK"])
    names = [f"Nakatomi{letter}" for letter in "abcdefghijklmnopqrstuvw"]
    notes = [(f"Mme {name}, vue par Kowalczyk le {n + 1}/03/2024.", [name]) for n, name in enumerate(names)]
    notes[7] = (None, names[7:8])  # a scan without text
    alone = [many_notes.begin(pseudonymiser, [note]).wait()[0] for note in notes]
    some, others = many_notes.begin(pseudonymiser, notes[:11]), many_notes.begin(pseudonymiser, notes[11:])
    assert others.wait() == alone[11:] and some.wait() == alone[:11]
    assert alone[7] is None and alone[3] == "Mme <NOM>, vue par <NOM> le 4/03/2024."


def test_what_nobody_waits_for_does_not_begin(few_are_many):
    notes = [("Dr Martin. " * 200_000, ())] * 400  # a minute of work
    cleaning = many_notes.begin(Pseudonymiser(), notes)
    cleaning.cancel()
    assert sum(part.cancelled() for part in cleaning.parts) > 80  # of a hundred; the others were on their way
