"""Programs that run on the engine, one file a job; `--engine submitted` runs each of them under spark-submit."""
