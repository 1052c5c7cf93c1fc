"""Names of the comparisons between source and CDM, under which their results stand among those of the checks."""

BALANCE = "ledgerBalances"  # every source row has an outcome
WRITTEN = "rowsWritten"  # the table holds the rows that the mapping meant
TRACED = "rowsTraced"  # every row of the table leads back to a source row
TRACED_SOURCE = "sourceRowsTraced"  # every mapped source row is one that a CDM row leads back to
CONTROL = "control"  # a question that the source itself asks
NAMES = (BALANCE, WRITTEN, TRACED, TRACED_SOURCE, CONTROL)
