"""The engine session: Sail inside the process, a Spark Connect server, or classic Apache Spark with Delta."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from etl.sql_text import literal
from passerelle.errors import SourceUnreachable, TerminalError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

T = TypeVar("T")
EMBEDDED = "embedded"
CONNECT = "sc://"
CONNECT_MARK = "SPARK_CONNECT_MODE_ENABLED"
SUBMITTED = "submitted"  # inside spark-submit, which has chosen master, jars and memory
IDLE_SECONDS = 7 * 24 * 3600
AT_ONCE = 2  # statements; half of a run of short ones is planning, which keeps one core busy
MANY_ROWS = 5_000_000  # over so many a statement keeps every core busy by itself, and two hold twice the memory
MAX_INLINE_BYTES = 20_000_000  # above it a table goes through Parquet: gRPC messages and Spark's heap are limited

_SQL_TYPES = {
    "string": "string",
    "int64": "bigint",
    "int32": "int",
    "double": "double",
    "bool": "boolean",
    "date32[day]": "date",
}


@dataclass
class Engine:
    """A session and the few operations that are the same on every engine.

    No RDD, no SparkContext, no JVM gateway, no SQL parameters, no cache: each breaks on one of the engines.
    """

    setting: str
    spark: Any

    def sql(self, query: str) -> "DataFrame":
        """One query, planned where its rows are asked for.

        A client of Spark Connect sends every statement at once, which might be a command: a query is planned twice.
        """
        if not self.setting.startswith((EMBEDDED, CONNECT)):
            return self.spark.sql(query)  # type: ignore[no-any-return]
        from pyspark.sql.connect.dataframe import DataFrame
        from pyspark.sql.connect.plan import SQL

        return DataFrame(SQL(query, [], {}, []), self.spark)

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Result of a small query.

        Not by Arrow: a client of Spark Connect would have the query planned once more, for its schema alone.
        """
        return [row.asDict(recursive=True) for row in self.sql(query).collect()]

    def row_counts(self, views: Mapping[str, str]) -> dict[str, int]:
        """Rows of some views, in one statement.

        Args:
            views: a name for each, which its count gets → the view.
        """
        counts = (f"SELECT {literal(name)} AS name, count(*) AS n FROM {view}" for name, view in views.items())
        return {row["name"]: row["n"] for row in self.rows(" UNION ALL ".join(counts))}

    def at_once(self, steps: Iterable[Callable[[], T]], rows: int = 0) -> list[T]:
        """Take steps that do not depend on one another, some at a time; their results, in order.

        Args:
            rows: that the steps read in all; one step at a time where they are many.

        Raises: the error of the first step that fails, once those that had begun have ended.
        """
        with ThreadPoolExecutor(AT_ONCE if rows < MANY_ROWS else 1) as threads:
            return list(threads.map(lambda step: step(), steps))

    def view_of_parquet(self, name: str, path: Path) -> None:
        """Make a Parquet folder readable as a view."""
        self.spark.read.parquet(_uri(path)).createOrReplaceTempView(name)

    def view_of_delta(self, name: str, path: Path, version: int | None = None) -> None:
        """Make one version of a Delta table readable as a view."""
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        reader.load(_uri(path)).createOrReplaceTempView(name)

    def view_of_arrow(self, name: str, table: "pa.Table") -> None:
        """Make a small Arrow table readable as a view."""
        if table.nbytes > MAX_INLINE_BYTES:
            raise TerminalError(f"{name} is too large to travel inside a message", do="write it to Parquet first")
        if table.num_rows:
            self.spark.createDataFrame(table).createOrReplaceTempView(name)
        else:  # the client refuses an empty table
            self.empty_view(name, {field.name: _SQL_TYPES[str(field.type)] for field in table.schema})

    def empty_view(self, name: str, columns: dict[str, str]) -> None:
        """A view with typed columns and no row."""
        self.sql(no_row(columns)).createOrReplaceTempView(name)

    def stage(self, name: str, query: str, path: Path) -> None:
        """Write an intermediate result and make it readable as a view; it is complete or absent, never half there."""
        self.spark.sql(f"INSERT OVERWRITE DIRECTORY {literal(_uri(path))} USING parquet {query}")
        if any(path.glob("*.parquet")):
            self.view_of_parquet(name, path)
        else:  # one engine writes no file for no row, and the schema would be lost
            self.spark.createDataFrame([], self.sql(query).schema).createOrReplaceTempView(name)


def no_row(columns: dict[str, str]) -> str:
    """A query with typed columns and no row."""
    cells = ", ".join(f"CAST(NULL AS {kind}) AS {column}" for column, kind in columns.items())
    return f"SELECT {cells} FROM (SELECT 1 AS one) AS nothing WHERE one = 0"


def _uri(path: Path) -> str:
    return str(path.resolve())


@contextmanager
def open_engine(
    setting: str = EMBEDDED, *, jars: Path | None = None, warehouse: Path | None = None
) -> Iterator[Engine]:
    """Open the engine that the setting names, and close it.

    Args:
        setting: ``embedded``, ``sc://host:15002``, ``local[*]``, ``spark://…``, or ``submitted`` (by spark-submit).
        jars: folder with the two Delta jars; None lets Ivy fetch them (classic Spark only).
        warehouse: folder for managed tables of classic Spark; none is ever made by our jobs.
    """
    if setting == EMBEDDED:
        opened = _embedded()
    elif setting.startswith(CONNECT):
        opened = _connect(setting)
    elif setting == SUBMITTED:
        opened = _submitted()
    elif setting.startswith(("local", "spark://", "k8s://", "yarn")):
        opened = _classic(setting, jars, warehouse)
    else:
        raise UsageError(
            f"there is no engine {setting!r}",
            do="give embedded, sc://host:15002, local[2], spark://host:7077, or submitted inside spark-submit",
        )
    with _environment_of_its_own(), opened as spark:
        spark.conf.set("spark.sql.session.timeZone", "UTC")
        yield Engine(setting, spark)


@contextmanager
def _embedded() -> Iterator[Any]:
    os.environ.setdefault("RUST_LOG", "error")
    # It would forget a session that asks nothing for 15 minutes: so long may the door be busy with one large table.
    os.environ.setdefault("SAIL_SPARK__SESSION_TIMEOUT_SECS", str(IDLE_SECONDS))
    # Decode the columns of a row only where a filter, or the small side of a join, has left it: an increment reads the
    # rows of its touched persons in half the time (measured).
    os.environ.setdefault("SAIL_PARQUET__PUSHDOWN_FILTERS", "true")
    # Its allocator would give memory back after 10 ms and ask for it again in pages of 2 MB, which the kernel has to
    # empty: a tenth of the CPU of an increment, and a quarter of the memory of a run (measured). Read at the import.
    os.environ.setdefault("MIMALLOC_ALLOW_THP", "0")
    os.environ.setdefault("MIMALLOC_PURGE_DELAY", "1000")  # milliseconds
    from pysail.spark import SparkConnectServer
    from pyspark.sql import SparkSession

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    _, port = server.listening_address
    spark = SparkSession.builder.remote(f"sc://127.0.0.1:{port}").create()
    # No connection is lost inside a process: being ready to take up an answer again costs a third of a short statement.
    spark.client.disable_reattachable_execute()
    try:
        yield spark
    finally:
        spark.stop()
        server.stop()


@contextmanager
def _connect(url: str) -> Iterator[Any]:
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    try:
        spark = SparkSession.builder.remote(url).create()
        spark.sql("SELECT 1").collect()
    except (PySparkException, OSError) as error:
        raise SourceUnreachable(
            "the Spark Connect server does not answer", looked=url, do="start it, or check host and port"
        ) from error
    try:
        yield spark
    finally:
        spark.stop()


@contextmanager
def _submitted() -> Iterator[Any]:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder
    for name, value in SPARK_CONF.items():
        if name.startswith(("spark.sql.", "spark.databricks.")):
            builder = builder.config(name, value)
    spark = builder.getOrCreate()
    try:
        yield spark
    finally:
        spark.stop()


@contextmanager
def _classic(master: str, jars: Path | None, warehouse: Path | None) -> Iterator[Any]:
    os.environ["PYSPARK_PYTHON"] = sys.executable  # else the workers are whatever python3 the PATH gives
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(master).appName("passerelle")
    for name, value in (SPARK_CONF | (ONE_MACHINE if master.startswith("local") else {})).items():
        builder = builder.config(name, value)
    if warehouse is not None:
        builder = builder.config("spark.sql.warehouse.dir", _uri(warehouse))
    if jars is not None:
        found = sorted(_uri(path) for path in jars.glob("*.jar"))
        if not found:
            raise UsageError(
                "the folder of jars holds none", looked=str(jars), do="put delta-spark and delta-storage there"
            )
        builder = builder.config("spark.jars", ",".join(found))
    else:
        from delta import configure_spark_with_delta_pip

        # The other 31 jars that it asks for repeat, or clash with, those that come with pyspark.
        builder = configure_spark_with_delta_pip(builder).config("spark.jars.excludes", ",".join(SURPLUS_JARS))
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    try:
        yield spark
    finally:
        spark.stop()


# Measured reasons stand in docs/decisions.md: small jobs need few partitions, and the vectorised cache reader can hang.
SPARK_CONF = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.shuffle.partitions": "4",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
    "spark.sql.inMemoryColumnarStorage.enableVectorizedReader": "false",
    "spark.driver.memory": "3g",
}
# Hundreds of short statements: the second compiler of the JVM costs more than it gives (CPU 48 -> 33 s, measured).
# That compiler alone is given 48 MB for its code; a run fills them, and what is compiled no more is interpreted.
ONE_MACHINE = {
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=240m"
}
SURPLUS_JARS = (
    "com.*:*", "commons-*:*", "io.airlift:*", "io.delta:delta-kernel-*", "io.unitycatalog:*", "javax.*:*",
    "org.apache.*:*", "org.locationtech.*:*", "org.roaringbitmap:*", "org.slf4j:*", "org.xerial.*:*",
)  # fmt: skip


@contextmanager
def _environment_of_its_own() -> Iterator[None]:
    """The process in UTC while the session lives, and afterwards as it was.

    Process zone and session zone must agree, else naive times shift on their way in. A Connect session leaves a mark
    that would make every later session, and those of child processes, one of Connect.
    """
    before = {name: os.environ.get(name) for name in ("TZ", CONNECT_MARK)}
    os.environ.pop(CONNECT_MARK, None)
    os.environ["TZ"] = "UTC"
    time.tzset()
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        time.tzset()
