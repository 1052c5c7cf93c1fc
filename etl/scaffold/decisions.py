"""Open decisions of a source: the lines that bear a mark until a person has settled them."""

from dataclasses import dataclass
from pathlib import Path

from etl.declaration import mapping_files
from passerelle.errors import MappingError

MARK = "DECIDE:"


@dataclass(frozen=True)
class Decision:
    """One line that waits for a person."""

    file: str  # below the source's folder
    line: int
    question: str


def open_decisions(folder: Path) -> list[Decision]:
    """Every mark of a source, in the order in which a person meets them."""
    files = [folder / "source.yaml", *mapping_files(folder).values(), folder / "README.md"]
    return [
        Decision(
            path.relative_to(folder).as_posix(), number, line.partition(MARK)[2].strip().removesuffix("-->").strip()
        )
        for path in files
        if path.is_file()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if MARK in line
    ]


def refuse_undecided(folder: Path) -> None:
    """No row of a hospital is read while a line of its declaration waits for a person.

    Raises: MappingError: naming the first open decision.
    """
    if waiting := open_decisions(folder):
        raise MappingError(
            f"{len(waiting)} decision(s) of this source are open",
            looked=f"{waiting[0].file} line {waiting[0].line}: {waiting[0].question}",
            do=f"settle each and remove its mark; passerelle source check {folder} lists them",
        )
