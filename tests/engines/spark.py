"""Spark counts the same as DuckDB when a profile is pushed down to it; run by ``run``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: The plans are larger than what Spark compiles, and few rows are not worth trying.
SETTINGS = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
    "spark.ui.enabled": "false",
}


def main() -> None:
    """Profile the nasty rows of every task in both engines."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]
    # The tests' own environment has no Spark, but looks into every file.
    import ibis  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415
    from pyspark.sql import SparkSession  # noqa: PLC0415

    import nasty_rows as nasty  # noqa: PLC0415
    from watchkeeper.schema import Task  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="watchkeeper-spark-") as folder:
        builder = SparkSession.builder.master("local[2]")
        for name, value in {**SETTINGS, "spark.sql.warehouse.dir": folder}.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("FATAL")
        backend = ibis.pyspark.connect(session)
        for task in Task:
            rows, bins = nasty.nasty_rows(task, 2000, seed=5), nasty.nasty_bins(task)
            path = f"{folder}/{task}.parquet"
            pq.write_table(rows, path)
            table = backend.read_parquet(path, table_name=f"logged_{task}")
            nasty.check_same(backend, table, rows, bins)
            sys.stdout.write(f"spark: {task}: the same\n")
        session.stop()


if __name__ == "__main__":
    main()
