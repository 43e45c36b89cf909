"""Tests. This file is imported first, before NumPy: what is set here holds for it and for every process that a test starts."""

import os

# Threads that wait for each other in a loop take the processors from the other test process.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # with PyTorch on two busy processors an epoch then takes a second, not minutes
