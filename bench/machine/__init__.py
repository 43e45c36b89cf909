"""The machine: identity, restrictions, BLAS, clock, load, peaks, roofline."""
