"""The command line. One boundary turns every error into a short message; heavy libraries load only when used."""

import gc
import json
import os
import sys

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # before any library counts the cores: two busy threads are slower than one
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import typer
from typer.exceptions import TyperException

from passerelle.cli.app import app
from passerelle.errors import PasserelleError

INTERRUPTED = 130
OBJECTS_BEFORE_GARBAGE = 50_000  # Python's own 700 make it look through what is imported: a quarter of the start


def main() -> None:
    """Run the command line; exit 0 done, 1 the work failed, 2 used wrongly."""
    gc.set_threshold(OBJECTS_BEFORE_GARBAGE)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; returns its exit code."""
    as_json = "--json" in arguments
    command = typer.main.get_command(app)
    try:
        result = command.main(arguments, prog_name="passerelle", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except PasserelleError as error:
        return _show(error, as_json)
    except TyperException as error:
        if as_json:
            sys.stdout.write(json.dumps({"error": "UsageError", "what": str(error), "transient": False}) + "\n")
        error.show()  # type: ignore[attr-defined]  # its own class has it
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("interrupted; nothing is half-written. Go on with: passerelle run SOURCE --resume\n")
        return INTERRUPTED
    except Exception as error:
        if "--verbose" in arguments:
            raise
        return _show(_unexpected(error), as_json)


def _show(error: PasserelleError, as_json: bool) -> int:
    if as_json:
        sys.stdout.write(json.dumps(error.as_json()) + "\n")
    sys.stderr.write(f"error: {error}\n")
    return error.exit_code


def _unexpected(error: Exception) -> PasserelleError:
    """JVM and gRPC traces are cut to their first useful line."""
    from spark_jobs.engine_errors import disk_is_full, without_values

    first = without_values(error)
    if disk_is_full(error):
        return PasserelleError(
            "the disk is full; readers still see the last complete run",
            looked=first,
            do="free space, then run again with --resume",
        )
    return PasserelleError(
        f"unexpected: {type(error).__name__}: {first}", do="the same command with --verbose shows where"
    )
