"""Statistics of repeated measurements: intervals of medians and of their ratios."""
