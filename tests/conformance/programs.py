"""The judges and servers that are not ours: built once into ``.conformance/``, again when what they need changes."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from passerelle.errors import TerminalError, UsageError

HERE = Path(__file__).parent
BUILT = HERE.parent.parent / ".conformance"
COPY_JARS = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
DEBIAN = {"java": "openjdk-17-jdk-headless", "javac": "openjdk-17-jdk-headless", "mvn": "maven", "node": "nodejs"}


def need(*names: str) -> None:
    """Raises UsageError when a program is missing; names what to install."""
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        packages = " ".join(dict.fromkeys(DEBIAN.get(name, name) for name in missing))
        raise UsageError(
            f"programs are missing: {', '.join(missing)}",
            looked="the folders of PATH; Java 17 or newer (a JDK), Maven 3.8 and Node 20 with npm are needed",
            do=f"install them; on Debian or Ubuntu: apt install {packages}",
        )


def java_program(name: str, main: str) -> list[str]:
    """The command that runs the Java class ``main`` of a folder here, with the jars of its ``pom.xml``."""
    need("java", "javac", "mvn")
    source, target = HERE / name, BUILT / name

    def build() -> None:
        _run(["mvn", "-q", "-B", "-ntp", "-Dstyle.color=never", "-f", str(source / "pom.xml"), COPY_JARS,
              f"-DoutputDirectory={target / 'lib'}"])  # fmt: skip
        _run(["javac", "-nowarn", "-cp", f"{target}/lib/*", "-d", f"{target}/classes", str(source / f"{main}.java")])

    _once(target, [source / "pom.xml", source / f"{main}.java"], build)
    return ["java", "-Xmx1g", "-cp", f"{target}/lib/*:{target}/classes", main]


def node_program(name: str, script: str) -> list[str]:
    """The command that runs a script of a folder here, with the packages of its ``package.json``."""
    need("node", "npm")
    source, target = HERE / name, BUILT / name

    def build() -> None:
        shutil.copy(source / "package.json", target)
        _run(["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"], at=target)

    _once(target, [source / "package.json"], build)
    shutil.copy(source / script, target)  # node looks for packages from where the script lies
    return ["node", str(target / script)]


def python_program(name: str, script: str) -> list[str]:
    """The command that runs a script of a folder here, with its ``requirements.txt`` (all of them, no more)."""
    source, target = HERE / name, BUILT / name

    def build() -> None:
        _run([sys.executable, "-m", "venv", str(target / "venv")])
        install = [str(target / "venv/bin/pip"), "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        _run([*install, "--requirement", str(source / "requirements.txt")])

    _once(target, [source / "requirements.txt"], build)
    return [str(target / "venv/bin/python"), str(source / script)]


def _once(target: Path, sources: list[Path], build: Callable[[], None]) -> None:
    """The stamp is written last: what was interrupted is built again."""
    wanted = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    stamp = target / ".stamp"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    print(f"building {target.name} (once)", file=sys.stderr)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    build()
    stamp.write_text(wanted)


def _run(command: list[str], at: Path | None = None) -> None:
    done = subprocess.run(command, cwd=at, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TerminalError(
            f"{Path(command[0]).name} failed with {done.returncode}",
            looked="\n".join((done.stdout + done.stderr).strip().splitlines()[-12:]),
            do="read its words above; it fetches packages from its registry, or from the mirror that is set up",
        )
