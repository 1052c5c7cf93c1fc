"""The views: one contract for every model, the same on Spark, PostgreSQL and DuckDB."""
