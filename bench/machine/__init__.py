"""What the machine is and what it does at most: identity, affinity, BLAS, clock, peaks."""
