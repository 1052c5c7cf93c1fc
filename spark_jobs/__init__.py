"""Programs that run on the engine; one file a job, each also runnable with spark-submit."""
