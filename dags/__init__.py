"""Airflow DAGs: when the command line runs, and in which order."""
