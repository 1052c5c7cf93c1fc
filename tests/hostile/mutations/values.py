"""A value that is not what was declared."""

from typing import Any

from tests.hostile.mutations.mutation import CELL, EITHER, ENDS, FILES, REFUSED, SET_ASIDE, TABLES, At, mutation


@mutation("a number became a word", CELL, SET_ASIDE, on="number", fhir=ENDS)
def words_for_numbers(at: At) -> Any:
    return "quatre-vingt-dix"


@mutation("a text became a number", CELL, on="text")
def numbers_for_words(at: At) -> Any:
    return "12345.678"


@mutation("a date is written in words", CELL, SET_ASIDE, on="date", fhir=ENDS)
def another_way_to_write_dates(at: At) -> Any:
    return "31 décembre 2019"


@mutation("a date is of the year 1", CELL, on="date")
def year_1(at: At) -> Any:
    return at.written("0001-01-01")


@mutation("a date is the last that four digits can say", CELL, on="date")
def year_9999(at: At) -> Any:
    return at.written("9999-12-31", "23:59:59")


@mutation("a year has five digits, or lies before Christ", CELL, SET_ASIDE, on="date", fhir=ENDS)
def no_year_of_ours(at: At) -> Any:
    return at.written(at.rng.choice(("12345-01-01", "-0044-03-15", "294247-01-10")))


@mutation("a day that no calendar has", CELL, SET_ASIDE, on="date", fhir=ENDS)
def thirtieth_of_february(at: At) -> Any:
    return at.written("2021-02-30")


@mutation("an hour that the clocks jumped over", CELL, on="moment")
def gap_of_summer_time(at: At) -> Any:
    return at.written(at.rng.choice(("2021-03-28", "2021-03-14")), "02:30:00")


@mutation("an hour that came twice", CELL, on="moment")
def hour_that_came_twice(at: At) -> Any:
    return at.written(at.rng.choice(("2021-10-31", "2021-11-07")), "02:30:00")


@mutation("20 MB in one cell", CELL, REFUSED, on="text", fhir=ENDS)
def giant_field(at: At) -> Any:
    return "né le 1er mars; " * (20_000_000 // 16)


@mutation("a NUL byte in a value", CELL, formats=FILES)
def nul_byte(at: At) -> Any:
    return f"{at.old}\x00"


@mutation("NUL bytes only", CELL, formats=FILES, on="text")
def nul_bytes_only(at: At) -> Any:
    return "\x00" * 12


@mutation("control characters in a value", CELL, on="text")
def control_characters(at: At) -> Any:
    return "a\x01\x08\x1b[31m\x1e\x1f\x7fb"


@mutation("line ends in a value", CELL, on="text")
def lines_in_a_value(at: At) -> Any:
    return "first\r\nsecond\n\n\rthird\n"


@mutation("quotes, apostrophes and backslashes", CELL, on="text")
def quotes(at: At) -> Any:
    return at.rng.choice(("l'hôpital", "l''hôpital \"dit\" \\' \\", '"', "\\", "`${x}` %s {0}", "''"))


@mutation("SQL in a value", CELL, on="text")
def sql(at: At) -> Any:
    return at.rng.choice(("'); DROP TABLE person; --", "' OR '1'='1", "1; DELETE FROM bronze.patients", "%' --"))


@mutation("smileys, Arabic, and a mark that turns the line round", CELL, on="text")
def letters_of_the_world(at: At) -> Any:
    return "👩‍⚕️ مرحبا \u202eabc\u2066 ﷽ e\u0301 \U0001d54f"


@mutation("half a character", CELL, REFUSED, formats=FILES, on="text", fhir=ENDS, windows=ENDS)
def lone_surrogate(at: At) -> Any:
    return "abc\ud800"


@mutation("a number that no machine holds", CELL, EITHER, on="number")
def huge_number(at: At) -> Any:
    return at.rng.choice(("1e400", "9" * 400, "-" + "9" * 400, "1e-400"))


@mutation("not a number, or without end", CELL, SET_ASIDE, on="number", fhir=ENDS)
def infinite_number(at: At) -> Any:
    return at.rng.choice(("NaN", "Infinity", "-Infinity", "inf"))


@mutation("a whole number over 64 bits", CELL, SET_ASIDE, on="integer", formats=TABLES)
def over_64_bits(at: At) -> Any:
    return at.rng.choice(("9223372036854775808", "-9223372036854775809", "99999999999999999999999"))


@mutation("a value that is only blanks", CELL)
def blanks(at: At) -> Any:
    return at.rng.choice((" ", "   ", "\t", "\u00a0"))


@mutation("blanks around a value", CELL)
def blanks_around(at: At) -> Any:
    return f"  {at.old} "


@mutation("an identifier of 10 kB", CELL, on="key")
def long_key(at: At) -> Any:
    return "7" * 10_000


@mutation("an identifier that is empty", CELL, on="key")
def empty_key(at: At) -> Any:
    return ""


@mutation("words that other programs write for nothing", CELL)
def words_for_nothing(at: At) -> Any:
    return at.rng.choice(("NULL", "None", "NA", "nan", "#N/A", "\\N"))


@mutation("an identifier that names nobody", CELL, on="reference")
def broken_reference(at: At) -> Any:
    return at.rng.choice(("Patient/nobody-at-all", "nobody-at-all", "Patient?identifier=1", "#", "urn:uuid:"))
