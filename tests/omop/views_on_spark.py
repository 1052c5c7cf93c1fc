"""The views on Apache Spark, in a process of its own: one process holds Spark Connect or classic Spark, not both.

python -m tests.omop.views_on_spark JARS OUT TABLES: ``TABLES`` has a Delta table or a Parquet file a CDM table.
"""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from omop.lake import is_delta
from omop.views.compare import same_rows
from omop.views.render import in_order, render, tables_of
from spark_jobs.engine import open_engine
from tests.omop.omop_case import on_its_own


def differing(jars: Path, repository: Path, out: Path, tables: Path, expected: dict[str, pa.Table]) -> list[str]:
    """Views whose rows on Apache Spark are not those expected."""
    on_its_own(repository, "tests.omop.views_on_spark", jars, out, tables)
    return [name for name, table in expected.items() if not same_rows(pq.read_table(out / f"{name}.parquet"), table)]


def main(jars: Path, out: Path, tables: Path) -> None:
    """Compute every view and write it."""
    with open_engine("local[1]", jars=jars) as spark:
        spark.spark.conf.set("spark.sql.shuffle.partitions", "2")  # few rows: two hundred tasks a join would be minutes
        shape = {}
        for name in sorted({table for view in in_order() for table in tables_of(view)}):
            if is_delta(tables / name):
                spark.view_of_delta(f"omop__{name}", tables / name)
            elif (file := tables / f"{name}.parquet").is_file():
                spark.spark.read.parquet(str(file)).createOrReplaceTempView(f"omop__{name}")
            else:
                continue
            shape[name] = dict(spark.sql(f"SELECT * FROM omop__{name}").dtypes)
        for name in in_order():
            query = spark.sql(render(name, "spark", "omop__{}".format, "view__{}".format, shape))
            query.createOrReplaceTempView(f"view__{name}")
            pq.write_table(query.toArrow(), out / f"{name}.parquet")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
