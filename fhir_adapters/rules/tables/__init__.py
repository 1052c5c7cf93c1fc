"""R4 tables as data; written by ``rules/generate.py``."""
