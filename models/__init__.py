"""Clinical models: one package each, all of the same shape; shared pieces live here once."""
