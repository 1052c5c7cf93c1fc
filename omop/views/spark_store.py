"""Views of a workspace that a Spark Connect server sees: the work is done there, the rows come as Arrow."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from omop.lake import CONTRACT
from omop.views.request import Request
from omop.views.store import ViewStore
from passerelle.errors import ContractError, SourceUnreachable, UsageError

WORKSPACE = "workspace"


class SparkViewStore(ViewStore):
    """Reads the Delta tables of the last complete run through a server.

    Args:
        url: ``sc://host:15002/;workspace=/data/W``: the workspace as the server sees it.
    """

    def __init__(self, url: str) -> None:
        server, self._workspace = _parts(url)
        self._spark = _session(server)
        self._run_id, self._versions = self._last_snapshot()

    @property
    def snapshot_id(self) -> str:
        return self._run_id

    @property
    def versions(self) -> Mapping[str, str]:
        return dict.fromkeys(self._versions, CONTRACT)

    def _last_snapshot(self) -> tuple[str, dict[str, int]]:
        from pyspark.errors import PySparkException

        try:
            rows = self._delta("ops", "snapshot", None).toPandas().to_dict("records")
        except PySparkException as error:
            raise ContractError(
                "the server finds no complete run in the workspace",
                looked=f"{self._workspace}: {str(error).splitlines()[0]}",
                do="give the workspace as the server sees it, and end a run: passerelle run SOURCE --workspace W",
            ) from error
        newest = max((row["created_at"], row["run_id"]) for row in rows)
        here = [row for row in rows if (row["created_at"], row["run_id"]) == newest]
        views = {row["table"].partition(".")[2]: row for row in here if row["table"].startswith(f"views_{CONTRACT}.")}
        return newest[1], {name: int(row["version"]) for name, row in views.items()}

    def _delta(self, room: str, table: str, version: int | None) -> Any:
        reader = self._spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        return reader.load(str(self._workspace / "lake" / room / table))

    def _scan(self, request: Request) -> Iterator[pa.RecordBatch]:
        name = request.view.name
        if name not in self._versions:
            raise ContractError(f"the last complete run has no view {name}", looked=f"snapshot {self._run_id}")
        frame = self._delta(f"views_{CONTRACT}", name, self._versions[name])
        frame.createOrReplaceTempView(f"store__{name}")
        for batch in self._spark.sql(request.sql(f"store__{name}", "spark")).toArrow().to_batches():
            if batch.num_rows:
                yield batch.cast(request.schema)


def _parts(url: str) -> tuple[str, PurePosixPath]:
    server, _, parameters = url.partition("/;")
    given = dict(part.partition("=")[::2] for part in parameters.split(";") if part)
    workspace = given.pop(WORKSPACE, None)
    if not workspace:
        raise UsageError("the URL does not say which workspace", looked=url, do="sc://host:15002/;workspace=/data/W")
    others = "".join(f";{name}={value}" for name, value in given.items())
    return f"{server}/{others}" if others else server, PurePosixPath(workspace)


def _session(server: str) -> Any:
    from pyspark.errors import PySparkException
    from pyspark.sql.connect.session import SparkSession

    try:
        spark = SparkSession.builder.remote(server).create()
        spark.conf.set("spark.sql.session.timeZone", "UTC")
    except PySparkException as error:
        raise SourceUnreachable(
            "the Spark Connect server does not answer", looked=server, do="check host and port"
        ) from error
    return spark
