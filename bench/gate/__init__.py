"""Comparison of the working tree with its base: decision rule, verdicts, report and self-test."""

MARGIN = 0.01  # default for the smallest slowdown to report
SECONDS = 90.0  # default time budget for each trainer
