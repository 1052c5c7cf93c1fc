"""Measurements: `make bench` runs them and writes docs/benchmarks.md. Timings are no tests: machines are noisy."""
