"""The command line, as the tasks of a DAG call it: no shell, settings from one place, errors by their kind."""

import json
import logging
import subprocess
import sys
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from passerelle.settings import Settings, load_settings

USES_ENGINE = frozenset({"extract", "map", "check", "publish"})
USAGE = 2  # exit code: the command was written wrongly, here in the DAG
PATIENCE_S = 60.0
logger = logging.getLogger(__name__)


def passerelle(*words: str) -> dict[str, Any]:
    """Run ``passerelle WORDS… --json`` and give its summary: counts and paths, never rows.

    The workspace and the engine are those of ``passerelle.settings`` (``passerelle.yaml``, ``PASSERELLE_*``).
    Progress and log lines go to the log of the task, and what the summary notes as a warning.

    Raises:
        AirflowFailException: trying again gives the same; Airflow ends the task at once.
        AirflowException: may pass later (or the program was killed); Airflow tries again.
    """
    command = command_line(words, load_settings())
    code, output = _run(command)
    answer = _answer(output)
    if code == 0 and answer is not None:
        for note in answer.get("notes") or ():
            logger.warning(note)
        return answer
    raise _error(words, code, answer)


def command_line(words: tuple[str, ...], settings: Settings) -> list[str]:
    """The words that the operating system gets, one by one."""
    workspace = str(settings.workspace.absolute())
    command = [sys.executable, "-m", "passerelle", *words, "--workspace", workspace, "--json"]
    if words[0] in USES_ENGINE:
        command += ["--engine", settings.engine]
    return command


def _run(command: list[str]) -> tuple[int, str]:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        output, _ = process.communicate()
    except BaseException:
        # A timeout of the task, or a person who marks it failed: the program may end its commit, then it must go.
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
        raise
    return process.returncode, output


def _answer(output: str) -> dict[str, Any] | None:
    """The object that ``--json`` prints, or None where the program died before it."""
    try:
        answer = json.loads(output)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else {"rows": answer}


def _error(words: tuple[str, ...], code: int, answer: dict[str, Any] | None) -> AirflowException:
    said = answer or {}
    lines = [str(said.get("what") or f"passerelle {' '.join(words)} ended with exit code {code}")]
    lines += [f"{key}: {said[key]}" for key in ("looked", "do") if said.get(key)]
    # No answer: killed from outside (memory, node). The next try takes up the last complete state.
    terminal = code == USAGE or said.get("transient") is False
    return (AirflowFailException if terminal else AirflowException)("\n".join(lines))
