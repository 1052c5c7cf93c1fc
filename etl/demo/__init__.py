"""Generated hospitals: fictitious patients in a real PostgreSQL, for the demo, the tests and the benchmarks."""
