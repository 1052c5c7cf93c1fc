"""What can be wrong with what a hospital sends; the order of the files is that of the numbers of the copies."""

# isort: off
from tests.hostile.mutations.mutation import (
    BUNDLE,
    CSV,
    DATABASE,
    FHIR,
    MUTATIONS,
    NDJSON,
    At,
    Expect,
    Level,
    Mutation,
    Record,
)
from tests.hostile.mutations import values, records, tables, texts, resources, folders, lives

__all__ = ["BUNDLE", "CSV", "DATABASE", "FHIR", "MUTATIONS", "NDJSON", "At", "Expect", "Level", "Mutation", "Record"]
__all__ += [part.__name__.rpartition(".")[2] for part in (values, records, tables, texts, resources, folders, lives)]
