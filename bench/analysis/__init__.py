"""Analysis of result CSVs: timings, comparison, history, crossovers, validation, noise."""
