"""CSVs in, answers out: timings, comparisons, history, crossovers, plausibility, noise."""
