"""Benchmarks of the trainers in `impls`, and their analysis: `pytest bench --benchmark-only` and `python -m bench`."""
