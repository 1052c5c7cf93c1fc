"""Install the locked packages and the project into the environment that runs this file (see the Makefile).

uv does it in about a minute; it does not read pip's settings, so this file translates them: a hospital that
told pip about its mirror, its folder of wheels or its certificates is not asked again. Where uv cannot be
installed or fails, pip does the work. Only the standard library is used: nothing is installed yet.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ["-r", str(ROOT / "requirements.lock"), "-e", str(ROOT)]

# pip's option -> uv's variable and what separates its values (pip separates lists by spaces or new lines)
TRANSLATED = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "no-index": ("UV_NO_INDEX", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
}


def pip_options(listing: str) -> dict[str, str]:
    """Options of ``pip config list``; the environment wins over ``[install]``, and that over ``[global]``."""
    found: dict[str, str] = {}
    for section in ("global", "install", ":env:"):
        for line in listing.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(f"{section}."):
                found[name.removeprefix(f"{section}.")] = str(ast.literal_eval(value))
    return found


def uv_variables(options: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """What uv needs to look where pip looks. A variable that a person set for uv is left alone."""
    # The certificates of the machine: a hospital's proxy has its own authority.
    wanted = {"UV_SYSTEM_CERTS": "true"}
    for option, (variable, separator) in TRANSLATED.items():
        if value := options.get(option, "").strip():
            wanted[variable] = separator.join(value.split())
    return {name: value for name, value in wanted.items() if name not in environment}


def main() -> int:
    """Install with uv, else with pip; the exit code is the installer's."""
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "install", "--quiet", "uv"], check=False).returncode == 0:
        listing = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=False).stdout
        environment = {**os.environ, **uv_variables(pip_options(listing), os.environ)}
        uv = [sys.executable, "-m", "uv", "pip", "install", "--python", sys.executable]
        if subprocess.run([*uv, *REQUIREMENTS], env=environment, check=False).returncode == 0:
            return 0
    sys.stderr.write("uv could not do it: pip installs the same packages, in some minutes\n")
    return subprocess.run([*pip, "install", *REQUIREMENTS], check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
