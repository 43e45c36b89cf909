"""Measures the trainers of `impls` and judges the measurements. `pytest bench --benchmark-only`, `python -m bench`."""
