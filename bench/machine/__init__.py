"""The machine: identity, affinity, BLAS, clock, load, peaks, roofline."""
