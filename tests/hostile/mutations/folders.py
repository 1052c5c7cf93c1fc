"""Files that are missing, or stand for one another."""

from typing import Any

from tests.hostile.mutations.mutation import EITHER, ENDS, FILES, FOLDER, REFUSED, mutation


@mutation("a file is missing", FOLDER, REFUSED, formats=FILES, fhir=EITHER)
def file_missing(folder: Any, name: str, other: str) -> None:
    (folder / name).unlink()


@mutation("two files have each other's content", FOLDER, REFUSED, formats=FILES, fhir=ENDS)
def swapped_files(folder: Any, name: str, other: str) -> None:
    (folder / name).rename(folder / "between")
    (folder / other).rename(folder / name)
    (folder / "between").rename(folder / other)


@mutation("a folder where a file is expected", FOLDER, REFUSED, formats=FILES, fhir=EITHER)
def folder_for_a_file(folder: Any, name: str, other: str) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()


@mutation("a link that leads nowhere", FOLDER, REFUSED, formats=FILES, fhir=EITHER)
def link_to_nowhere(folder: Any, name: str, other: str) -> None:
    (folder / name).unlink()
    (folder / name).symlink_to(folder / "nowhere")
