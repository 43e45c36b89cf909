"""What `python -m bench contribute` measures, how it runs the measurements, and the directory that it leaves."""
