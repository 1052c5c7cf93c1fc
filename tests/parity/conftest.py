"""A real Spark Connect server with Delta, started from the installed packages, on loopback."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

START_S = 120.0


@pytest.fixture(scope="module")
def connect_server(delta_jars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its URL, ``sc://127.0.0.1:<port>``; the server is ended by its process."""
    import pyspark

    from spark_jobs.engine import ONE_MACHINE, SPARK_CONF

    home, folder = Path(pyspark.__file__).parent, tmp_path_factory.mktemp("connect")
    port = _free_port()
    settings = (
        SPARK_CONF
        | ONE_MACHINE
        | {
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": str(port),
            "spark.sql.warehouse.dir": str(folder / "warehouse"),
        }
    )
    jars = ",".join(str(path) for path in sorted(delta_jars.glob("*.jar")))
    command = [str(home / "bin" / "spark-submit"), "--master", "local[2]", "--jars", jars]
    for name, value in settings.items():
        command += ["--conf", f"{name}={value}"]
    command += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal"]
    environment = os.environ | {
        "SPARK_HOME": str(home), "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1", "TZ": "UTC",
    }  # fmt: skip
    environment.pop("SPARK_CONNECT_MODE_ENABLED", None)  # an embedded session leaves it behind
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
        try:
            _wait_for(port, process, folder / "server.log")
            yield f"sc://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(60)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        if process.poll() is not None:
            pytest.fail(f"the Spark Connect server ended: {log.read_text()[-2000:]}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.5)
    pytest.fail(f"the Spark Connect server did not open its port in {START_S} s")
