"""Demo data for trying the project out and for benchmarks."""
