"""The pictures of README.md and impls/README.md: `python -m bench.plot.drawings` draws them anew."""
