"""Columns that are gone, new, or in another order."""

from tests.hostile.mutations.mutation import CSV, REFUSED, ROWS, SAME, TABLES, At, mutation

Rows = list[list[str]]


@mutation("a column is gone", ROWS, REFUSED, formats=TABLES)
def column_gone(rows: Rows, at: At) -> Rows:
    gone = at.rng.randrange(len(rows[0]))
    return [[*row[:gone], *row[gone + 1 :]] for row in rows] if len(rows[0]) > 1 else [["other"], *rows[1:]]


@mutation("the columns come in another order", ROWS, SAME, formats=TABLES)
def columns_in_another_order(rows: Rows, at: At) -> Rows:
    order = at.rng.sample(range(len(rows[0])), len(rows[0]))
    return [[row[i] for i in order] for row in rows]


@mutation("a column that nobody declared", ROWS, REFUSED, formats=TABLES)
def column_more(rows: Rows, at: At) -> Rows:
    place = at.rng.randrange(len(rows[0]) + 1)
    return [[*row[:place], "remarque" if n == 0 else "x", *row[place:]] for n, row in enumerate(rows)]


@mutation("the header in capitals, or without them", ROWS, REFUSED, formats=TABLES)
def header_in_other_letters(rows: Rows, at: At) -> Rows:
    return [[name.swapcase() for name in rows[0]], *rows[1:]]


@mutation("a name stands twice in the header", ROWS, REFUSED, formats=(CSV,))
def name_twice(rows: Rows, at: At) -> Rows:
    return [[*row, row[0]] for row in rows]


@mutation("the first line is a patient", ROWS, REFUSED, formats=(CSV,))
def no_header(rows: Rows, at: At) -> Rows:
    return rows[1:]


@mutation("records with fewer or more fields", ROWS, formats=(CSV,))
def ragged(rows: Rows, at: At) -> Rows:
    return [
        rows[0],
        *([*row, "x", ""] if n % 3 == 0 else row[:-1] if n % 3 == 1 else row for n, row in enumerate(rows[1:])),
    ]


@mutation("a record that looks like the end that we add ourselves", ROWS, formats=(CSV,))
def end_of_our_own(rows: Rows, at: At) -> Rows:
    return [*rows[:2], ["\x1e"] * (len(rows[0]) + 1), *rows[2:]]
